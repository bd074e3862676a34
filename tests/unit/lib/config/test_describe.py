from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from stages.lib.config.__main__ import main
from stages.lib.config.describe import EXAMPLES, default_yaml, scalar, schema_json
from stages.lib.config.load import load_config
from tests.unit.lib.config.raw import small

ROOT = Path(__file__).parents[4]
CONFIGS = [path for path in sorted((ROOT / "configs").glob("*.yaml")) if "datasets" in path.read_text()]


@pytest.mark.parametrize(("name", "text"), [("default.yaml", default_yaml()), ("schema.json", schema_json())])
def test_the_files_are_in_step_with_the_models(name: str, text: str) -> None:
    assert (ROOT / "configs" / name).read_text() == text, "run python -m stages.lib.config"


def test_the_described_configuration_is_valid_and_says_the_defaults() -> None:
    raw = yaml.safe_load(default_yaml())
    config = load_config(raw)
    assert config.decode == type(config.decode)()
    assert config.synthesize == type(config.synthesize)()
    assert config.heads["example"].recipe == type(config.heads["example"].recipe)()
    assert config.detectors["example"].train == type(config.detectors["example"].train)()


def test_every_key_is_described() -> None:
    """Each key stands below a comment, commented-out blocks included."""
    lines = default_yaml().splitlines()
    for above, line in pairwise(lines):
        text = line.lstrip("# ") if line.startswith(("  # ", "    # ")) else line.strip()
        if (
            re.match(r"[a-z_]+:( |$)", text)
            and not text.startswith("example:")
            and not line.lstrip().startswith("# ")
        ):
            assert above.lstrip().startswith("#"), line


def test_every_example_is_used() -> None:
    text = default_yaml()
    assert all(scalar(value) in text for value in EXAMPLES.values())


@pytest.mark.parametrize("value", [1e-7, 2.5, 0.0, 1e22, None, True, "a: b", ["x", 1], (1, 2), {"a": 1}, {}])
def test_values_come_back_from_yaml(value: Any) -> None:
    back = yaml.safe_load(scalar(value))
    assert back == (list(value) if isinstance(value, tuple) else value)
    assert type(back) is (list if isinstance(value, tuple) else type(value))


@pytest.mark.parametrize("path", CONFIGS, ids=[path.name for path in CONFIGS])
def test_the_shipped_configurations_are_valid(path: Path) -> None:
    raw = yaml.safe_load(path.read_text())
    load_config(raw, path.name)
    assert not list(Draft202012Validator(json.loads(schema_json())).iter_errors(raw))


def test_the_schema_finds_faults_too() -> None:
    validator = Draft202012Validator(json.loads(schema_json()))
    assert validator.is_valid(small())
    assert not validator.is_valid(small(surprise=1))
    assert not validator.is_valid(small(decode__jpeg_quality=500))


def test_the_command_writes_both(tmp_path: Path) -> None:
    assert main([str(tmp_path)]) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"default.yaml", "schema.json"}

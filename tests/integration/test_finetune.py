"""The command finetune: it refuses, says what to give instead, and writes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from stages.finetune.__main__ import main
from stages.lib.config.load import canonical_json, load_config, text_sha
from stages.lib.config.payloads import payload
from tests.unit.lib.config.raw import small


def test_refuses_and_names_the_way_round(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tuned = {"architecture": "playground", "finetune": {"backbone": "small", "head": "own"}}
    config = load_config(small(backbones__tuned=tuned, heads__own={"kind": "acar", "backbone": "tuned"}))
    text = canonical_json(payload(config, "finetune", "tuned").model_dump(mode="json"))
    (tmp_path / "config.json").write_text(text)
    argv = ["--config", str(tmp_path / "config.json"), "--config-sha", text_sha(text)]
    for flag in ("index", "decode", "detections", "weights"):
        argv += [f"--{flag}", str(tmp_path / flag)]
    for flag in ("weights", "head", "history"):
        argv += [f"--out-{flag}", str(tmp_path / f"out-{flag}")]
    assert main(argv) == 2
    told = capsys.readouterr().err
    assert "cannot train whole networks" in told and "Traceback" not in told
    assert "backbones.<key>.weights" in told and "heads.own.weights" in told
    assert [path.name for path in tmp_path.iterdir()] == ["config.json"]


def test_a_stale_configuration_is_refused_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "config.json").write_text("{}")
    argv = ["--config", str(tmp_path / "config.json"), "--config-sha", "0" * 16]
    for flag in ("index", "decode", "detections", "weights", "out-weights", "out-head", "out-history"):
        argv += [f"--{flag}", "x"]
    assert main(argv) == 2
    assert "stale" in capsys.readouterr().err

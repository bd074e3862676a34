from __future__ import annotations

import hashlib
from typing import Any

import pytest

from stages.lib.config.load import canonical_json, load_config, text_sha
from stages.lib.errors import StageError
from tests.unit.lib.config.raw import small


def test_every_fault_is_named_at_once() -> None:
    with pytest.raises(StageError) as caught:
        load_config(small(decode__rate="fast", extract__batch=0, surprise=1))
    text = str(caught.value)
    assert all(part in text for part in ("decode.rate", "extract.batch", "unknown key surprise", "'fast'"))


def test_a_missing_key_is_named() -> None:
    raw = small()
    del raw["backbones"]["small"]["architecture"]
    with pytest.raises(StageError, match=r"backbones\.small\.architecture is missing"):
        load_config(raw)


@pytest.mark.parametrize("name", ["../up", "Upper", "a b", "", "-dash", "a/b", "x" * 65])
def test_variants_are_plain_words(name: str) -> None:
    with pytest.raises(StageError):
        load_config(
            small(
                **{
                    f"heads__{name}" if name else "run": {"kind": "linear", "backbone": "small"}
                    if name
                    else ""
                }
            )
        )


def test_canonical_json_is_one_text_per_value() -> None:
    assert canonical_json({"b": 1.0, "a": ["ü", None]}) == '{"a":["\\u00fc",null],"b":1.0}'
    assert canonical_json({"x": 1, "y": 2}) == canonical_json({"y": 2, "x": 1})
    with pytest.raises(ValueError, match="JSON compliant"):
        canonical_json({"x": float("nan")})


@pytest.mark.parametrize("text", ["", "{}", "ü"])
def test_the_fingerprint_is_a_sha256(text: str) -> None:
    assert text_sha(text) == hashlib.sha256(text.encode()).hexdigest()[:16]


def test_the_configuration_is_frozen() -> None:
    config: Any = load_config(small())
    with pytest.raises(ValueError, match="frozen"):
        config.decode.rate = 5

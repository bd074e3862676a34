"""What the configuration inside a PySlowFast checkpoint says about how its network is to be used."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

# Each stage has a list for the slow pathway and one for the fast; non-local blocks stand in the slow one of res4.
SLOW_OF_RES4: Final = 4


@dataclass(frozen=True)
class Settings:
    """RoIAlign's alignment, frames of the fast pathway, their distance, alpha; None where the text does not say.

    non_local_pool: pool of keys (time, height, width) in res4's non-local blocks; non_local: what they do with scores.
    """

    aligned: bool | None = None
    fast_frames: int | None = None
    stride: int | None = None
    alpha: int | None = None
    non_local_pool: tuple[int, int, int] | None = None
    non_local: str | None = None


def read_settings(text: str) -> Settings:
    """The settings in a configuration written as YAML, a section per block; an empty text says nothing."""
    aligned = _value(text, "DETECTION", "ALIGNED")
    return Settings(
        {"true": True, "false": False}.get(aligned.lower()),
        _number(_value(text, "DATA", "NUM_FRAMES")),
        _number(_value(text, "DATA", "SAMPLING_RATE")),
        _number(_value(text, "SLOWFAST", "ALPHA")),
        _pool(text),
        _value(text, "NONLOCAL", "INSTANTIATION") or None,
    )


def _pool(text: str) -> tuple[int, int, int] | None:
    """The pool of res4's slow pathway among the lists of NONLOCAL.POOL, in either of YAML's two forms."""
    block = re.search(r"^NONLOCAL:\n((?:[ \t].*\n?)*)", text, re.MULTILINE)
    listed = re.search(r"^ +POOL:((?:[\s\[\],-]|\d)*)", block[1], re.MULTILINE) if block else None
    numbers = [int(word) for word in re.findall(r"\d+", listed[1])] if listed else []
    triples = list(zip(numbers[::3], numbers[1::3], numbers[2::3], strict=False))
    return triples[SLOW_OF_RES4] if len(triples) > SLOW_OF_RES4 else None


def _value(text: str, section: str, key: str) -> str:
    """The text behind `key:` inside the block `section:`, empty when it is not there."""
    inside = False
    for line in text.splitlines():
        if line[:1].strip():
            inside = line.rstrip() == f"{section}:"
        elif inside and line.strip().startswith(f"{key}:"):
            return line.partition(":")[2].strip()
    return ""


def _number(text: str) -> int | None:
    return int(text) if text.isdigit() else None

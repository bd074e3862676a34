"""What the configuration inside a PySlowFast checkpoint says about how its network is to be used."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """RoIAlign's alignment, frames of the fast pathway, their distance, alpha; None where the text does not say."""

    aligned: bool | None = None
    fast_frames: int | None = None
    stride: int | None = None
    alpha: int | None = None


def read_settings(text: str) -> Settings:
    """The settings in a configuration written as YAML, a section per block; an empty text says nothing."""
    aligned = _value(text, "DETECTION", "ALIGNED")
    return Settings(
        {"true": True, "false": False}.get(aligned.lower()),
        _number(_value(text, "DATA", "NUM_FRAMES")),
        _number(_value(text, "DATA", "SAMPLING_RATE")),
        _number(_value(text, "SLOWFAST", "ALPHA")),
    )


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

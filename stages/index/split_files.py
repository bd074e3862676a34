"""SPLIT=FILE words of the command line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from stages.lib.errors import StageError


def split_files(pairs: Sequence[str], flag: str) -> dict[str, Path]:
    """SPLIT=FILE words as a mapping; another form, a split given twice or a file that is not there is a StageError."""
    found: dict[str, Path] = {}
    for pair in pairs:
        split, _, path = pair.partition("=")
        if split not in ("train", "val", "test") or not path or split in found:
            raise StageError(
                f"cannot use {pair!r}", f"--{flag}", "write train=FILE val=FILE test=FILE, each at most once"
            )
        found[split] = Path(path)
        if not found[split].is_file():
            raise StageError("file not found", path, f"correct the path of split {split}")
    return found

"""Parts of the official splits that a training, a fit or a measurement may name: whole ones, and the two folds of val."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from typing import Final, Literal

Part = Literal["train", "val", "val-a", "val-b", "test"]
"""An official split, or one of the two folds of the videos of val."""

FOLDS: Final = ("val-a", "val-b")


def official_splits(parts: Collection[str]) -> frozenset[str]:
    """The official splits that the parts are of."""
    return frozenset("val" if part in FOLDS else part for part in parts)


def fold_of(video_id: str) -> str:
    """The fold of a video of val: parity of the sha256 of its id (after a word, so that folds are no shards)."""
    return FOLDS[hashlib.sha256(f"fold {video_id}".encode()).digest()[-1] % 2]


def is_in(split: str, video_id: str, parts: Collection[str]) -> bool:
    """Whether a video of an official split belongs to one of the parts."""
    return split in parts or (split == "val" and fold_of(video_id) in parts)

"""Into how many shards a data set is cut, which splits each holds, and to which a video belongs.

The shards are mixed, or each split has its own: then whatever only some splits are needed for runs on their shards alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator

from stages.lib.config.datasets import DatasetConfig
from stages.lib.config.types import Split

EVALUATED_SPLITS: tuple[Split, ...] = ("val", "test")
_ORDER: tuple[Split, ...] = ("train", "val", "test")


def shard_name(k: int, n: int) -> str:
    """Name of shard k of n, e.g. 007-of-064."""
    return f"{k:03d}-of-{n:03d}"


def shard_of(video_id: str, n: int) -> int:
    """Shard of a video: sha256 of its id, modulo n; adding a video moves no other."""
    return int.from_bytes(hashlib.sha256(video_id.encode()).digest(), "big") % n


def shard_count(data: DatasetConfig) -> int:
    """Number of shards of a data set."""
    return sum(data.split_shards.values()) if data.split_shards else data.shards


def shards_with(data: DatasetConfig, splits: Collection[str] | None = None) -> list[str]:
    """Names of the shards that may hold videos of these splits (None: of any), in order."""
    count = shard_count(data)
    if splits is None or not data.split_shards:
        return [shard_name(k, count) for k in range(count)]
    return [shard_name(k, count) for split, own in _ranges(data) if split in splits for k in own]


def evaluated_shards(data: DatasetConfig) -> list[str]:
    """Names of the shards that models answer on: those of val and test, all where none is theirs alone."""
    return shards_with(data, EVALUATED_SPLITS) or shards_with(data)


def allowed_shards(data: DatasetConfig, split: str) -> range:
    """Numbers of the shards that a video of this split may be in; empty where the split has none."""
    if not data.split_shards:
        return range(data.shards)
    return dict(_ranges(data)).get(split, range(0))


def _ranges(data: DatasetConfig) -> Iterator[tuple[str, range]]:
    """Consecutive numbers for train, val and test, however the configuration orders them."""
    first = 0
    for split in _ORDER:
        number = data.split_shards.get(split, 0)
        if number:
            yield split, range(first, first + number)
        first += number

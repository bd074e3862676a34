"""What became of every annotated video and of every class's boxes, and the truth of the keyframes without frames.

V videos, K keyframes, N boxes, A classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stages.index.core import Annotations, build_index
from stages.index.sheet import ava_sheet, kinetics_sheet
from stages.lib.artifacts.reader import Artifact
from stages.lib.artifacts.shards import merge_index, take_index
from stages.lib.artifacts.tables import ROLE_EVAL, ROLE_EXCLUDED, ROLE_TRAIN, Classes, Index, Keyframes

MISSING: Final = "missing"
REASONS: Final = (MISSING, "broken", "cut off", "too short")
"""States of videos that cost keyframes."""


class Fate(NamedTuple):
    """One file of an annotated video: its state and why, its rate in Hz measured and as claimed, its length in seconds.

    `usable` of its keyframes have a whole window of frames.
    """

    video: str
    name: str
    split: str
    start: float
    state: str
    reason: str
    width: int
    height: int
    rate: float
    claimed_rate: float
    duration: float
    keyframes: int
    usable: int

    @property
    def lost(self) -> int:
        """Keyframes without a whole window of frames."""
        return self.keyframes - self.usable


class ClassLoss(NamedTuple):
    """How many labelled boxes of a class a split has, how many are lost, and in videos of which state."""

    split: str
    id: int
    name: str
    boxes: int
    lost: int
    missing: int
    broken: int
    cut_off: int
    too_short: int


def shard_fates(decode: Artifact, index: Index) -> list[Fate]:
    """What became of the files of one shard."""
    n = len(index.keyframes.video_ids)
    total = np.bincount(index.keyframes.video, minlength=n)
    whole = np.bincount(index.keyframes.video[~lost_rows(decode)], minlength=n)
    columns = {
        name: decode.read(f"videos/{name}").tolist() for name in ("reason", "size", "rate", "duration")
    }
    claimed = decode.read("videos/claimed_rate").tolist() if "videos/claimed_rate" in decode else n * [0.0]
    return [
        Fate(
            video=index.keyframes.video_ids[v],
            name=index.name[v],
            split=index.split[v],
            start=float(index.start[v]),
            state=state,
            reason=columns["reason"][v],
            width=columns["size"][v][0],
            height=columns["size"][v][1],
            rate=columns["rate"][v],
            claimed_rate=claimed[v],
            duration=columns["duration"][v],
            keyframes=int(total[v]),
            usable=int(whole[v]),
        )
        for v, state in enumerate(states_of(decode))
    ]


def states_of(decode: Artifact) -> list[str]:
    """The state of each video of a shard; its status in files that are older than states."""
    states: list[str] = decode.read("videos/state" if "videos/state" in decode else "videos/status").tolist()
    return states


def lost_rows(decode: Artifact) -> NDArray[np.bool_]:
    """Which keyframes of a shard have no whole window of frames, (K,)."""
    return np.diff(decode.read("key/offsets")) == 0


def unlisted_index(
    parts: Mapping[str, Annotations], listed: set[str], classes: Classes, dialect: str
) -> Index:
    """Keyframes and truth of the annotated videos that no sheet lists, as if it listed them without a file."""
    truths = {split: part.truth for split, part in parts.items()}
    rows = ava_sheet([], truths, 0.0) if dialect == "ava" else kinetics_sheet({}, truths)
    videos = [row for row in rows if row.video not in listed]
    index, _ = build_index(videos, parts, classes, dialect)
    return index


def unlisted_fates(index: Index) -> list[Fate]:
    """A line for each of those videos; a video is one, however many clips its keyframes would need."""
    keyframes = index.keyframes
    counts: dict[tuple[str, str], int] = {}
    for video, count in enumerate(np.bincount(keyframes.video, minlength=len(keyframes.video_ids)).tolist()):
        key = (keyframes.video_ids[video], index.split[video])
        counts[key] = counts.get(key, 0) + count
    return [
        Fate(video, video, split, 0.0, MISSING, "not in the sheet", 0, 0, 0.0, 0.0, 0.0, count, 0)
        for (video, split), count in counts.items()
    ]


def lost_index(shards: Sequence[Index], lost: Sequence[NDArray[np.bool_]], unlisted: Index) -> Index:
    """The lost keyframes of all shards, and all those of the unlisted videos, with roles and truth."""
    parts = [take_index(shard, np.flatnonzero(gone)) for shard, gone in zip(shards, lost, strict=True)]
    return merge_index([*parts, unlisted], "lost keyframes")


def class_losses(
    shards: Sequence[Index],
    lost: Sequence[NDArray[np.bool_]],
    states: Sequence[Sequence[str]],
    unlisted: Index,
) -> list[ClassLoss]:
    """Boxes of each class in each split on keyframes that are trained on or evaluated, and those that are lost."""
    indexes = [*shards, unlisted]
    gone = [*lost, np.ones(len(unlisted.keyframes), dtype=bool)]
    named = [*states, [MISSING] * len(unlisted.keyframes.video_ids)]
    classes = unlisted.classes
    counts: dict[str, NDArray[np.int64]] = {}
    for index, lost_K, state_V in zip(indexes, gone, named, strict=True):
        kinds = np.array([2 + REASONS.index(s) if s in REASONS else -1 for s in state_V], np.int64)
        owner = index.truth().keyframe_of()
        video = index.keyframes.video[owner]
        roles = index.roles[owner]
        counted = ((roles & (ROLE_TRAIN | ROLE_EVAL)) > 0) & ((roles & ROLE_EXCLUDED) == 0)
        of_split = np.array(index.split, dtype=object)[video]
        for split in sorted(set(index.split)):
            mine = counted & (of_split == split)
            table = counts.setdefault(split, np.zeros((2 + len(REASONS), len(classes.ids)), np.int64))
            table[0] += index.truth_labels[mine].sum(axis=0, dtype=np.int64)
            table[1] += index.truth_labels[mine & lost_K[owner]].sum(axis=0, dtype=np.int64)
            for kind in range(2, 2 + len(REASONS)):
                rows = mine & lost_K[owner] & (kinds[video] == kind)
                table[kind] += index.truth_labels[rows].sum(axis=0, dtype=np.int64)
    return [
        ClassLoss(split, number, name, *table[:, column].tolist())
        for split, table in sorted(counts.items())
        for column, (number, name) in enumerate(zip(classes.ids, classes.names, strict=True))
    ]


def same_keyframes(index: Index, decode: Artifact, here: str) -> None:
    """StageError unless the two artifacts speak of the same keyframes."""
    index.keyframes.require_same(Keyframes.read(decode), here, str(decode.path))

"""Keyframes with their roles, and ground truth as unique boxes with multi-hot labels.

K keyframes, N rows of the csv, B unique boxes, A classes, V videos.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from stages.index.keyframes import Found, clip_seconds, locate, require_inside, unlabelled_seconds
from stages.lib.artifacts.tables import (
    ROLE_BANK,
    ROLE_EVAL,
    ROLE_EXCLUDED,
    ROLE_TRAIN,
    Classes,
    Index,
    Keyframes,
    splits_of,
)
from stages.lib.config.sheets import Video
from stages.lib.metrics.tables import Truth, to_milliseconds

EVALUATED_SPLITS = ("val", "test")


@dataclass(frozen=True)
class Annotations:
    """One split's official files: labelled rows and keyframes, and excluded keyframes as (video, milliseconds)."""

    truth: Truth
    excluded: frozenset[tuple[str, int]] = field(default_factory=frozenset)


@dataclass(frozen=True)
class Counts:
    """What became of the csv's content: videos of other shards (or of none), and persons with several boxes."""

    elsewhere: int
    conflicting: int


def build_index(
    videos: Sequence[Video],
    annotations: Mapping[str, Annotations],
    classes: Classes,
    dialect: str,
    included: Sequence[int] | None = None,
    *,
    bank_seconds: bool = False,
) -> tuple[Index, Counts]:
    """The index of one shard of annotated videos; `dialect` is ava or ava-kinetics.

    With `bank_seconds` the seconds around a clip's keyframe are keyframes for banks alone.

    Every keyframe may enter a bank. Labelled ones may be trained on, whatever their split: each training chooses its own.
    Those of val and test are evaluated. An excluded one does neither. Seconds of an AVA video between its first and last
    labelled one that have no rows are keyframes with nobody labelled: they are never trained on. Where the annotated times of
    every video are given in milliseconds (`included`), these are meant instead, and keyframes at other times are excluded.

    Raises:
        OutsideError: a keyframe lies in none of its video's files.
    """
    found = {split: locate(videos, split, part.truth, dialect) for split, part in annotations.items()}
    keys: list[tuple[int, int, int]] = []
    for split, part in annotations.items():
        keys += _with_roles(videos, split, part, found[split], dialect, included)
    if bank_seconds:
        keys += _for_banks(videos, keys)
    keys.sort()
    key_rows = {(video, ms): row for row, (video, ms, _) in enumerate(keys)}
    tables = [_boxes(found[split], part.truth, classes, key_rows) for split, part in annotations.items()]
    truth = _join(tables, len(keys), len(classes.ids))
    index = Index(
        keyframes=Keyframes(
            tuple(video.video for video in videos),
            np.array([video for video, _, _ in keys], np.int32),
            np.array([ms for _, ms, _ in keys], np.int64),
        ),
        split=tuple(video.split for video in videos),
        start=np.array([video.start for video in videos], np.float64),
        name=tuple(video.name for video in videos),
        roles=np.array([roles for _, _, roles in keys], np.uint8),
        truth_splits=truth.row_splits,
        truth_boxes=truth.boxes,
        truth_labels=truth.labels,
        truth_person=truth.person,
        classes=classes,
    )
    return index, Counts(
        sum(part.elsewhere for part in found.values()), sum(table.conflicting for table in tables)
    )


def _with_roles(
    videos: Sequence[Video],
    split: str,
    part: Annotations,
    found: Found,
    dialect: str,
    included: Sequence[int] | None,
) -> list[tuple[int, int, int]]:
    """(video row, milliseconds, roles) of a split's keyframes."""
    evaluated = ROLE_EVAL if split in EVALUATED_SPLITS else 0
    labelled = ROLE_BANK | ROLE_TRAIN | evaluated
    moments = [(row, ms, labelled) for row, ms in zip(found.video.tolist(), found.ms.tolist(), strict=True)]
    if dialect == "ava":
        empty = unlabelled_seconds(found.video, found.ms, included)
        for row, ms in empty:
            require_inside(videos[row], ms)
        moments += [(row, ms, ROLE_BANK | evaluated) for row, ms in empty]
    gone, kept = part.excluded, None if included is None else frozenset(included)
    return [
        (v, ms, roles if _counts(videos[v].video, ms, gone, kept) else ROLE_BANK | ROLE_EXCLUDED)
        for v, ms, roles in moments
    ]


def _for_banks(videos: Sequence[Video], keys: Sequence[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """The seconds around the keyframes of clips, without moments of a video that are keyframes, or named already."""
    known = {(videos[row].video, ms) for row, ms, _ in keys}
    found = []
    for row, ms, _ in sorted(keys):
        for moment in clip_seconds(videos[row].start, ms):
            name = (videos[row].video, moment)
            if name not in known:
                known.add(name)
                found.append((row, moment, ROLE_BANK))
    return found


def _counts(video: str, ms: int, gone: Container[tuple[str, int]], kept: Container[int] | None) -> bool:
    return (video, ms) not in gone and (kept is None or ms in kept)


@dataclass(frozen=True)
class _Boxes:
    """Unique boxes of some keyframes: keyframe (B,), boxes (B,4), labels (B,A), persons (B,)."""

    keyframe: NDArray[np.int64]
    boxes: NDArray[np.float32]
    labels: NDArray[np.uint8]
    person: NDArray[np.int32]
    conflicting: int = 0


@dataclass(frozen=True)
class _Ragged:
    row_splits: NDArray[np.int64]
    boxes: NDArray[np.float32]
    labels: NDArray[np.uint8]
    person: NDArray[np.int32]


def _boxes(found: Found, truth: Truth, classes: Classes, key_rows: Mapping[tuple[int, int], int]) -> _Boxes:
    """Rows with one person id, or with equal coordinates where there is none, are one box; its first row's place and box.

    Actions outside the class list leave a box without that label, not without the box.
    """
    rows, keyframe = found.rows_of(truth, key_rows)
    boxes, person = truth.boxes[rows].astype(np.float32), truth.person_id[rows]
    identity = np.where(person[:, None] >= 0, np.float32(0), boxes).astype(np.float64)
    identity = np.column_stack([keyframe, person, identity])
    _, first, owner = np.unique(identity, axis=0, return_index=True, return_inverse=True)
    order = np.lexsort((first, keyframe[first]))
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    owner, first = rank[owner.ravel()], first[order]
    labels = np.zeros((len(first), len(classes.ids)), np.uint8)
    ids = np.array(classes.ids, np.int64)
    column = np.searchsorted(ids, truth.class_id[rows])
    listed = np.isin(truth.class_id[rows], ids)
    labels[owner[listed], column[listed]] = 1
    moved = np.unique(owner[(boxes != boxes[first][owner]).any(axis=1)])
    return _Boxes(keyframe[first], boxes[first], labels, person[first].astype(np.int32), len(moved))


def _join(tables: Sequence[_Boxes], n_keyframes: int, n_classes: int) -> _Ragged:
    keyframe = np.concatenate([np.zeros(0, np.int64), *(table.keyframe for table in tables)])
    order = np.argsort(keyframe, kind="stable")
    return _Ragged(
        splits_of(np.bincount(keyframe, minlength=n_keyframes)),
        np.concatenate([np.zeros((0, 4), np.float32), *(table.boxes for table in tables)])[order],
        np.concatenate([np.zeros((0, n_classes), np.uint8), *(table.labels for table in tables)])[order],
        np.concatenate([np.zeros(0, np.int32), *(table.person for table in tables)])[order],
    )


def own_index(
    videos: Sequence[Video], durations: Sequence[float | None], every: float, classes: Classes
) -> Index:
    """The index of a shard of videos without annotations: a keyframe every `every` seconds, none where it is unreadable."""
    moments = [own_keyframes(duration, every) for duration in durations]
    counts = [len(part) for part in moments]
    n = sum(counts)
    return Index(
        keyframes=Keyframes(
            tuple(video.video for video in videos),
            np.repeat(np.arange(len(videos), dtype=np.int32), counts),
            np.concatenate([np.zeros(0, np.int64), *moments]),
        ),
        split=tuple(video.split for video in videos),
        start=np.array([video.start for video in videos], np.float64),
        name=tuple(video.name for video in videos),
        roles=np.full(n, ROLE_EVAL | ROLE_BANK, np.uint8),
        truth_splits=np.zeros(n + 1, np.int64),
        truth_boxes=np.zeros((0, 4), np.float32),
        truth_labels=np.zeros((0, len(classes.ids)), np.uint8),
        truth_person=np.zeros(0, np.int32),
        classes=classes,
    )


def own_keyframes(duration: float | None, every: float) -> NDArray[np.int64]:
    """Milliseconds of the keyframes: k * every for k >= 1 up to half a second before the end, else the middle."""
    if duration is None:
        return np.zeros(0, np.int64)
    count = int((duration - 0.5) / every + 1e-6)
    if count < 1:
        return to_milliseconds([duration / 2])
    return to_milliseconds(every * np.arange(1, count + 1))

"""Ground truth and detections as frozen tables of arrays, one row per (box, class).

Legend: N rows, K keyframes, B boxes, C classes. A keyframe is (video name, timestamp in integer microseconds): official
evaluators compare six decimals of a second. Artifacts keep milliseconds; tables that are made of them have whole ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Whole = TypeVar("Whole", int, Ints)


def to_microseconds(seconds: ArrayLike) -> Ints:
    """Seconds (N,) as integer microseconds, those that `%.6f` spells: the one rule by which keyframes are compared."""
    exact = np.asarray(seconds, dtype=np.float64)
    scaled = exact * 1e6
    whole = np.rint(scaled)
    halves = np.flatnonzero(
        np.abs(np.abs(scaled - whole) - 0.5) < 0.01
    )  # where the product's rounding may decide
    for place in halves.tolist():
        whole[place] = float(f"{exact[place]:.6f}".replace(".", ""))
    return whole.astype(np.int64)


def microseconds_to_milliseconds(microseconds: Whole) -> Whole:
    """The nearest whole milliseconds, halves up."""
    return (microseconds + 500) // 1000


def to_milliseconds(seconds: ArrayLike) -> Ints:
    """Seconds (N,) as integer milliseconds: the microseconds, rounded half up. The times of artifacts."""
    return microseconds_to_milliseconds(to_microseconds(seconds))


@dataclass(frozen=True)
class Truth:
    """Annotated keyframes (K,), with or without boxes, and labelled boxes (N, 4), xyxy in [0, 1].

    `person_id` is -1 where the file has none.
    """

    videos: tuple[str, ...]
    key_video: NDArray[np.int32]
    key_us: Ints
    video: NDArray[np.int32]
    timestamp_us: Ints
    boxes: Floats
    class_id: NDArray[np.int32]
    person_id: NDArray[np.int32]

    def __post_init__(self) -> None:
        n = len(self.video)
        assert len(self.key_video) == len(self.key_us)
        assert len(self.timestamp_us) == len(self.class_id) == len(self.person_id) == n
        assert self.boxes.shape == (n, 4)

    @property
    def key_ms(self) -> Ints:
        """The keyframes' times as artifacts keep them, in milliseconds (K,)."""
        return microseconds_to_milliseconds(self.key_us)

    @property
    def timestamp_ms(self) -> Ints:
        """The rows' times in milliseconds (N,)."""
        return microseconds_to_milliseconds(self.timestamp_us)

    @property
    def key_seconds(self) -> Floats:
        """The keyframes' times in seconds (K,)."""
        return self.key_us / 1e6


@dataclass(frozen=True)
class DetectionsTable:
    """Scored boxes (N, 4), xyxy in [0, 1], one row per (box, class), in the order in which they were listed."""

    videos: tuple[str, ...]
    video: NDArray[np.int32]
    timestamp_us: Ints
    boxes: NDArray[np.floating]
    class_id: NDArray[np.int32]
    score: Floats

    def __post_init__(self) -> None:
        n = len(self.video)
        assert len(self.timestamp_us) == len(self.class_id) == len(self.score) == n
        assert self.boxes.shape == (n, 4)

    @property
    def timestamp_ms(self) -> Ints:
        """The rows' times as artifacts keep them, in milliseconds (N,)."""
        return microseconds_to_milliseconds(self.timestamp_us)

    def take(self, rows: Ints) -> DetectionsTable:
        """The named rows, over the same videos."""
        columns = ("video", "timestamp_us", "boxes", "class_id", "score")
        return DetectionsTable(self.videos, **{name: vars(self)[name][rows] for name in columns})


def truth_from_dense(
    videos: Sequence[str],
    key_video: ArrayLike,
    key_ms: ArrayLike,
    boxes_B4: ArrayLike,
    row_splits: ArrayLike,
    labels_BC: ArrayLike,
    class_ids: Sequence[int],
    *,
    person_id: ArrayLike | None = None,
) -> Truth:
    """Builds the table from boxes ragged per keyframe and multi-hot labels (B, C); keyframes (milliseconds) may have no box."""
    labels = np.asarray(labels_BC, dtype=bool)
    box, column = np.nonzero(labels)
    key_of_box = _key_of_box(row_splits, len(labels))
    key_video, key_us = np.asarray(key_video, np.int32), 1000 * np.asarray(key_ms, np.int64)
    persons = np.full(len(labels), -1) if person_id is None else np.asarray(person_id)
    return Truth(
        videos=tuple(videos),
        key_video=key_video,
        key_us=key_us,
        video=key_video[key_of_box[box]],
        timestamp_us=key_us[key_of_box[box]],
        boxes=np.asarray(boxes_B4, np.float64).reshape(-1, 4)[box],
        class_id=np.asarray(class_ids, np.int32)[column],
        person_id=persons[box].astype(np.int32),
    )


def detections_from_dense(
    videos: Sequence[str],
    key_video: ArrayLike,
    key_ms: ArrayLike,
    boxes_B4: ArrayLike,
    row_splits: ArrayLike,
    scores_BC: ArrayLike,
    class_ids: Sequence[int],
) -> DetectionsTable:
    """Builds the table from boxes ragged per keyframe (milliseconds) and dense scores (B, C); rows run by box, then class."""
    scores = np.asarray(scores_BC)
    n_classes = len(class_ids)
    assert scores.shape[1:] == (n_classes,)
    key_of_box = _key_of_box(row_splits, len(scores))
    return DetectionsTable(
        videos=tuple(videos),
        video=np.repeat(np.asarray(key_video, np.int32)[key_of_box], n_classes),
        timestamp_us=np.repeat(1000 * np.asarray(key_ms, np.int64)[key_of_box], n_classes),
        boxes=np.repeat(np.asarray(boxes_B4).reshape(-1, 4), n_classes, axis=0),
        class_id=np.tile(np.asarray(class_ids, np.int32), len(scores)),
        score=scores.astype(np.float64).reshape(-1),
    )


def concat_truths(tables: Sequence[Truth]) -> Truth:
    """One pool of all keyframes; the same (video name, timestamp) in two tables is the same keyframe."""
    videos, maps = merge_names([table.videos for table in tables])
    moved = [
        replace(table, videos=videos, key_video=index[table.key_video], video=index[table.video])
        for table, index in zip(tables, maps, strict=True)
    ]
    fields = ("key_video", "key_us", "video", "timestamp_us", "boxes", "class_id", "person_id")
    columns = {name: np.concatenate([vars(table)[name] for table in moved]) for name in fields}
    return Truth(videos=videos, **columns)


def concat_detections(tables: Sequence[DetectionsTable]) -> DetectionsTable:
    """All rows of all tables in the order given, over the union of their videos."""
    videos, maps = merge_names([table.videos for table in tables])
    columns = {
        name: np.concatenate([vars(table)[name] for table in tables])
        for name in ("timestamp_us", "boxes", "class_id", "score")
    }
    video = np.concatenate([index[table.video] for table, index in zip(tables, maps, strict=True)])
    return DetectionsTable(videos=videos, video=video, **columns)


def merge_names(
    lists: Sequence[Sequence[str]],
) -> tuple[tuple[str, ...], list[NDArray[np.int32]]]:
    """Sorted union of name lists and, for each list, the position of its names in the union."""
    names = tuple(sorted({name for names in lists for name in names}))
    place = {name: position for position, name in enumerate(names)}
    return names, [np.array([place[name] for name in names_of], dtype=np.int32) for names_of in lists]


def repeated_rows(table: Truth | DetectionsTable, *, with_score: bool = False) -> Ints:
    """Rows, ascending, that repeat an earlier row's keyframe, box and class (and person, in a ground truth).

    With `with_score`, detections of unequal scores are no repetitions.
    """
    columns = [table.video, table.timestamp_us, table.class_id, *table.boxes.T]
    if isinstance(table, Truth):
        columns.append(table.person_id)
    elif with_score:
        columns.append(table.score)
    rows = _rows_of_equal_sum(columns)
    columns = [column[rows] for column in columns]
    order = np.lexsort(columns)
    same = np.ones(max(len(order) - 1, 0), dtype=bool)
    for column in columns:
        same &= column[order[1:]] == column[order[:-1]]
    return np.sort(rows[order[1:][same]])


def _rows_of_equal_sum(columns: Sequence[NDArray[Any]]) -> Ints:
    """Rows, ascending, whose check sum another row has as well: all that repeat each other, and few more.

    The number of a row stands in the low bits of its sum, so that one sort of integers finds them.
    """
    sums = np.zeros(len(columns[0]), dtype=np.uint64)
    for column in columns:
        sums ^= (column.astype(np.float64) + 0.0).view(np.uint64)  # -0.0 is 0.0
        sums *= np.uint64(0x9E3779B97F4A7C15)
        sums ^= sums >> np.uint64(29)
    low = np.uint64((1 << len(sums).bit_length()) - 1)
    sums |= low
    sums ^= low
    sums += np.arange(len(sums), dtype=np.uint64)
    sums.sort()
    same = (sums[1:] ^ sums[:-1]) <= low
    alike = np.zeros(len(sums), dtype=bool)
    alike[1:] = same
    alike[:-1] |= same
    rows: Ints = np.sort((sums[alike] & low).astype(np.int64))
    return rows


def _key_of_box(row_splits: ArrayLike, n_boxes: int) -> Ints:
    splits = np.asarray(row_splits, dtype=np.int64)
    assert (splits[0], splits[-1]) == (0, n_boxes), "row_splits must run from 0 to the number of boxes"
    return np.repeat(np.arange(len(splits) - 1), np.diff(splits))

"""Ground truth, detections and exclusions in the official csv forms, parsed strictly and fast.

Ground truth: 8 columns (AVA: the last is a person id), 7 (AVA-Kinetics) or 2 (a keyframe with nobody labelled), also
mixed. Detections: 8 columns, the last is the score. Exclusions: 2 columns. No header; timestamps are seconds of the
original video, as integers (`0902`) or with decimals (`902.000000`); both are the same keyframe.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from stages.lib.annotations.columns import (
    Keys,
    Names,
    check_actions,
    check_boxes,
    check_persons,
    check_scores,
    count_outside,
    join_keys,
    leave_frame,
    parse_boxes,
    parse_keys,
    run_heads,
    without_area,
)
from stages.lib.annotations.labelmap import LabelMap
from stages.lib.annotations.lines import Rows, parse_file, split_block
from stages.lib.errors import StageError
from stages.lib.metrics.tables import DetectionsTable, Truth, repeated_rows

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class ReadCounts:
    """What a file held: rows with a box, two-column rows, blank lines, repeated rows, clipped and unlisted ones.

    Boxes `outside` leave the frame, `far` by more than 1 %, `inverted` ones have no area; the first of some as `file:line`.
    """

    rows: int
    negatives: int = 0
    blank_lines: int = 0
    duplicates: int = 0
    clipped: int = 0
    outside: int = 0
    inverted: int = 0
    unlisted: int = 0
    far: int = 0
    first_far: str = ""
    first_inverted: str = ""
    first_duplicate: str = ""


@dataclass(frozen=True)
class _Part:
    """What one block of a file gave; `negatives` are the keys of two-column rows."""

    keys: Keys
    negatives: Keys
    boxes: Floats
    class_id: NDArray[np.int32]
    last: Floats
    line: NDArray[np.int64]
    n_blank: int
    n_outside: int


def read_truth(
    path: Path, classes: LabelMap | None = None, *, outside: Literal["clip", "keep"] = "clip"
) -> tuple[Truth, ReadCounts]:
    """Reads a ground-truth csv; boxes up to 1 % outside the frame are clipped and counted, others refused.

    With `outside="keep"` all boxes are kept as read, as official evaluators take them, and the strange ones counted.
    Rows whose action the list tolerates without evaluating it stay in the table and are counted as unlisted.
    Raises StageError with file and line for anything that breaks the format, and for a file without rows.
    """
    names = Names()
    parts = parse_file(path, lambda data: _truth_block(data, names, classes, outside))
    keys, negatives = join_keys([part.keys for part in parts]), join_keys([part.negatives for part in parts])
    if not len(keys.video) + len(negatives.video):
        raise StageError(
            "the ground truth has no rows", str(path), "give a csv with 8, 7 or 2 columns per row"
        )
    everything = join_keys([keys, negatives])
    videos, rank = names.ranked()
    key_video, key_us = _distinct_keyframes(rank[everything.video], everything.us)
    n = len(keys.video)
    class_id = np.concatenate([part.class_id for part in parts])
    truth = Truth(
        videos=videos,
        key_video=key_video,
        key_us=key_us,
        video=rank[keys.video],
        timestamp_us=keys.us,
        boxes=np.concatenate([part.boxes for part in parts]),
        class_id=class_id,
        person_id=np.concatenate([part.last for part in parts]).astype(np.int32),
    )
    n_outside = sum(part.n_outside for part in parts)
    repeated = repeated_rows(truth)
    far, inverted = np.flatnonzero(leave_frame(truth.boxes)), np.flatnonzero(without_area(truth.boxes))
    counts = ReadCounts(
        rows=n,
        negatives=len(negatives.video),
        blank_lines=sum(part.n_blank for part in parts),
        duplicates=len(repeated),
        clipped=n_outside if outside == "clip" else 0,
        outside=n_outside,
        inverted=len(inverted),
        unlisted=_count_unlisted(class_id, classes),
        far=len(far),
        first_far=place_of_first(path, far),
        first_inverted=place_of_first(path, inverted),
        first_duplicate=place_of_first(path, repeated),
    )
    return truth, counts


def read_detections(path: Path, classes: LabelMap | None = None) -> tuple[DetectionsTable, ReadCounts]:
    """Reads a detections csv as it stands: boxes are neither clipped nor dropped, only counted; an empty file is empty.

    Raises StageError with file and line for a broken row, and for a score that is no number within [0, 1].
    """
    names = Names()
    parts = parse_file(path, lambda data: _detections_block(data, names))
    videos, rank = names.ranked()
    keys = join_keys([part.keys for part in parts])
    boxes = np.concatenate([part.boxes for part in parts]) if parts else np.zeros((0, 4))
    class_id = np.concatenate([part.class_id for part in parts]) if parts else np.zeros(0, np.int32)
    table = DetectionsTable(
        videos=videos,
        video=rank[keys.video],
        timestamp_us=keys.us,
        boxes=boxes,
        class_id=class_id,
        score=np.concatenate([part.last for part in parts]) if parts else np.zeros(0),
    )
    counts = ReadCounts(
        rows=len(table.video),
        blank_lines=sum(part.n_blank for part in parts),
        outside=sum(part.n_outside for part in parts),
        inverted=int(without_area(boxes).sum()),
        unlisted=_count_unlisted(class_id, classes),
    )
    return table, counts


def read_exclusions(path: Path) -> set[tuple[str, int]]:
    """Reads excluded keyframes as (video, microseconds); StageError with file and line for a broken row."""
    names = Names()
    keys = join_keys(parse_file(path, lambda data: _exclusions_block(data, names)))
    videos, rank = names.ranked()
    return {(videos[v], us) for v, us in zip(rank[keys.video].tolist(), keys.us.tolist(), strict=True)}


def _truth_block(data: bytearray, names: Names, classes: LabelMap | None, outside: str) -> _Part:
    block = split_block(data)
    block.refuse_other_columns(
        (2, 7, 8), "8 (AVA), 7 (AVA-Kinetics) or 2 (keyframe without labels) are expected"
    )
    check = check_boxes if outside == "clip" else count_outside
    boxed = [
        _truth_rows(rows, names, classes, check) for columns, rows in block.by_columns.items() if columns > 2
    ]
    empty = [rows for columns, rows in block.by_columns.items() if columns == 2]
    part = _join_parts(boxed, join_keys([parse_keys(rows, names) for rows in empty]), block.n_blank)
    if outside == "clip":
        np.clip(part.boxes, 0.0, 1.0, out=part.boxes)
    return part


def _truth_rows(
    rows: Rows, names: Names, classes: LabelMap | None, check: Callable[[Rows, Floats], int]
) -> _Part:
    keys, boxes = parse_keys(rows, names), parse_boxes(rows)
    n_outside = check(rows, boxes)
    class_id = check_actions(rows, classes)
    persons = check_persons(rows) if len(rows.start) == 8 else np.full(len(class_id), -1.0)
    return _Part(keys, join_keys([]), boxes, class_id, persons, rows.line, 0, n_outside)


def _detections_block(data: bytearray, names: Names) -> _Part:
    block = split_block(data)
    block.refuse_other_columns((8,), "8 are expected (video, time, x1, y1, x2, y2, action, score)")
    parts = [_detection_rows(rows, names) for rows in block.by_columns.values()]
    return _join_parts(parts, join_keys([]), block.n_blank)


def _detection_rows(rows: Rows, names: Names) -> _Part:
    """Detections list a box once per class: what repeats the row before up to the box is read once."""
    heads = run_heads(rows, 5)
    lengths = np.diff(np.append(heads, len(rows.line)))
    first = rows.take(heads)
    keys, boxes = parse_keys(first, names), parse_boxes(first)
    n_outside = int((((boxes < 0) | (boxes > 1)).any(axis=1) * lengths).sum())
    run = np.repeat(np.arange(len(heads)), lengths)
    class_id, scores = check_actions(rows, None), check_scores(rows)
    return _Part(keys[run], join_keys([]), boxes[run], class_id, scores, rows.line, 0, n_outside)


def _exclusions_block(data: bytearray, names: Names) -> Keys:
    block = split_block(data)
    block.refuse_other_columns((2,), "2 are expected (video, time)")
    return join_keys([parse_keys(rows, names) for rows in block.by_columns.values()])


def _join_parts(parts: Sequence[_Part], negatives: Keys, n_blank: int) -> _Part:
    """One part of several with different numbers of columns, its rows in the order of their lines."""
    keys = join_keys([part.keys for part in parts])
    if len(parts) == 1:
        order: NDArray[np.int64] | slice = slice(None)
    else:
        order = np.argsort(np.concatenate([np.zeros(0, np.int64), *(part.line for part in parts)]))
    return _Part(
        keys=keys[order],
        negatives=negatives,
        boxes=np.concatenate([np.zeros((0, 4)), *(part.boxes for part in parts)])[order],
        class_id=np.concatenate([np.zeros(0, np.int32), *(part.class_id for part in parts)])[order],
        last=np.concatenate([np.zeros(0), *(part.last for part in parts)])[order],
        line=np.zeros(0, np.int64),
        n_blank=n_blank,
        n_outside=sum(part.n_outside for part in parts),
    )


def _distinct_keyframes(video: NDArray[np.int32], us: Ints) -> tuple[NDArray[np.int32], Ints]:
    """Keyframes by video name and time, each once."""
    order = np.lexsort((us, video))
    video, us = video[order], us[order]
    first = np.ones(len(order), dtype=bool)
    first[1:] = (video[1:] != video[:-1]) | (us[1:] != us[:-1])
    return video[first], us[first]


def place_of_first(path: Path, rows: Ints) -> str:
    """`file:line` of the first of some rows, counted among the lines with a box; empty where there is none."""
    if not len(rows):
        return ""
    with path.open("rb") as handle:
        boxed = (number for number, text in enumerate(handle, start=1) if text.count(b",") > 1)
        return f"{path}:{next(itertools.islice(boxed, int(rows[0]), None))}"


def _count_unlisted(class_id: NDArray[np.int32], classes: LabelMap | None) -> int:
    return 0 if classes is None else int((~np.isin(class_id, classes.ids)).sum())

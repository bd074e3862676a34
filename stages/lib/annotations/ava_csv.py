"""Ground truth, detections and exclusions in the official csv forms, parsed strictly and fast.

Ground truth: 8 columns (AVA: the last is a person id), 7 (AVA-Kinetics) or 2 (a keyframe with nobody labelled), also
mixed. Detections: 8 columns, the last is the score. Exclusions: 2 columns. No header; timestamps are seconds of the
original video, as integers (`0902`) or with decimals (`902.000000`); both are the same keyframe.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import DTypeLike, NDArray

from stages.lib.annotations.blocks import Part, detections_block, exclusions_block, truth_block
from stages.lib.annotations.columns import Keys
from stages.lib.annotations.growing import Column
from stages.lib.annotations.labelmap import LabelMap
from stages.lib.annotations.lines import parse_file, split_block
from stages.lib.annotations.names import Names
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
class _Table:
    """All rows of a file, and its distinct keyframes by video and time; numbers of videos are places in `videos`."""

    videos: tuple[str, ...]
    keyframes: Keys
    keys: Keys
    boxes: Floats
    class_id: NDArray[np.int32]
    last: NDArray[np.int32] | Floats
    counts: Counter[str]
    far: int | None
    inverted: int | None


def read_truth(
    path: Path, classes: LabelMap | None = None, *, outside: Literal["clip", "keep"] = "clip"
) -> tuple[Truth, ReadCounts]:
    """Reads a ground-truth csv; boxes up to 1 % outside the frame are clipped and counted, others refused.

    With `outside="keep"` all boxes are kept as read, as official evaluators take them, and the strange ones counted.
    Rows whose action the list tolerates without evaluating it stay in the table and are counted as unlisted.
    Raises StageError with file and line for anything that breaks the format, and for a file without rows.
    """
    table = _read(path, lambda data: truth_block(data, classes, outside), np.int32)
    counts = table.counts
    if not counts["rows"] + counts["negatives"]:
        raise StageError(
            "the ground truth has no rows", str(path), "give a csv with 8, 7 or 2 columns per row"
        )
    truth = Truth(
        videos=table.videos,
        key_video=table.keyframes.video,
        key_us=table.keyframes.us,
        video=table.keys.video,
        timestamp_us=table.keys.us,
        boxes=table.boxes,
        class_id=table.class_id,
        person_id=table.last.astype(np.int32, copy=False),
    )
    repeated = repeated_rows(truth)
    return truth, replace(
        _counted(counts),
        duplicates=len(repeated),
        clipped=counts["outside"] if outside == "clip" else 0,
        first_far=_place(path, table.far),
        first_inverted=_place(path, table.inverted),
        first_duplicate=place_of_first(path, repeated),
    )


def read_detections(path: Path, classes: LabelMap | None = None) -> tuple[DetectionsTable, ReadCounts]:
    """Reads a detections csv as it stands: boxes are neither clipped nor dropped, only counted; an empty file is empty.

    Raises StageError with file and line for a broken row, and for a score that is no number within [0, 1].
    """
    table = _read(path, lambda data: detections_block(data, classes), np.float64)
    found = DetectionsTable(
        videos=table.videos,
        video=table.keys.video,
        timestamp_us=table.keys.us,
        boxes=table.boxes,
        class_id=table.class_id,
        score=table.last.astype(np.float64, copy=False),
    )
    return found, _counted(table.counts)


def read_exclusions(path: Path) -> set[tuple[str, int]]:
    """Reads excluded keyframes as (video, microseconds); StageError with file and line for a broken row."""
    found: set[tuple[str, int]] = set()
    for spellings, keys in parse_file(path, exclusions_block):
        video = spellings.astype("U")[keys.video]
        found.update(zip(video.tolist(), keys.us.tolist(), strict=True))
    return found


def place_of_first(path: Path, rows: Ints) -> str:
    """`file:line` of the first of some rows, counted among the lines with a box; empty where there is none."""
    return _place(path, int(rows[0]) if len(rows) else None)


def _place(path: Path, row: int | None) -> str:
    if row is None:
        return ""
    n_lines = 0
    for block in parse_file(path, split_block):
        boxed = [rows.line for columns, rows in block.by_columns.items() if columns > 2]
        lines = np.sort(np.concatenate([np.zeros(0, np.int64), *boxed]))
        if row < len(lines):
            return f"{path}:{n_lines + int(lines[row]) + 1}"
        row, n_lines = row - len(lines), n_lines + block.n_lines
    return ""


def _counted(counts: Counter[str]) -> ReadCounts:
    return ReadCounts(
        rows=counts["rows"],
        negatives=counts["negatives"],
        blank_lines=counts["blank_lines"],
        outside=counts["outside"],
        inverted=counts["inverted"],
        unlisted=counts["unlisted"],
        far=counts["far"],
    )


def _read(path: Path, parse: Callable[[bytearray], Part], last: DTypeLike) -> _Table:
    """All blocks of a file, one after the other; its columns grow, so that no part is held twice."""
    names, counts = Names(), Counter[str]()
    video, us, boxes = Column(np.int32), Column(np.int64), Column(np.float64, 4)
    class_id, final = Column(np.int32), Column(last)
    key_video, key_us = Column(np.int32), Column(np.int64)
    far, inverted = None, None
    for part in parse_file(path, parse):
        base = names.add(part.names)
        video.extend(part.keys.video + np.int32(base))
        key_video.extend(part.keyframes.video + np.int32(base))
        columns = (us, key_us, boxes, class_id, final)
        values = (part.keys.us, part.keyframes.us, part.boxes, part.class_id, part.last)
        for column, rows in zip(columns, values, strict=True):
            column.extend(rows)
        if far is None and len(part.far):
            far = counts["rows"] + int(part.far[0])
        if inverted is None and len(part.inverted):
            inverted = counts["rows"] + int(part.inverted[0])
        counts.update(part.counts)
    videos, rank = names.ranked()
    keyframes = _distinct(Keys(rank[key_video.rows()], key_us.rows()))
    keys = Keys(rank[video.rows()], us.rows())
    return _Table(videos, keyframes, keys, boxes.rows(), class_id.rows(), final.rows(), counts, far, inverted)


def _distinct(keys: Keys) -> Keys:
    """Keyframes by video name and time, each once."""
    keys = keys[np.lexsort((keys.us, keys.video))]
    first = np.ones(len(keys.us), dtype=bool)
    first[1:] = (np.diff(keys.video) != 0) | (np.diff(keys.us) != 0)
    return keys[np.flatnonzero(first)]

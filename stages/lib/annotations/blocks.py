"""What one block of a csv file holds: rows of ground truth, of detections, or excluded keyframes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stages.lib.annotations.columns import (
    Keys,
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
from stages.lib.annotations.lines import split_block
from stages.lib.annotations.names import Names, Spellings

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Part:
    """What one block gave: N rows with their boxes (N, 4), xyxy; `last` are persons (-1: none) or scores.

    `keyframes` are those of the rows and of two-column rows, each once for every run of lines; the numbers of videos are
    places in `names`. `far` and `inverted` are the rows whose boxes leave the frame by more than 1 %, or have no area.
    `counts` are what `ReadCounts` adds up.
    """

    names: Spellings
    keys: Keys
    keyframes: Keys
    boxes: Floats
    class_id: NDArray[np.int32]
    last: NDArray[np.int32] | Floats
    far: Ints
    inverted: Ints
    counts: Mapping[str, int]


@dataclass(frozen=True)
class _Boxed:
    """Rows of one number of columns, not yet in the order of their lines."""

    keys: Keys
    runs: Keys
    boxes: Floats
    class_id: NDArray[np.int32]
    last: NDArray[np.int32] | Floats
    line: Ints


def truth_block(data: bytearray, classes: LabelMap | None, outside: str) -> Part:
    """Rows of 8, 7 and 2 columns; boxes outside the frame are refused or clipped, or all kept (`outside` is clip or keep)."""
    block, names = split_block(data), Names()
    block.refuse_other_columns(
        (2, 7, 8), "8 (AVA), 7 (AVA-Kinetics) or 2 (keyframe without labels) are expected"
    )
    boxed = [rows for columns, rows in block.by_columns.items() if columns > 2]
    empty = [rows for columns, rows in block.by_columns.items() if columns == 2]
    parsed, n_outside = [], 0
    for rows in boxed:
        keys, runs = parse_keys(rows, names)
        boxes = parse_boxes(rows)
        n_outside += check_boxes(rows, boxes) if outside == "clip" else count_outside(boxes)
        class_id = check_actions(rows, classes)
        persons = check_persons(rows) if len(rows.start) == 8 else np.full(len(class_id), -1, np.int32)
        parsed.append(_Boxed(keys, runs, boxes, class_id, persons, rows.line))
    negatives = [parse_keys(rows, names)[1] for rows in empty]
    table = _in_order(parsed)
    if outside == "clip" and n_outside:
        np.clip(table.boxes, 0.0, 1.0, out=table.boxes)
    return _part(
        table,
        names,
        classes,
        far=np.flatnonzero(leave_frame(table.boxes)) if n_outside else np.zeros(0, np.int64),
        negatives=negatives,
        counts={
            "negatives": sum(len(rows.line) for rows in empty),
            "blank_lines": block.n_blank,
            "outside": n_outside,
        },
    )


def detections_block(data: bytearray, classes: LabelMap | None) -> Part:
    """Rows of 8 columns, boxes as they stand. A box is listed once per class: what repeats up to it is read once."""
    block, names = split_block(data), Names()
    block.refuse_other_columns((8,), "8 are expected (video, time, x1, y1, x2, y2, action, score)")
    parsed, n_outside = [], 0
    for rows in block.by_columns.values():
        heads = run_heads(rows, 5)
        lengths = np.diff(np.append(heads, len(rows.line)))
        first = rows.take(heads)
        (keys, runs), boxes = parse_keys(first, names), parse_boxes(first)
        if count_outside(boxes):
            n_outside += int((((boxes < 0.0) | (boxes > 1.0)).any(axis=1) * lengths).sum())
        run = np.repeat(np.arange(len(heads)), lengths)
        class_id, scores = check_actions(rows, None), check_scores(rows)
        parsed.append(_Boxed(keys[run], runs, boxes[run], class_id, scores, rows.line))
    counts = {"blank_lines": block.n_blank, "outside": n_outside}
    return _part(_in_order(parsed), names, classes, far=np.zeros(0, np.int64), negatives=[], counts=counts)


def exclusions_block(data: bytearray) -> tuple[Spellings, Keys]:
    """Rows of 2 columns: names, and keyframes whose videos are places in them."""
    block, names = split_block(data), Names()
    block.refuse_other_columns((2,), "2 are expected (video, time)")
    keys = join_keys([parse_keys(rows, names)[1] for rows in block.by_columns.values()])
    return names.joined(), keys


def _in_order(parsed: Sequence[_Boxed]) -> _Boxed:
    """One table of those with different numbers of columns, its rows in the order of their lines."""
    if len(parsed) == 1:
        return parsed[0]
    line = np.concatenate([np.zeros(0, np.int64), *(table.line for table in parsed)])
    order = np.argsort(line)
    return _Boxed(
        keys=join_keys([table.keys for table in parsed])[order],
        runs=join_keys([table.runs for table in parsed]),
        boxes=np.concatenate([np.zeros((0, 4)), *(table.boxes for table in parsed)])[order],
        class_id=np.concatenate([np.zeros(0, np.int32), *(table.class_id for table in parsed)])[order],
        last=np.concatenate([np.zeros(0, np.int32), *(table.last for table in parsed)])[order],
        line=line[order],
    )


def _part(
    table: _Boxed,
    names: Names,
    classes: LabelMap | None,
    *,
    far: Ints,
    negatives: Sequence[Keys],
    counts: Mapping[str, int],
) -> Part:
    inverted = np.flatnonzero(without_area(table.boxes))
    unlisted = 0 if classes is None else int((~np.isin(table.class_id, classes.ids)).sum())
    more = {"rows": len(table.line), "far": len(far), "inverted": len(inverted), "unlisted": unlisted}
    return Part(
        names=names.joined(),
        keys=table.keys,
        keyframes=join_keys([table.runs, *negatives]),
        boxes=table.boxes,
        class_id=table.class_id,
        last=table.last,
        far=far,
        inverted=inverted,
        counts={**counts, **more},
    )

"""The columns of the official csv forms: keyframes, boxes, actions, persons and scores, with their checks."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stages.lib.annotations.decimals import parse_decimals
from stages.lib.annotations.labelmap import LabelMap
from stages.lib.annotations.lines import LineError, Rows
from stages.lib.annotations.names import Names, distinct_names, take_fields
from stages.lib.metrics.tables import to_microseconds

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

LONGEST_ID = 64
VIDEO_ID = re.compile(rf"[A-Za-z0-9_-]{{1,{LONGEST_ID}}}")
_OF_ID = np.array([VIDEO_ID.fullmatch(chr(code)) is not None for code in range(256)])
TOLERANCE = 0.01  # boxes may stick out of the frame by this part of its size
_LONGEST = 20  # words of eight characters in which the starts of rows are compared
_PLAIN = "write plain decimal numbers"
LATEST = 1e7  # seconds; a later keyframe is a mistake (milliseconds, frame numbers)


@dataclass(frozen=True)
class Keys:
    """Keyframes: the number of the video's name (N,), microseconds in the original video (N,)."""

    video: NDArray[np.int32]
    us: NDArray[np.int64]

    def __getitem__(self, rows: NDArray[np.int64] | slice) -> Keys:
        return Keys(self.video[rows], self.us[rows])


def join_keys(parts: Sequence[Keys]) -> Keys:
    """The keys of several tables of one block, one after the other."""
    video, us = [part.video for part in parts], [part.us for part in parts]
    return Keys(np.concatenate([np.zeros(0, np.int32), *video]), np.concatenate([np.zeros(0, np.int64), *us]))


def parse_keys(rows: Rows, names: Names) -> tuple[Keys, Keys]:
    """Video and time of each row, and of the runs of rows with the same two fields, which are read once."""
    heads = run_heads(rows, 1)
    lengths = np.diff(np.append(heads, len(rows.line)))
    first = Rows(rows.text, rows.start[:2, heads], rows.end[:2, heads], rows.line[heads])
    runs = Keys(_parse_names(first, names), parse_times(first))
    return Keys(np.repeat(runs.video, lengths), np.repeat(runs.us, lengths)), runs


def parse_times(rows: Rows) -> NDArray[np.int64]:
    """Column 2, seconds, as microseconds (N,); refuses what is no time."""
    seconds, no_number = parse_decimals(rows.text, rows.start[1], rows.end[1])
    bad = no_number | ~((seconds >= 0) & (seconds <= LATEST))
    if bad.any():
        row = int(np.argmax(bad))
        what = f'the timestamp "{rows.field(1, row)}" is no time in seconds'
        raise LineError(rows.line[row], what, _PLAIN, "remove the header line" if no_number[row] else "")
    return to_microseconds(seconds)


def _parse_names(rows: Rows, names: Names) -> NDArray[np.int32]:
    """The number of each row's video among `names`, which take in those of these rows."""
    heads = run_heads(rows, 0)
    start, end = rows.start[0, heads], rows.end[0, heads]
    length = end - start
    bad = (length < 1) | (length > LONGEST_ID)
    if not bad.any():
        spelled = take_fields(rows.text, start, end)
        of_id = _OF_ID[spelled.view(np.uint8).reshape(len(spelled), -1)]
        bad = of_id.sum(axis=1) != length
    if bad.any():
        row = int(heads[np.argmax(bad)])
        raise LineError(
            rows.line[row],
            f"the video id {rows.field(0, row)[:80]!r} is not made of 1 to {LONGEST_ID} letters, digits, _ and -",
            "rename the video; remove quotes, spaces and headers",
        )
    distinct, place = distinct_names(spelled)
    lengths = np.diff(np.append(heads, len(rows.line)))
    return np.repeat(place + np.int32(names.add(distinct)), lengths)


def parse_boxes(rows: Rows) -> Floats:
    """Columns 3-6 as boxes (N, 4), xyxy."""
    boxes = np.empty((rows.start.shape[1], 4))
    for side, name in enumerate(("x1", "y1", "x2", "y2")):
        boxes[:, side] = _numbers(rows, 2 + side, name)
    return boxes


def check_boxes(rows: Rows, boxes: Floats) -> int:
    """Refuses boxes without area inside the frame or that stick out by more than 1 %; number of those that stick out by less."""
    n_outside = count_outside(boxes)
    if n_outside:
        refuse_first(
            rows,
            leave_frame(boxes),
            "the box leaves the frame",
            "give boxes as x1, y1, x2, y2 divided by width and height",
        )
    refuse_first(
        rows,
        without_area(np.clip(boxes, 0.0, 1.0) if n_outside else boxes),
        "the box is inverted, or empty inside the frame",
        "give the upper left corner first: x1 < x2 and y1 < y2",
    )
    return n_outside


def count_outside(boxes: Floats) -> int:
    """Number of boxes (N, 4) that stick out of the frame."""
    if boxes.min(initial=0.0) >= 0.0 and boxes.max(initial=1.0) <= 1.0:
        return 0
    return int(((boxes < 0.0) | (boxes > 1.0)).any(axis=1).sum())


def leave_frame(boxes: Floats) -> Bools:
    """Which boxes (N, 4) stick out of the frame by more than 1 % of its size."""
    far: Bools = np.any((boxes < -TOLERANCE) | (boxes > 1.0 + TOLERANCE), axis=1)
    return far


def without_area(boxes: NDArray[np.floating]) -> Bools:
    """Which boxes (N, 4) are empty or inverted."""
    found: Bools = (boxes[:, 0] >= boxes[:, 2]) | (boxes[:, 1] >= boxes[:, 3])
    return found


def check_actions(rows: Rows, classes: LabelMap | None) -> NDArray[np.int32]:
    """Column 7 as class ids; refuses fractions, ids below 1 and, given a list, ids that it does not know."""
    values = _numbers(rows, 6, "action id")
    strange = (values != np.floor(values)) | (values < 1) | (values > 1_000_000)
    if classes is not None:
        known = sorted({*classes.ids, *classes.tolerated_ids})
        strange |= ~np.isin(values, known)
    if strange.any():
        row = int(np.argmax(strange))
        fix = (
            "use whole ids from 1 on"
            if classes is None
            else "use ids of the label map, or give the matching list"
        )
        raise LineError(rows.line[row], f'unknown action id "{rows.field(6, row)}"', fix)
    return values.astype(np.int32)


def check_persons(rows: Rows) -> NDArray[np.int32]:
    """Column 8 as person ids; refuses anything that is no whole number."""
    values = _numbers(rows, 7, "person id")
    fractional = (values != np.floor(values)) | (np.abs(values) > 2_000_000_000)
    refuse_first(
        rows, fractional, "the person id is no whole number", "give column 8 as an integer", column=7
    )
    return values.astype(np.int32)


def check_scores(rows: Rows) -> Floats:
    """Column 8 as scores; refuses anything that is no number within [0, 1]."""
    values = _numbers(rows, 7, "score")
    beyond = (values < 0.0) | (values > 1.0)
    refuse_first(rows, beyond, "the score lies outside of [0, 1]", "give probabilities, not logits", column=7)
    return values


def refuse_first(rows: Rows, wrong: Bools, what: str, fix: str, *, column: int | None = None) -> None:
    """Raises a LineError for the first wrong row, quoting the field, or the box where no column is named."""
    if wrong.any():
        row = int(np.argmax(wrong))
        shown = range(2, 6) if column is None else [column]
        raise LineError(rows.line[row], f"{what}: {', '.join(rows.field(c, row) for c in shown)}", fix)


def _numbers(rows: Rows, column: int, name: str) -> Floats:
    values, bad = parse_decimals(rows.text, rows.start[column], rows.end[column])
    if bad.any():
        row = int(np.argmax(bad))
        shown = rows.field(column, row)
        raise LineError(rows.line[row], f'{name} "{shown}" is not a finite number', _PLAIN)
    return values


def run_heads(rows: Rows, last: int) -> NDArray[np.int64]:
    """Rows whose text from the first column to column `last` (from 0) differs from that of the row before.

    A row may be a head without need (where a text is shorter than a word, or longer than 160 characters).
    """
    start, end = rows.start[0], rows.end[last]
    length = end - start
    changed = length > 8 * _LONGEST
    changed[:1] = True
    changed[1:] |= length[1:] != length[:-1]
    for number in range(min(_LONGEST, -(-int(length.max(initial=0)) // 8))):
        word = rows.text.words[np.minimum(start + 8 * number, end - 8)]
        changed[1:] |= word[1:] != word[:-1]
    return np.flatnonzero(changed)

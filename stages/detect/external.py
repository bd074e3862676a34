"""Person boxes from a csv in PySlowFast's form: `video,second,x1,y1,x2,y2,action,score`, the action empty or unused.

Shapes: N boxes, K keyframes.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from stages.detect.core import KeyframeBoxes, join
from stages.detect.names import Spellings
from stages.lib.errors import StageError
from stages.lib.metrics.tables import to_milliseconds

COLUMNS = 8
MARGIN = 0.01
"""How far outside [0, 1] a coordinate may lie and still be clipped."""
FORM = "each line is video,second,x1,y1,x2,y2,,score with coordinates in [0, 1]"


@dataclass(frozen=True)
class ExternalBoxes:
    """A csv's boxes in file order: ids of their videos, their lines, times (N,) int64 ms, boxes (N, 4) xyxy in [0, 1],
    scores (N,), and whether a box was clipped (N,).
    """

    videos: tuple[str, ...]
    lines: np.ndarray
    times: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray
    clipped: np.ndarray

    def of(self, videos: Collection[str]) -> ExternalBoxes:
        """The boxes of some videos."""
        rows = [row for row, video in enumerate(self.videos) if video in videos]
        arrays = (self.lines, self.times, self.boxes, self.scores, self.clipped)
        return ExternalBoxes(tuple(self.videos[row] for row in rows), *(array[rows] for array in arrays))


@dataclass(frozen=True)
class PlacedBoxes:
    """Boxes on K keyframes, best first, and the lines of the rows that lie on no keyframe."""

    boxes: KeyframeBoxes
    unused: tuple[int, ...]


def parse_boxes(lines: Iterable[str], name: str, videos: Spellings) -> ExternalBoxes:
    """Read a csv called `name`; `videos` gives the videos that each name in its first column may mean.

    StageError names file and line for a wrong column count, a non-number, a video that is unknown or ambiguous, an
    inverted box, a score outside [0, 1], or a coordinate more than 1 % outside [0, 1]; up to 1 % is clipped and counted.
    """
    ids: list[str] = []
    numbers: list[int] = []
    seconds: list[float] = []
    rows: list[tuple[list[float], float, bool]] = []
    for number, cells in _rows(lines, name):
        where = f"{name}, line {number}"
        if len(cells) != COLUMNS:
            raise StageError(f"has {len(cells)} columns instead of {COLUMNS}", where, FORM)
        ids.append(_video(cells[0].strip(), videos, where))
        seconds.append(_number(cells[1], "second", where))
        box, was_outside = _box(cells[2:6], where)
        _action(cells[6], where)
        rows.append((box, _score(cells[7], where), was_outside))
        numbers.append(number)
    return ExternalBoxes(
        videos=tuple(ids),
        lines=np.array(numbers, dtype=np.int64),
        times=to_milliseconds(seconds),
        boxes=np.array([box for box, _, _ in rows], dtype=np.float32).reshape(-1, 4),
        scores=np.array([score for _, score, _ in rows], dtype=np.float32),
        clipped=np.array([was_outside for _, _, was_outside in rows], dtype=bool),
    )


def place_boxes(external: ExternalBoxes, keyframes: Sequence[tuple[str, int]]) -> PlacedBoxes:
    """Boxes on keyframes (video id, time in ms), a repeated box once, with its best score."""
    rows: dict[tuple[str, int], list[int]] = {key: [] for key in keyframes}
    unused: list[int] = []
    for row, key in enumerate(zip(external.videos, external.times.tolist(), strict=True)):
        if key in rows:
            rows[key].append(row)
        else:
            unused.append(int(external.lines[row]))
    chosen = [_distinct(external, rows[key]) for key in keyframes]
    placed = join([external.boxes[index] for index in chosen], [external.scores[index] for index in chosen])
    return PlacedBoxes(placed, tuple(unused))


def _rows(lines: Iterable[str], name: str) -> Iterator[tuple[int, list[str]]]:
    """The rows of a csv with their line numbers, without blank lines."""
    reader = csv.reader(lines)
    try:
        for cells in reader:
            if len(cells) > 1 or "".join(cells).strip():
                yield reader.line_num, cells
    except csv.Error as error:
        raise StageError(f"is no csv ({error})", f"{name}, line {reader.line_num}", FORM) from None


def _distinct(external: ExternalBoxes, rows: list[int]) -> np.ndarray:
    """Rows by falling score, without those that repeat the box of an earlier one."""
    index = np.array(rows, dtype=np.int64)
    index = index[np.argsort(-external.scores[index], kind="stable")]
    _, first = np.unique(external.boxes[index], axis=0, return_index=True)
    return index[np.sort(first)]


def _video(text: str, videos: Spellings, where: str) -> str:
    meant = videos.get(text, {})
    if not meant:
        some = ", ".join(sorted(videos)[:5])
        raise StageError(
            f"unknown video {text!r}",
            where,
            f"use the videos of the data set ({some}, ...), or drop the line",
        )
    if len(meant) > 1:
        paths = ", ".join(sorted(meant.values()))
        raise StageError(
            f"the video {text!r} may be any of {paths}", where, "write the path as it stands here"
        )
    return next(iter(meant))


def _number(text: str, what: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise StageError(f"{what} is {text!r}, not a number", where, FORM)
    return value


def _box(cells: Sequence[str], where: str) -> tuple[list[float], bool]:
    """Four coordinates, clipped to [0, 1], and whether clipping changed one."""
    values = [_number(cell, what, where) for cell, what in zip(cells, ("x1", "y1", "x2", "y2"), strict=True)]
    for value, what in zip(values, ("x1", "y1", "x2", "y2"), strict=True):
        if not -MARGIN <= value <= 1.0 + MARGIN:
            raise StageError(
                f"{what} is {value:g}, outside the frame by more than 1 %",
                where,
                "divide pixels by the frame size",
            )
    box = [min(max(value, 0.0), 1.0) for value in values]
    if box[0] >= box[2] or box[1] >= box[3]:
        raise StageError(f"the box {', '.join(f'{v:g}' for v in values)} is inverted or empty", where, FORM)
    return box, box != values


def _action(text: str, where: str) -> None:
    if text.strip() and not text.strip().lstrip("-").isdigit():
        raise StageError(f"the action column holds {text!r}; it is to be empty or an id", where, FORM)


def _score(text: str, where: str) -> float:
    value = _number(text, "score", where)
    if not 0.0 <= value <= 1.0:
        raise StageError(f"score is {value:g}, outside [0, 1]", where, FORM)
    return value

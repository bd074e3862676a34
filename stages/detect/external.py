"""Person boxes from a csv in PySlowFast's form: `video,second,x1,y1,x2,y2,action,score`, the action empty or unused.

Shapes: N boxes, K keyframes.
"""

from __future__ import annotations

import csv
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from stages.detect.core import KeyframeBoxes, join
from stages.lib.errors import StageError

COLUMNS = 8
MARGIN = 0.01
"""How far outside [0, 1] a coordinate may lie and still be clipped."""
FORM = "each line is video,second,x1,y1,x2,y2,,score with coordinates in [0, 1]"


@dataclass(frozen=True)
class ExternalBoxes:
    """A csv's boxes in file order: videos and lines by N, times (N,) int64 ms, boxes (N, 4) xyxy in [0, 1], scores (N,)."""

    videos: tuple[str, ...]
    times: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray
    clipped: int


@dataclass(frozen=True)
class PlacedBoxes:
    """Boxes on K keyframes, best first, and how many rows lie on no keyframe."""

    boxes: KeyframeBoxes
    unused: int


def parse_boxes(lines: Iterable[str], name: str, videos: Mapping[str, str]) -> ExternalBoxes:
    """Read a csv called `name`; `videos` gives the id of each name in its first column.

    StageError names file and line for a wrong column count, a non-number, an unknown video, an inverted box, a score
    outside [0, 1], or a coordinate more than 1 % outside [0, 1]; up to 1 % is clipped and counted.
    """
    ids: list[str] = []
    times: list[int] = []
    rows: list[tuple[list[float], float]] = []
    clipped = 0
    reader = csv.reader(lines)
    for cells in reader:
        where = f"{name}, line {reader.line_num}"
        if not cells:
            continue
        if len(cells) != COLUMNS:
            raise StageError(f"has {len(cells)} columns instead of {COLUMNS}", where, FORM)
        ids.append(_video(cells[0].strip(), videos, where))
        times.append(round(1000 * _number(cells[1], "second", where)))
        box, was_outside = _box(cells[2:6], where)
        _action(cells[6], where)
        rows.append((box, _score(cells[7], where)))
        clipped += was_outside
    boxes_N4 = np.array([box for box, _ in rows], dtype=np.float32).reshape(-1, 4)
    scores_N = np.array([score for _, score in rows], dtype=np.float32)
    return ExternalBoxes(tuple(ids), np.array(times, dtype=np.int64), boxes_N4, scores_N, clipped)


def place_boxes(
    external: ExternalBoxes, keyframes: Sequence[tuple[str, int]], min_score: float = 0.0
) -> PlacedBoxes:
    """Boxes with score >= `min_score` on keyframes (video id, time in ms), a repeated box once, with its best score."""
    known = set(keyframes)
    rows: dict[tuple[str, int], list[int]] = defaultdict(list)
    unused = 0
    for row, key in enumerate(zip(external.videos, external.times.tolist(), strict=True)):
        unused += key not in known
        if key in known and external.scores[row] >= min_score:
            rows[key].append(row)
    chosen = [_distinct(external, rows.get(key, [])) for key in keyframes]
    placed = join([external.boxes[index] for index in chosen], [external.scores[index] for index in chosen])
    return PlacedBoxes(placed, unused)


def _distinct(external: ExternalBoxes, rows: list[int]) -> np.ndarray:
    """Rows by falling score, without those that repeat the box of an earlier one."""
    index = np.array(rows, dtype=np.int64)
    index = index[np.argsort(-external.scores[index], kind="stable")]
    _, first = np.unique(external.boxes[index], axis=0, return_index=True)
    return index[np.sort(first)]


def _video(text: str, videos: Mapping[str, str], where: str) -> str:
    if text not in videos:
        some = ", ".join(sorted(videos)[:5])
        raise StageError(
            f"unknown video {text!r}",
            where,
            f"use the videos of the data set ({some}, ...), or drop the line",
        )
    return videos[text]


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

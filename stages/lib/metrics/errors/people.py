"""Boxes of keyframes, each once: the people of a truth, whatever the number of their labels.

Legend: N rows, P rows of the truth, B boxes or people, K keyframes, C classes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stages.lib.metrics.keyframes import Keyframes
from stages.lib.metrics.matching import best_truths
from stages.lib.metrics.tables import Truth

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class People:
    """People of the truth: boxes (B, 4), their keyframes, and the listed classes (B, C) that the truth gives them.

    Rows of one keyframe with equal boxes are one person. `of_row` (P,) is the person of each row of the truth, -1 on
    excluded keyframes; a person all of whose classes are unlisted is a person, too. `row` is each one's first row.
    """

    boxes: Floats
    keyframe: Ints
    labels: Bools
    of_row: Ints
    row: Ints


def people_of_truth(truth: Truth, keyframes: Keyframes, class_of_row: NDArray[np.int16], n: int) -> People:
    """The people on the keyframes that are not excluded; `class_of_row` is the index of the class among n, or -1."""
    rows = np.flatnonzero(~keyframes.excluded[keyframes.truth])
    first, place = distinct_boxes(keyframes.truth[rows], truth.boxes[rows])
    of_row = np.full(len(truth.video), -1, dtype=np.int64)
    of_row[rows] = place
    labels = np.zeros((len(first), n), dtype=bool)
    listed = rows[class_of_row[rows] >= 0]
    labels[of_row[listed], class_of_row[listed]] = True
    return People(truth.boxes[rows[first]], keyframes.truth[rows[first]], labels, of_row, rows[first])


def distinct_boxes(keyframe_N: Ints, boxes_N4: NDArray[np.floating]) -> tuple[Ints, Ints]:
    """First row of each distinct box of a keyframe (B,), ascending, and the place of every row's box among them (N,)."""
    heads = np.flatnonzero(_changes(keyframe_N, boxes_N4))  # tables mostly list a box's classes side by side
    order = heads[np.lexsort((*boxes_N4[heads].T, keyframe_N[heads]))]
    new = _changes(keyframe_N[order], boxes_N4[order])
    first = order[new]  # the sort is stable: the smallest row of its group
    rank = np.argsort(first)
    place = np.empty(len(first), dtype=np.int64)
    place[rank] = np.arange(len(first))
    of_row = np.empty(len(keyframe_N), dtype=np.int64)
    of_row[order] = place[np.cumsum(new) - 1]
    return first[rank], np.repeat(of_row[heads], np.diff(np.append(heads, len(keyframe_N))))


def _changes(keyframe_N: Ints, boxes_N4: NDArray[np.floating]) -> Bools:
    """Whether each row has another keyframe or box than the row before; true for the first."""
    new = np.ones(len(keyframe_N), dtype=bool)
    new[1:] = (keyframe_N[1:] != keyframe_N[:-1]) | (boxes_N4[1:] != boxes_N4[:-1]).any(axis=1)
    return new


def nearest(
    group_N: Ints, boxes_N4: NDArray[np.floating], other_group_B: Ints, others_B4: Floats, n_groups: int
) -> tuple[Ints, Floats]:
    """For each box the other box of its group with the highest IoU (the first of equals), -1 where none overlaps; its IoU."""
    place, value = np.full(len(group_N), -1, dtype=np.int64), np.zeros(len(group_N))
    with np.errstate(invalid="ignore"):  # boxes without area
        found, best, overlap = best_truths(group_N, boxes_N4, other_group_B, others_B4, n_groups)
    touching = overlap > 0
    place[found[touching]], value[found[touching]] = best[touching], overlap[touching]
    return place, value

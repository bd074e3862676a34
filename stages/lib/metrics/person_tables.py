"""Persons out of tables with a row per (box, class): every box once, scored by its best class.

Legend: N rows, K keyframes, B boxes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stages.lib.geometry.boxes import have_area
from stages.lib.metrics.keyframes import number_keyframes
from stages.lib.metrics.person_ap import PersonCurve, person_curve
from stages.lib.metrics.tables import DetectionsTable, Truth

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def persons_of_actions(truth: Truth, detections: DetectionsTable, iou: float = 0.5) -> PersonCurve:
    """The curve of person boxes (classes ignored) on the keyframes of the truth; boxes xyxy in [0, 1].

    Rows of one keyframe with equal boxes are one person; boxes without area are left out.
    """
    keyframes = number_keyframes(truth, detections, (), whole_seconds=False, truth_only=True)
    n_keyframes = len(keyframes.video_of)
    boxes = np.asarray(detections.boxes, dtype=np.float64)
    rows = np.flatnonzero(have_area(boxes) & (keyframes.detection >= 0))
    found = _distinct(keyframes.detection[rows], boxes[rows], detections.score[rows], n_keyframes)
    true = _distinct(keyframes.truth, truth.boxes, np.ones(len(truth.boxes)), n_keyframes)
    return person_curve(found[0], found[1], found[2], true[0], true[2], iou)


def _distinct(
    keyframe_N: Ints, boxes_N4: Floats, score_N: Floats, n_keyframes: int
) -> tuple[Floats, Floats, Ints]:
    """Distinct boxes (B, 4) of each keyframe, their best scores (B,) and row splits (K + 1,)."""
    order = np.lexsort((*boxes_N4.T, keyframe_N))
    keyframe, boxes = keyframe_N[order], boxes_N4[order]
    first = np.ones(len(order), dtype=bool)
    first[1:] = (keyframe[1:] != keyframe[:-1]) | (boxes[1:] != boxes[:-1]).any(axis=1)
    starts = np.flatnonzero(first)
    best = np.maximum.reduceat(score_N[order], starts) if len(starts) else np.zeros(0)
    return boxes[starts], best, np.searchsorted(keyframe[starts], np.arange(n_keyframes + 1))

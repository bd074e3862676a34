"""Matches detections to truths, per class and keyframe, for all keyframes at once.

A detection looks only at the truth of its class and keyframe with the highest IoU (the first listed of equals), so a
truth goes to the first detection, in claiming order, that looks at it with enough IoU. No loop over keyframes is needed.
Legend: N detections, P truths, G groups (a keyframe and a class), K keyframes, C classes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]


def best_truths(
    group_N: Ints, boxes_N4: NDArray[np.floating], truth_group_P: Ints, truth_boxes_P4: Floats, n_groups: int
) -> tuple[Ints, Ints, Floats]:
    """Detections that have a truth in their group, the truth of highest IoU for each, and that IoU."""
    order = np.argsort(truth_group_P, kind="stable")
    count_G = np.bincount(truth_group_P, minlength=n_groups)
    start_G = np.cumsum(count_G) - count_G
    detection = np.flatnonzero(count_G[group_N] > 0)
    group = group_N[detection]
    start, count = start_G[group], count_G[group]
    truths = truth_boxes_P4[order]
    best_iou = np.full(len(detection), -1.0)
    best = np.zeros(len(detection), dtype=np.int64)
    active = np.arange(len(detection))
    boxes = np.asarray(boxes_N4[detection], dtype=np.float64)
    for place in range(int(count.max(initial=0))):
        active = active[count[active] > place]
        candidate = start[active] + place
        iou = iou_of_pairs(boxes[active], truths[candidate])
        better = iou > best_iou[active]
        best_iou[active[better]] = iou[better]
        best[active[better]] = candidate[better]
    return detection, order[best], best_iou


def iou_of_pairs(a_N4: Floats, b_N4: Floats) -> Floats:
    """IoU (N,) of boxes (N, 4) taken pairwise, with the arithmetic and its order as in the official evaluator."""
    width = np.maximum(np.minimum(a_N4[:, 2], b_N4[:, 2]) - np.maximum(a_N4[:, 0], b_N4[:, 0]), 0.0)
    height = np.maximum(np.minimum(a_N4[:, 3], b_N4[:, 3]) - np.maximum(a_N4[:, 1], b_N4[:, 1]), 0.0)
    common = height * width
    area_a = (a_N4[:, 3] - a_N4[:, 1]) * (a_N4[:, 2] - a_N4[:, 0])
    area_b = (b_N4[:, 3] - b_N4[:, 1]) * (b_N4[:, 2] - b_N4[:, 0])
    with np.errstate(invalid="ignore"):  # 0 / 0 where an inverted box outweighs the other; NaN is no best IoU
        return common / (area_a + area_b - common)


def first_claims(truth_N: Ints, score_N: Floats | None) -> Ints:
    """Of the detections claiming each truth the one that gets it: the best scored, or the first listed without scores."""
    rows = np.arange(len(truth_N))
    order = np.lexsort((rows, truth_N)) if score_N is None else np.lexsort((rows, -score_N, truth_N))
    claimed = truth_N[order]
    first = np.ones(len(order), dtype=bool)
    first[1:] = claimed[1:] != claimed[:-1]
    return order[first]

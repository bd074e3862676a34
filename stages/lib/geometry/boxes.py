"""Boxes: overlap, matching, clipping, mirroring and validity. Boxes are (N, 4), xyxy, in [0, 1] of the frame.

Legend: N boxes, M other boxes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Boxes = NDArray[np.floating]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]


def as_boxes(values: ArrayLike) -> Boxes:
    """Any list of boxes as (N, 4); no boxes are (0, 4). Floating types are kept, others become float64."""
    boxes = np.asarray(values)
    if not np.issubdtype(boxes.dtype, np.floating):
        boxes = boxes.astype(np.float64)
    return boxes.reshape(-1, 4)


def areas(boxes_N4: ArrayLike) -> Floats:
    """Areas (N,); an inverted box has none."""
    boxes = as_boxes(boxes_N4).astype(np.float64)
    sides = np.maximum(boxes[:, 2:] - boxes[:, :2], 0.0)
    return sides[:, 0] * sides[:, 1]


def iou_matrix(a_N4: ArrayLike, b_M4: ArrayLike) -> Floats:
    """Intersection over union (N, M) in float64; 0 where both boxes are empty."""
    a, b = as_boxes(a_N4).astype(np.float64), as_boxes(b_M4).astype(np.float64)
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    sides = np.maximum(high - low, 0.0)
    common = sides[..., 0] * sides[..., 1]
    union = areas(a)[:, None] + areas(b)[None, :] - common
    return np.divide(common, union, out=np.zeros_like(common), where=union > 0)


def best_match(boxes_N4: ArrayLike, others_M4: ArrayLike) -> tuple[Ints, Floats]:
    """For each box the other box of highest IoU (the first of equals) and that IoU; -1 and 0 where there is none."""
    iou = iou_matrix(boxes_N4, others_M4)
    if iou.shape[1] == 0:
        return np.full(len(iou), -1, dtype=np.int64), np.zeros(len(iou))
    best = iou.argmax(axis=1)
    value = iou[np.arange(len(iou)), best]
    return np.where(value > 0, best, -1), value


def match_one_to_one(boxes_N4: ArrayLike, others_M4: ArrayLike, least_iou: float) -> Ints:
    """Partner of each box (N,), -1 for none: pairs of highest IoU first, each box once, IoU at least `least_iou`."""
    iou = iou_matrix(boxes_N4, others_M4)
    partner = np.full(len(iou), -1, dtype=np.int64)
    taken = np.zeros(iou.shape[1], dtype=bool)
    for flat in np.argsort(-iou, axis=None, kind="stable"):
        row, column = divmod(int(flat), iou.shape[1])
        if iou[row, column] < least_iou or iou[row, column] <= 0:
            break
        if partner[row] < 0 and not taken[column]:
            partner[row], taken[column] = column, True
    return partner


def clip_boxes(boxes_N4: ArrayLike) -> Boxes:
    """Boxes cut at the frame's border."""
    return np.clip(as_boxes(boxes_N4), 0.0, 1.0)


def flip_boxes(boxes_N4: ArrayLike) -> Boxes:
    """Boxes in the mirrored frame: (x1, x2) become (1 - x2, 1 - x1)."""
    boxes = as_boxes(boxes_N4).copy()
    boxes[:, [0, 2]] = 1.0 - boxes[:, [2, 0]]
    return boxes


def valid_boxes(boxes_N4: ArrayLike) -> Bools:
    """Where a box has an area: finite, x1 < x2 and y1 < y2."""
    boxes = as_boxes(boxes_N4)
    finite: Bools = np.all(np.isfinite(boxes), axis=1)
    solid: Bools = (boxes[:, 0] < boxes[:, 2]) & (boxes[:, 1] < boxes[:, 3])
    return np.logical_and(finite, solid)


def inside_frame(boxes_N4: ArrayLike, tolerance: float = 0.0) -> Bools:
    """Where no side of a box sticks out of the frame by more than `tolerance` of its size."""
    boxes = as_boxes(boxes_N4)
    inside: Bools = np.all((boxes >= -tolerance) & (boxes <= 1.0 + tolerance), axis=1)
    return inside

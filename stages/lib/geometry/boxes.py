"""Boxes: overlap, matching and mirroring. Boxes are (N, 4), xyxy, in [0, 1] of the frame.

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


def have_area(boxes_N4: Boxes) -> Bools:
    """Whether each box (N,) is neither inverted nor empty."""
    return (boxes_N4[:, 0] < boxes_N4[:, 2]) & (boxes_N4[:, 1] < boxes_N4[:, 3])


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


def flip_boxes(boxes_N4: ArrayLike) -> Boxes:
    """Boxes in the mirrored frame: (x1, x2) become (1 - x2, 1 - x1)."""
    boxes = as_boxes(boxes_N4).copy()
    boxes[:, [0, 2]] = 1.0 - boxes[:, [2, 0]]
    return boxes

from __future__ import annotations

import numpy as np
import pytest

from stages.lib.geometry.boxes import (
    areas,
    as_boxes,
    best_match,
    flip_boxes,
    iou_matrix,
)

UNIT = [0.0, 0.0, 1.0, 1.0]
LEFT_HALF = [0.0, 0.0, 0.5, 1.0]


def test_overlaps_by_hand() -> None:
    iou = iou_matrix([UNIT, LEFT_HALF, [0.25, 0.0, 0.75, 1.0]], [LEFT_HALF, [0.5, 0.0, 1.0, 1.0]])
    np.testing.assert_allclose(iou, [[0.5, 0.5], [1.0, 0.0], [1 / 3, 1 / 3]])


def test_empty_and_inverted_boxes_overlap_nothing() -> None:
    flat, inverted = [0.5, 0.5, 0.5, 0.5], [0.9, 0.1, 0.1, 0.9]
    np.testing.assert_array_equal(iou_matrix([flat, inverted], [flat, inverted, UNIT]), 0.0)
    assert areas([flat, inverted, LEFT_HALF]).tolist() == [0.0, 0.0, 0.5]


def test_no_boxes_keep_their_shape() -> None:
    none = np.zeros((0, 4), np.float32)
    assert iou_matrix(none, [UNIT]).shape == (0, 1)
    assert iou_matrix([UNIT], none).shape == (1, 0)
    assert flip_boxes([]).shape == (0, 4)
    assert best_match([UNIT], none)[0].tolist() == [-1]


def test_best_match_takes_the_first_of_equals() -> None:
    index, iou = best_match([UNIT, [0.9, 0.9, 1.0, 1.0]], [LEFT_HALF, [0.5, 0.0, 1.0, 1.0], LEFT_HALF])
    assert index.tolist() == [0, 1]
    assert iou[0] == 0.5


def test_flip() -> None:
    np.testing.assert_allclose(flip_boxes([[0.1, 0.2, 0.4, 0.9]]), [[0.6, 0.2, 0.9, 0.9]])
    assert flip_boxes(np.zeros((1, 4), np.float32)).dtype == np.float32
    assert as_boxes([[0, 0, 1, 1]]).dtype == np.float64


def test_the_input_is_left_alone() -> None:
    boxes = np.array([[0.1, 0.2, 0.4, 0.9]])
    flip_boxes(boxes)
    assert boxes.tolist() == [[0.1, 0.2, 0.4, 0.9]]


@pytest.mark.parametrize("seed", range(10))
def test_matrix_equals_counting_grid_cells(seed: int) -> None:
    rng = np.random.default_rng(seed)
    corners = np.sort(rng.integers(0, 20, (6, 2, 2)), axis=1).reshape(6, 4)
    cells = np.zeros((6, 20, 20), bool)
    for k, (x1, y1, x2, y2) in enumerate(corners):
        cells[k, y1:y2, x1:x2] = True
    expected = [[(a & b).sum() / max(1, (a | b).sum()) for b in cells] for a in cells]
    np.testing.assert_allclose(iou_matrix(corners / 20, corners / 20), expected, atol=1e-12)

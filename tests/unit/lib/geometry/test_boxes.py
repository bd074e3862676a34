from __future__ import annotations

import numpy as np
import pytest

from stages.lib.geometry.boxes import (
    areas,
    as_boxes,
    best_match,
    clip_boxes,
    flip_boxes,
    inside_frame,
    iou_matrix,
    match_one_to_one,
    valid_boxes,
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
    assert valid_boxes([flat, inverted, UNIT, [0, 0, np.nan, 1]]).tolist() == [False, False, True, False]


def test_no_boxes_keep_their_shape() -> None:
    none = np.zeros((0, 4), np.float32)
    assert iou_matrix(none, [UNIT]).shape == (0, 1)
    assert iou_matrix([UNIT], none).shape == (1, 0)
    assert flip_boxes([]).shape == clip_boxes([]).shape == (0, 4)
    assert best_match([UNIT], none)[0].tolist() == [-1]
    assert match_one_to_one([UNIT], none, 0.5).tolist() == [-1]
    assert match_one_to_one(none, [UNIT], 0.5).tolist() == []


def test_best_match_takes_the_first_of_equals() -> None:
    index, iou = best_match([UNIT, [0.9, 0.9, 1.0, 1.0]], [LEFT_HALF, [0.5, 0.0, 1.0, 1.0], LEFT_HALF])
    assert index.tolist() == [0, 1]
    assert iou[0] == 0.5


def test_one_to_one_gives_the_best_pairs_first() -> None:
    truth = [[0.0, 0.0, 0.4, 1.0], [0.1, 0.0, 0.5, 1.0]]
    found = [[0.09, 0.0, 0.49, 1.0], [0.1, 0.0, 0.5, 1.0], [0.6, 0.0, 0.9, 1.0]]
    assert match_one_to_one(found, truth, 0.5).tolist() == [0, 1, -1]
    assert match_one_to_one(found, truth, 0.9).tolist() == [-1, 1, -1]


def test_flip_and_clip() -> None:
    np.testing.assert_allclose(flip_boxes([[0.1, 0.2, 0.4, 0.9]]), [[0.6, 0.2, 0.9, 0.9]])
    np.testing.assert_array_equal(clip_boxes([[-0.1, 0.0, 1.2, 0.5]]), [[0.0, 0.0, 1.0, 0.5]])
    assert flip_boxes(np.zeros((1, 4), np.float32)).dtype == np.float32
    assert as_boxes([[0, 0, 1, 1]]).dtype == np.float64


def test_inside_the_frame_with_a_tolerance() -> None:
    boxes = [[0.0, 0.0, 1.0, 1.0], [0.0, -0.009, 1.0, 1.0], [0.0, 0.0, 1.02, 1.0]]
    assert inside_frame(boxes).tolist() == [True, False, False]
    assert inside_frame(boxes, 0.01).tolist() == [True, True, False]


def test_the_input_is_left_alone() -> None:
    boxes = np.array([[0.1, 0.2, 0.4, 0.9]])
    flip_boxes(boxes)
    clip_boxes(boxes)
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

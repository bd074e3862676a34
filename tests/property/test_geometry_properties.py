from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from stages.lib.geometry.boxes import areas, flip_boxes, iou_matrix
from stages.lib.geometry.views import parse_view, resized_size

sixteenths = st.integers(0, 16).map(lambda n: n / 16)
boxes = arrays(np.float64, st.tuples(st.integers(0, 6), st.just(4)), elements=sixteenths)


@given(boxes)
def test_flipping_twice_is_the_identity(some: np.ndarray) -> None:
    np.testing.assert_array_equal(flip_boxes(flip_boxes(some)), some)


@given(boxes, boxes)
def test_overlap_is_symmetric_bounded_and_survives_a_flip(some: np.ndarray, others: np.ndarray) -> None:
    iou = iou_matrix(some, others)
    assert ((iou >= 0) & (iou <= 1)).all()
    np.testing.assert_array_equal(iou, iou_matrix(others, some).T)
    np.testing.assert_array_equal(iou, iou_matrix(flip_boxes(some), flip_boxes(others)))


@given(boxes)
def test_a_box_with_an_area_overlaps_itself_fully(some: np.ndarray) -> None:
    np.testing.assert_array_equal(np.diag(iou_matrix(some, some)), (areas(some) > 0).astype(float))


@given(st.integers(10, 9999), st.booleans())
def test_view_names_round_trip(short_side: int, flip: bool) -> None:
    name = f"s{short_side}{'-flip' if flip else ''}"
    view = parse_view(name)
    assert (view.short_side, view.flip, view.name) == (short_side, flip, name)


@given(st.integers(1, 4000), st.integers(1, 4000), st.integers(16, 512))
def test_resizing_keeps_the_aspect_to_within_a_pixel(height: int, width: int, short_side: int) -> None:
    new_height, new_width = resized_size(height, width, short_side)
    assert min(new_height, new_width) == short_side
    exact = short_side * max(height, width) / min(height, width)
    assert 0 <= exact - max(new_height, new_width) < 1
    assert (new_height <= new_width) == (height <= width) or new_height == new_width

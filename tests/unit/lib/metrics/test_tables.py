from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.lib.metrics.ava import frame_map
from stages.lib.metrics.tables import (
    concat_detections,
    concat_truths,
    detections_from_dense,
    repeated_rows,
    to_microseconds,
    to_milliseconds,
    truth_from_dense,
)
from tests.unit.lib.metrics.tables_for_tests import LEFT, RIGHT, detections_of, truth_of


def test_seconds_become_the_nearest_millisecond() -> None:
    assert to_milliseconds([5.016949, 902, 0.0004, 0.0005, 1798.9999]).tolist() == [
        5017,
        902000,
        0,
        1,
        1799000,
    ]
    exact_halves = [513.0065, 524.0165, 32.0115]  # real times, whose product with 1000 is below the half
    assert to_milliseconds(exact_halves).tolist() == [513007, 524017, 32012]


@settings(max_examples=500, deadline=None)
@given(
    st.floats(0, 1e7)
    | st.integers(0, 10**13).map(lambda us: us / 1e6)
    | st.integers(0, 10**8).map(lambda n: n / 2e6)
)
def test_seconds_become_the_microseconds_that_official_keys_spell(seconds: float) -> None:
    assert to_microseconds([seconds])[0] == int(f"{seconds:.6f}".replace(".", ""))


def test_dense_truth_has_a_row_per_label_and_keeps_empty_keyframes() -> None:
    truth = truth_from_dense(
        ["v", "w"],
        [0, 1, 1],
        [1000, 1000, 2000],
        [LEFT, RIGHT],
        [0, 2, 2, 2],
        [[1, 1], [0, 1]],
        (3, 7),
        person_id=[4, 5],
    )
    assert truth.class_id.tolist() == [3, 7, 7]
    assert truth.person_id.tolist() == [4, 4, 5]
    assert truth.timestamp_ms.tolist() == [1000] * 3
    np.testing.assert_array_equal(truth.boxes, [LEFT, LEFT, RIGHT])
    assert len(truth.key_ms) == 3


def test_dense_detections_run_box_by_box() -> None:
    table = detections_from_dense(
        ["v"],
        [0, 0, 0],
        [1, 2, 3],
        np.array([LEFT, RIGHT], np.float32),
        [0, 1, 1, 2],
        np.array([[0.1, 0.2], [0.3, 0.4]]),
        (3, 7),
    )
    assert table.class_id.tolist() == [3, 7, 3, 7]
    assert table.score.tolist() == [0.1, 0.2, 0.3, 0.4]
    assert table.timestamp_ms.tolist() == [1, 1, 3, 3]


def test_no_boxes_is_a_normal_case() -> None:
    truth = truth_from_dense(["v"], [0], [0], np.zeros((0, 4)), [0, 0], np.zeros((0, 2)), (1, 3))
    table = detections_from_dense(["v"], [0], [0], np.zeros((0, 4)), [0, 0], np.zeros((0, 2)), (1, 3))
    assert frame_map(truth, table, (1, 3)).counts.keyframes == 1


def test_a_pool_is_scored_as_one() -> None:
    truths = [truth_of([("b", 1, LEFT, 1)]), truth_of([("a", 1, LEFT, 1)])]
    found = [detections_of([("b", 1, LEFT, 1, 0.4)]), detections_of([("a", 1, RIGHT, 1, 0.9)])]
    pool = concat_truths(truths)
    assert pool.videos == ("a", "b")
    result = frame_map(pool, concat_detections(found), (1,))
    assert result.ap[0] == pytest.approx(0.25)  # not the mean of 1 and 0


def test_duplicates_are_rows_with_equal_keyframe_box_and_class() -> None:
    row = ("v", 1, LEFT, 1)
    rows = [row, row, ("v", 2, LEFT, 1), ("w", 1, LEFT, 1), ("v", 1, RIGHT, 1), row]
    assert repeated_rows(truth_of(rows)).tolist() == [1, 5]
    assert repeated_rows(detections_of([(*row, 0.1), (*row, 0.2)])).tolist() == [1]
    assert repeated_rows(truth_of([])).tolist() == []


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from("vw"),
            st.integers(1, 2),
            st.sampled_from([LEFT, RIGHT, (-0.0, *LEFT[1:]), (0.0, *LEFT[1:])]),
            st.integers(1, 2),
            st.sampled_from([0.25, 0.5]),
        ),
        max_size=30,
    ),
    st.booleans(),
)
def test_duplicates_are_those_of_a_plain_loop(rows: list[tuple], with_score: bool) -> None:
    seen, repeated = set(), []
    for place, row in enumerate(rows):
        if row[: 5 if with_score else 4] in seen:
            repeated.append(place)
        seen.add(row[: 5 if with_score else 4])
    assert repeated_rows(detections_of(rows), with_score=with_score).tolist() == repeated


def test_splits_must_cover_the_boxes() -> None:
    with pytest.raises(AssertionError, match="row_splits"):
        truth_from_dense(["v"], [0], [0], [LEFT], [0, 2], [[1]], (1,))


def test_detections_of_unequal_scores_are_no_repetitions_where_that_is_asked() -> None:
    row = ("v", 1, LEFT, 1)
    table = detections_of([(*row, 0.1), (*row, 0.2), (*row, 0.2)])
    assert repeated_rows(table).tolist() == [1, 2]
    assert repeated_rows(table, with_score=True).tolist() == [2]
    assert table.take(np.array([0, 2])).score.tolist() == [0.1, 0.2]

"""One case per rule of the metric (spec 9.2), each with the value that dropping the rule would change."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from stages.lib.errors import StageError
from stages.lib.metrics.ava import frame_map
from stages.lib.metrics.dialects import DIALECTS, dialect_named
from stages.lib.metrics.tables import Truth
from tests.unit.lib.metrics.tables_for_tests import LEFT, RIGHT, detections_of, truth_of

ALL = sorted(DIALECTS)
ONE = truth_of([("v", 902, LEFT, 1)])


def ap(
    truth: Truth,
    rows: Sequence[tuple],
    dialect: str = "official",
    class_ids: Sequence[int] = (1,),
    **more: Any,
) -> list[float]:
    return frame_map(truth, detections_of(rows), class_ids, dialect, **more).ap.tolist()


@pytest.mark.parametrize("dialect", ALL)
def test_one_right_detection_is_ap_one(dialect: str) -> None:
    assert ap(ONE, [("v", 902, LEFT, 1, 0.3)], dialect) == [1.0]


@pytest.mark.parametrize("dialect", ALL)
def test_a_class_with_truth_and_without_detection_counts_as_zero(dialect: str) -> None:
    result = frame_map(ONE, detections_of([]), (1,), dialect)
    assert (result.ap.tolist(), result.mean_ap) == ([0.0], 0.0)


def test_integer_and_fractional_spelling_are_one_keyframe() -> None:
    assert ap(ONE, [("v", 902.0000001, LEFT, 1, 0.5)]) == [1.0]


@pytest.mark.parametrize("dialect", ALL)
def test_unlisted_classes_count_on_neither_side(dialect: str) -> None:
    truth = truth_of([("v", 902, LEFT, 1), ("v", 902, LEFT, 2)])
    rows = [("v", 902, LEFT, 2, 0.9), ("v", 902, LEFT, 1, 0.5)]
    result = frame_map(truth, detections_of(rows), (1,), dialect)
    assert (result.ap.tolist(), result.counts.unlisted_class, result.counts.truths) == ([1.0], 1, 1)


@pytest.mark.parametrize("dialect", ["official", "2020"])
def test_the_fifty_first_entry_of_a_keyframe_is_dropped(dialect: str) -> None:
    rows = [("v", 902, RIGHT, 3, 0.9 - place / 1000) for place in range(50)] + [("v", 902, LEFT, 1, 0.1)]
    assert ap(ONE, rows, dialect) != [0.0]  # class 3 is not listed: it takes no place
    assert ap(ONE, rows, dialect, class_ids=(1, 3))[0] == 0.0
    assert ap(ONE, rows[1:], dialect, class_ids=(1, 3))[0] == 1.0


@pytest.mark.parametrize("dialect", ["pyslowfast", "strict"])
def test_there_are_dialects_without_a_cap(dialect: str) -> None:
    rows = [("v", 902, RIGHT, 3, 0.9 - place / 1000) for place in range(80)] + [("v", 902, LEFT, 1, 0.1)]
    assert ap(ONE, rows, dialect, class_ids=(1, 3))[0] == 1.0


def test_a_later_row_of_equal_score_does_not_push_out_an_earlier_one() -> None:
    rows = [("v", 902, LEFT, 1, 0.5)] + [("v", 902, RIGHT, 3, 0.5)] * 50
    assert ap(ONE, rows, class_ids=(1, 3))[0] == 1.0
    assert ap(ONE, rows[1:] + rows[:1], class_ids=(1, 3))[0] == 0.0


def test_the_cap_is_per_keyframe() -> None:
    rows = [("v", 903, RIGHT, 3, 0.9)] * 50 + [("v", 902, LEFT, 1, 0.1)]
    assert ap(truth_of([("v", 902, LEFT, 1), ("v", 903)]), rows, class_ids=(1, 3))[0] == 1.0


def test_degenerate_boxes_take_a_place_under_the_cap() -> None:
    flat = (0.5, 0.5, 0.5, 0.9)
    rows = [("v", 902, flat, 1, 0.9)] * 50 + [("v", 902, LEFT, 1, 0.1)]
    result = frame_map(ONE, detections_of(rows), (1,))
    assert (result.ap.tolist(), result.counts.beyond_cap, result.counts.degenerate) == ([0.0], 1, 50)


@pytest.mark.parametrize("dialect", ALL)
@pytest.mark.parametrize(
    "box", [(0.4, 0.1, 0.1, 0.9), (0.1, 0.9, 0.4, 0.1), (0.4, 0.1, 0.4, 0.9), (0.1, 0.9, 0.4, 0.9)]
)
def test_inverted_and_empty_boxes_are_dropped(dialect: str, box: tuple[float, ...]) -> None:
    assert ap(ONE, [("v", 902, box, 1, 0.9), ("v", 902, LEFT, 1, 0.1)], dialect) == [1.0]


@pytest.mark.parametrize(
    ("dialect", "expected"), [("official", 2 / 3), ("strict", 2 / 3), ("2020", 1.0), ("pyslowfast", 1.0)]
)
def test_exclusions_drop_both_sides_where_the_dialect_has_them(dialect: str, expected: float) -> None:
    truth = truth_of([("v", 902, LEFT, 1), ("v", 903, LEFT, 1)])
    rows = [("v", 903, RIGHT, 1, 0.9), ("v", 903, LEFT, 1, 0.2), ("v", 902, LEFT, 1, 0.5)]
    assert ap(truth, rows, dialect, exclusions={("v", 903_000_000)}) == [pytest.approx(expected)]


@pytest.mark.parametrize(
    ("dialect", "expected"), [("official", 1.0), ("strict", 1.0), ("2020", 0.5), ("pyslowfast", 0.5)]
)
def test_detections_on_keyframes_absent_from_the_truth(dialect: str, expected: float) -> None:
    rows = [("v", 904, LEFT, 1, 0.9), ("v", 902, LEFT, 1, 0.5)]
    assert ap(ONE, rows, dialect) == [expected]
    assert ap(ONE, [("w", 902, LEFT, 1, 0.9), rows[1]], dialect) == [expected]


@pytest.mark.parametrize("dialect", ALL)
def test_two_column_rows_make_detections_false(dialect: str) -> None:
    truth = truth_of([("v", 902, LEFT, 1), ("v", 904)])
    assert ap(truth, [("v", 904, LEFT, 1, 0.9), ("v", 902, LEFT, 1, 0.5)], dialect) == [0.5]


@pytest.mark.parametrize("dialect", ["official", "strict"])
def test_a_keyframe_with_unlisted_classes_alone_is_in_the_truth(dialect: str) -> None:
    truth = truth_of([("v", 902, LEFT, 1), ("v", 904, LEFT, 2)])
    assert ap(truth, [("v", 904, LEFT, 1, 0.9), ("v", 902, LEFT, 1, 0.5)], dialect) == [0.5]


@pytest.mark.parametrize("dialect", ALL)
def test_the_same_person_twice_is_one_hit_and_one_false_detection(dialect: str) -> None:
    truth = truth_of([("v", 902, LEFT, 1), ("v", 902, RIGHT, 1)])
    rows = [("v", 902, LEFT, 1, 0.9), ("v", 902, LEFT, 1, 0.8), ("v", 902, RIGHT, 1, 0.7)]
    assert ap(truth, rows, dialect)[0] == pytest.approx((1 + 2 / 3) / 2)


@pytest.mark.parametrize("dialect", ALL)
def test_a_detection_never_falls_back_to_its_second_best_truth(dialect: str) -> None:
    near, far = (0.0, 0.0, 0.5, 1.0), (0.1, 0.0, 0.6, 1.0)
    truth = truth_of([("v", 902, near, 1), ("v", 902, far, 1)])
    rows = [("v", 902, near, 1, 0.9), ("v", 902, (0.04, 0.0, 0.54, 1.0), 1, 0.8)]
    assert ap(truth, rows, dialect) == [0.5]


def test_of_two_truths_with_equal_iou_the_first_listed_is_taken() -> None:
    near, far, between = (0.0, 0.0, 0.5, 1.0), (0.25, 0.0, 0.75, 1.0), (0.125, 0.0, 0.625, 1.0)
    truth = truth_of([("v", 902, near, 1), ("v", 902, far, 1)])
    assert ap(truth, [("v", 902, between, 1, 0.9), ("v", 902, near, 1, 0.8)]) == [0.5]
    assert ap(truth, [("v", 902, between, 1, 0.9), ("v", 902, far, 1, 0.8)]) == [1.0]


def test_matching_asks_for_the_class_and_the_keyframe() -> None:
    truth = truth_of([("v", 902, LEFT, 1), ("v", 903, RIGHT, 1), ("v", 902, RIGHT, 3)])
    assert ap(truth, [("v", 902, RIGHT, 1, 0.9), ("v", 902, LEFT, 3, 0.9)], class_ids=(1, 3)) == [0.0, 0.0]


def test_iou_of_exactly_the_threshold_is_enough() -> None:
    truth = truth_of([("v", 902, (0.0, 0.0, 1.0, 1.0), 1)])
    assert ap(truth, [("v", 902, (0.0, 0.0, 0.5, 1.0), 1, 0.9)]) == [1.0]
    assert ap(truth, [("v", 902, (0.0, 0.0, 0.499, 1.0), 1, 0.9)]) == [0.0]
    assert ap(truth, [("v", 902, (0.0, 0.0, 0.5, 1.0), 1, 0.9)], iou=0.75) == [0.0]


def test_coordinates_outside_of_the_frame_are_used_as_read() -> None:
    truth = truth_of([("v", 902, (0.5, 0.0, 1.0, 1.0), 1)])
    assert ap(truth, [("v", 902, (0.5, 0.0, 1.6, 1.0), 1, 0.9)]) == [0.0]  # 1.0 if it were clipped


def test_the_better_score_claims_a_truth_first_except_in_pyslowfast() -> None:
    truth = truth_of([("v", 902, LEFT, 1), ("v", 902, RIGHT, 1)])
    rows = [("v", 902, LEFT, 1, 0.4), ("v", 902, LEFT, 1, 0.9), ("v", 902, RIGHT, 1, 0.6)]
    assert ap(truth, rows, "strict")[0] == pytest.approx((1 + 1) / 2)
    assert ap(truth, rows, "pyslowfast")[0] == pytest.approx((2 / 3 + 2 / 3) / 2)


def test_whole_seconds_only_in_the_older_dialects() -> None:
    rows = [("v", 902.4, LEFT, 1, 0.9)]
    assert [ap(ONE, rows, dialect)[0] for dialect in ("official", "strict", "2020", "pyslowfast")] == [
        0,
        0,
        1,
        1,
    ]


def test_precision_is_made_monotone_and_integrated_at_all_points() -> None:
    truth = truth_of([("v", second, LEFT, 1) for second in range(4)])
    hits = [True, False, False, True, True, False]
    rows = [
        ("v", place if hit else 0, LEFT if hit else RIGHT, 1, 0.9 - place / 10)
        for place, hit in zip([0, 9, 9, 1, 2, 9], hits, strict=True)
    ]
    rows = [(*row[:4], 0.9 - place / 10) for place, row in enumerate(rows)]
    assert ap(truth, rows)[0] == pytest.approx((1 + 3 / 5 + 3 / 5) / 4)


def test_recall_is_counted_against_all_truths_and_the_mean_over_classes_with_truth() -> None:
    truth = truth_of([("v", 902, LEFT, 1), ("v", 903, LEFT, 1), ("v", 902, LEFT, 3)])
    rows = [("v", 902, LEFT, 1, 0.9), ("v", 902, LEFT, 3, 0.9), ("v", 902, LEFT, 4, 0.9)]
    result = frame_map(truth, detections_of(rows), (1, 3, 4))
    assert result.ap[:2].tolist() == [0.5, 1.0]
    assert math.isnan(result.ap[2])
    assert result.mean_ap == 0.75
    assert result.truths.tolist() == [2, 1, 0]
    assert math.isnan(frame_map(truth, detections_of(rows), (4,)).mean_ap)


def test_equal_scores_rank_by_video_name_then_time_then_row() -> None:
    truth = truth_of([("a", 2, LEFT, 1), ("b", 1, LEFT, 1), ("b", 1, RIGHT, 3)])
    first, second = ("a", 2, LEFT, 1, 0.5), ("b", 1, RIGHT, 1, 0.5)
    for rows in ([first, second], [second, first]):
        assert ap(truth, rows) == [0.5]  # the hit of video a ranks first: precision 1 at half of the recall
    late, early = ("b", 2, LEFT, 1, 0.5), ("b", 1, LEFT, 1, 0.5)
    truth = truth_of([("b", 1, LEFT, 1), ("b", 2)])
    assert ap(truth, [late, early]) == [1.0]
    assert ap(ONE, [("v", 902, RIGHT, 1, 0.5), ("v", 902, LEFT, 1, 0.5)]) == [0.5]


def test_matches_point_back_to_the_tables() -> None:
    truth = truth_of([("v", 902, RIGHT, 1), ("v", 902, LEFT, 1)])
    rows = [("v", 902, (0, 0, 0.1, 0.1), 1, 0.2), ("v", 902, LEFT, 1, 0.5), ("w", 1, LEFT, 1, 0.9)]
    matches = frame_map(truth, detections_of(rows), (1,), "2020").matches
    assert matches.row.tolist() == [2, 1, 0]
    assert matches.truth_row.tolist() == [-1, 1, -1]
    assert [matches.videos[v] for v in matches.video] == ["w", "v", "v"]


def test_curve_holds_precision_recall_and_score() -> None:
    truth = truth_of([("v", 902, LEFT, 1), ("v", 903, LEFT, 1)])
    rows = [("v", 902, RIGHT, 1, 0.9), ("v", 902, LEFT, 1, 0.5)]
    precision, recall, score = frame_map(truth, detections_of(rows), (1,)).curve(1)
    assert (precision.tolist(), recall.tolist(), score.tolist()) == ([0.0, 0.5], [0.0, 0.5], [0.9, 0.5])


def test_mean_by_kind_takes_any_map() -> None:
    truth = truth_of([("v", 902, LEFT, 1), ("v", 902, LEFT, 3), ("v", 902, LEFT, 80)])
    result = frame_map(truth, detections_of([("v", 902, LEFT, 1, 0.9)]), (1, 3, 5, 80))
    by_kind = result.mean_ap_of({1: "a", 3: "a", 5: "b", 80: "c"})
    assert (by_kind["a"], by_kind["c"]) == (0.5, 0.0)
    assert math.isnan(by_kind["b"])


def test_a_single_switch_of_a_dialect_can_be_turned() -> None:
    rules = replace(DIALECTS["official"], ignore_unlisted_keyframes=False)
    assert ap(ONE, [("v", 904, LEFT, 1, 0.9), ("v", 902, LEFT, 1, 0.5)], rules) == [0.5]
    assert dialect_named("official", 0).cap is None
    assert dialect_named("official", 50) == DIALECTS["official"]
    assert dialect_named("strict", 20).name == "strict with cap 20"
    with pytest.raises(StageError, match="unknown dialect"):
        dialect_named("voc")


def test_empty_truth_and_empty_detections() -> None:
    result = frame_map(truth_of([]), detections_of([]), (1, 3), "2020")
    assert np.isnan(result.ap).all()
    assert result.counts.used == 0

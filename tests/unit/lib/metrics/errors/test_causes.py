"""Closed cases of error causes: what must come out where the errors are made on purpose."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from stages.lib.metrics.errors.causes import CAUSES, Errors, explain
from stages.lib.metrics.errors.repairs import Case, repairs, what_ifs
from tests.unit.lib.metrics.tables_for_tests import LEFT, RIGHT, detections_of, truth_of

IDS = (1, 3, 12, 80)
SECONDS = range(902, 908)
WHERE = (LEFT, RIGHT, (0.42, 0.1, 0.58, 0.9))


def world() -> list[tuple]:
    """Three people over six seconds of two videos, each doing one of the first three classes all the time."""
    return [
        (video, float(second), box, IDS[(number + shift) % 3])
        for shift, video in enumerate(("u", "v"))
        for second in SECONDS
        for number, box in enumerate(WHERE)
    ]


def said(rows: Sequence[tuple], seed: int = 0) -> list[tuple]:
    rng = np.random.default_rng(seed)
    return [(*row, float(score)) for row, score in zip(rows, 0.5 + rng.random(len(rows)) / 2, strict=True)]


def explained(truth: Sequence[tuple], found: Sequence[tuple]) -> tuple[Errors, Case]:
    tables = truth_of(truth), detections_of(found)
    errors = explain(*tables, IDS)
    return errors, Case(*tables, errors)


def numbers(errors: Errors) -> dict[str, int]:
    total = errors.counts().sum(axis=0).tolist()
    return {name: number for name, number in zip(CAUSES, total, strict=True) if number}


def moved(box: Sequence[float], share: float) -> tuple:
    """The box shifted to the right by a share of its width: IoU (1 - share) / (1 + share)."""
    shift = share * (box[2] - box[0])
    return (box[0] + shift, box[1], box[2] + shift, box[3])


def test_a_perfect_prediction_has_no_errors() -> None:
    errors, case = explained(world(), said(world()))
    assert numbers(errors) == {}
    assert errors.result.mean_ap == 1.0
    assert {result.mean_ap for result in repairs(case).values()} == {1.0}
    assert not errors.confusion().any()


def test_shifted_boxes_are_poor_boxes_and_their_people_missed() -> None:
    alone = [row for row in world() if row[2] == LEFT]
    found = [(video, second, moved(box, 0.5), c) for video, second, box, c in alone]
    errors, case = explained(alone, said(found))
    assert numbers(errors) == {"poor box": 12, "missed person": 12}
    mended = repairs(case)
    assert errors.result.mean_ap == 0.0
    assert mended["poor box"].mean_ap == 1.0
    assert mended["wrong class"].mean_ap == 0.0
    assert what_ifs(case)["boxes in place"].mean_ap == 1.0


def test_permuted_labels_are_confusions_with_the_right_class() -> None:
    turned = {1: 3, 3: 12, 12: 1}
    found = [(video, second, box, turned[c]) for video, second, box, c in world()]
    errors, case = explained(world(), said(found))
    assert numbers(errors) == {"wrong class": 36, "missed class": 36}
    table = errors.confusion()
    assert table.sum() == 36
    for true, instead in turned.items():
        assert table[IDS.index(instead), IDS.index(true)] == 12
    assert repairs(case)["wrong class"].mean_ap == 1.0
    assert what_ifs(case)["perfect classification of found boxes"].mean_ap == 1.0


def test_deleted_people_are_missed() -> None:
    found = [row for row in world() if row[2] != RIGHT]
    errors, case = explained(world(), said(found))
    assert numbers(errors) == {"missed person": 12}
    assert repairs(case)["missed person"].mean_ap == 1.0
    assert what_ifs(case)["no missed persons"].mean_ap == 1.0
    assert what_ifs(case)["perfect boxes"].mean_ap == errors.result.mean_ap < 1.0


def test_unsaid_classes_are_missed_classes() -> None:
    both = [*world(), *((video, second, box, 80) for video, second, box, _ in world())]
    errors, case = explained(both, said(world()))
    assert numbers(errors) == {"missed class": 36}
    assert repairs(case)["missed class"].mean_ap == 1.0  # the class is gone with its truths
    assert what_ifs(case)["perfect classification of found boxes"].mean_ap == 1.0


def test_a_class_said_beside_right_ones_is_an_addition() -> None:
    truth = [*world(), ("w", 1.0, LEFT, 80), ("w", 1.0, RIGHT, 1)]
    errors, _ = explained(truth, [*said(world()), ("w", 1.0, RIGHT, 1, 0.9), ("w", 1.0, RIGHT, 80, 0.9)])
    assert numbers(errors) == {"wrong class": 1, "missed person": 1}
    assert errors.confusion()[IDS.index(80)].tolist() == [0, 0, 0, 0, 1]


def test_a_second_box_on_somebody_is_a_duplicate() -> None:
    """The two truths are of one class; the better scored copy takes the place of the one that is not said."""
    truth = [("v", 902.0, LEFT, 1), ("v", 902.0, RIGHT, 1)]
    errors, case = explained(truth, [("v", 902.0, LEFT, 1, 0.9), ("v", 902.0, moved(LEFT, 0.1), 1, 0.8)])
    assert numbers(errors) == {"duplicate": 1, "missed person": 1}
    assert repairs(case)["duplicate"].ap[0] == errors.result.ap[0] == 0.5


@pytest.mark.parametrize(
    ("box", "class_id", "cause"),
    [
        (moved(LEFT, 0.6), 3, "both"),  # IoU 0.25 with somebody who does 1
        (moved(LEFT, 0.6), 1, "poor box"),
        (moved(LEFT, 0.9), 1, "false person"),  # IoU 0.05
        ((0.92, 0.1, 0.99, 0.3), 1, "false person"),
        (moved(LEFT, 0.3), 3, "wrong class"),
    ],
)
def test_where_a_single_false_box_stands(box: tuple, class_id: int, cause: str) -> None:
    truth = [("v", 902.0, LEFT, 1), ("w", 902.0, RIGHT, 3)]
    errors, case = explained(truth, [("v", 902.0, box, class_id, 0.9)])
    assert numbers(errors)[cause] == 1
    assert {name for name in numbers(errors) if not name.startswith("missed")} == {cause}
    others = set(CAUSES[:6]) - {cause}
    assert all(len(repairs(case)[name].matches.row) == 1 for name in others), "others are left alone"


def test_entries_below_the_operating_point_are_no_errors() -> None:
    truth = [("v", 902.0, LEFT, 1)]
    nobody = (0.92, 0.1, 0.99, 0.3)
    errors, case = explained(truth, [("v", 902.0, LEFT, 1, 0.9), ("v", 902.0, nobody, 1, 0.8)])
    assert numbers(errors) == {}
    swapped, _ = explained(truth, [("v", 902.0, LEFT, 1, 0.8), ("v", 902.0, nobody, 1, 0.9)])
    assert numbers(swapped) == {"false person": 1, "missed class": 1}
    assert repairs(case)["false person"].ap[0] == 1.0


def test_deleted_truths_are_found_as_missing() -> None:
    """Somebody is taken out of the truth for four seconds; for two it is too short, and scores below 0.5 say nothing."""
    gone = [row for row in world() if not (row[0] == "u" and row[2] == RIGHT and row[1] < 906)]
    errors, _ = explained(gone, said(world()))
    assert errors.missing.length.tolist() == [4]
    (first,), (last,) = errors.missing.first.tolist(), errors.missing.last.tolist()
    rows = said(world())
    assert (rows[first][:3], rows[last][:3]) == (("u", 902.0, RIGHT), ("u", 905.0, RIGHT))
    assert (errors.missing.of_row >= 0).sum() == 4
    assert numbers(errors)["missing truth"] >= 1
    assert "false person" not in numbers(errors)
    none, _ = explained(world(), said(world()))
    assert not len(none.missing.length)
    short = [row for row in world() if not (row[0] == "u" and row[2] == RIGHT and row[1] < 904)]
    assert not len(explained(short, said(world()))[0].missing.length)
    unsure = [(*row[:4], row[4] * 0.499) for row in said(world())]
    assert not len(explained(gone, unsure)[0].missing.length)


def test_keyframes_that_the_truth_does_not_list_are_searched_as_well() -> None:
    """The slides' frames that were not annotated: detections there do not count, yet they are candidates."""
    listed = [row for row in world() if not (row[0] == "u" and row[1] >= 905)]
    errors, _ = explained(listed, said(world()))
    assert numbers(errors) == {}
    assert errors.missing.length.tolist() == [3, 3, 3]


def test_chains_end_where_boxes_or_seconds_jump() -> None:
    nobody = [("w", float(second), RIGHT, 1) for second in (10, 11, 13, 14)]
    errors, _ = explained(world(), said([*world(), *nobody]))
    assert not len(errors.missing.length), "two and two, with a gap of two seconds"
    boxes = [moved((0.1, 0.1, 0.3, 0.9), 0.6 * step) for step in range(3)]  # IoU 0.25 from second to second
    walking = [("w", float(10 + step), box, 1) for step, box in enumerate(boxes)]
    assert not len(explained(world(), said([*world(), *walking]))[0].missing.length)


def test_perfect_tail_classes() -> None:
    """Four classes with truth: two are head, one middle, one tail; only that one becomes perfect."""
    truth = [*world(), ("u", 902.0, LEFT, 80)]
    errors, case = explained(truth, said([row for row in world() if row[2] == LEFT]))
    better = what_ifs(case)["perfect tail classes"]
    assert better.ap[3] == 1.0 > errors.result.ap[3]
    np.testing.assert_array_equal(better.ap[:3], errors.result.ap[:3])


def test_confident_boxes_of_unlisted_classes_and_without_area_are_no_candidates() -> None:
    where = (0.92, 0.1, 0.99, 0.3)
    for box, class_id in ((where, 7), ((0.99, 0.1, 0.92, 0.3), 1)):
        found = [("u", float(second), box, class_id) for second in SECONDS]
        assert not len(explained(world(), said([*world(), *found]))[0].missing.length)
    found = [("u", float(second), where, 1) for second in SECONDS]
    assert explained(world(), said([*world(), *found]))[0].missing.length.tolist() == [6]


def test_the_cap_holds_before_a_repair_and_not_after() -> None:
    """Fifty entries fill a keyframe; whoever is then given a box is not cut off for being the fifty-first."""
    crowd = [("u", 1.0, (0.5 + k / 200, 0.0, 0.7 + k / 200, 0.05), 3, 1.0) for k in range(60)]
    errors, case = explained([("u", 1.0, LEFT, 1)], crowd)
    assert errors.result.counts.used == 50
    assert what_ifs(case)["no missed persons"].ap[0] == 1.0

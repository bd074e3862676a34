from __future__ import annotations

import pytest

from stages.lib.metrics.person_tables import persons_of_actions
from tests.unit.lib.metrics.tables_for_tests import LEFT, RIGHT, detections_of, truth_of


def test_a_box_counts_once_with_its_best_class_on_keyframes_of_the_truth() -> None:
    truth = truth_of([("v", 902, LEFT, 1), ("v", 902, LEFT, 80), ("v", 902, RIGHT, 3), ("v", 903)])
    found = detections_of(
        [
            ("v", 902, LEFT, 1, 0.1),
            ("v", 902, LEFT, 3, 0.9),
            ("v", 903, LEFT, 3, 0.8),
            ("v", 902, RIGHT, 80, 0.7),
            ("v", 904, RIGHT, 80, 0.99),
            ("v", 902, (0.4, 0.1, 0.1, 0.9), 80, 0.99),
        ]
    )
    curve = persons_of_actions(truth, found)
    assert curve.scores.tolist() == [0.9, 0.8, 0.7]
    assert (curve.hits.tolist(), curve.truths) == ([True, False, True], 2)
    assert curve.all_point == pytest.approx((1 + 2 / 3) / 2)


def test_nothing_found_and_nobody_there() -> None:
    assert persons_of_actions(truth_of([("v", 902, LEFT, 1)]), detections_of([])).all_point == 0.0
    nobody = persons_of_actions(truth_of([("v", 902)]), detections_of([("v", 902, LEFT, 1, 0.5)]))
    assert nobody.all_point != nobody.all_point

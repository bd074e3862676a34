from __future__ import annotations

import numpy as np
import pytest

from stages.lib.metrics.ap import average_precision, precision_recall, weighted_average_precision


@pytest.mark.parametrize(
    ("hits", "n_truths", "expected"),
    [
        ([1], 1, 1.0),
        ([0, 1], 1, 0.5),
        ([1, 0, 1], 2, (1 + 2 / 3) / 2),
        ([0, 1, 1], 2, (2 / 3 + 2 / 3) / 2),
        ([], 3, 0.0),
        ([0, 0], 3, 0.0),
        ([1], 4, 0.25),
    ],
)
def test_closed_forms(hits: list[int], n_truths: int, expected: float) -> None:
    assert average_precision(np.array(hits, bool), n_truths) == pytest.approx(expected)


def test_no_truth_is_nan() -> None:
    assert np.isnan(average_precision(np.array([False]), 0))
    assert np.isnan(weighted_average_precision(np.array([False]), np.ones(1), 0.0))


@pytest.mark.parametrize("seed", range(20))
def test_weights_are_copies_side_by_side(seed: int) -> None:
    rng = np.random.default_rng(seed)
    hits, weights = rng.random(30) < 0.4, rng.integers(0, 4, 30)
    n_truths = int((hits * weights).sum()) + 3
    copied = average_precision(np.repeat(hits, weights), n_truths)
    assert weighted_average_precision(hits, weights.astype(float), float(n_truths)) == pytest.approx(copied)


def test_precision_and_recall_after_each_detection() -> None:
    precision, recall = precision_recall(np.array([True, False, True]), 4)
    assert precision.tolist() == [1.0, 0.5, 2 / 3]
    assert recall.tolist() == [0.25, 0.25, 0.5]

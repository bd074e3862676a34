"""Halves of videos, held-out measurements and members' worth, against sums done by hand."""

from __future__ import annotations

import numpy as np
import pytest

from stages.ensemble.core import mixture
from stages.ensemble.study import FitData, halves_of, without
from stages.lib.config.ensemble import EnsembleConfig
from stages.lib.metrics.ava import frame_map
from stages.lib.metrics.shared_boxes import share_boxes
from stages.lib.metrics.tables import Truth, detections_from_dense
from tests.unit.lib.metrics.tables_for_tests import LEFT, RIGHT, truth_of

CLASSES = (1, 3)
VIDEOS = tuple(f"v{k}" for k in range(6))


def drawn(n_members: int, seed: int = 0) -> tuple[FitData, Truth, tuple[np.ndarray, ...]]:
    rng = np.random.default_rng(seed)
    n = 4 * len(VIDEOS)
    keys = (np.repeat(np.arange(len(VIDEOS)), 4), np.tile(1000 * np.arange(1, 5), len(VIDEOS)))
    boxes = np.tile(np.array([LEFT, RIGHT]), (n, 1))
    splits = 2 * np.arange(n + 1)
    answers = rng.random((2 * n, 2)) < 0.4
    rows = [
        (VIDEOS[keys[0][b // 2]], keys[1][b // 2] / 1000, (LEFT, RIGHT)[b % 2], CLASSES[c])
        for b, c in np.argwhere(answers)
    ]
    truth = truth_of(rows)
    table = detections_from_dense(VIDEOS, *keys, boxes, splits, np.zeros((2 * n, 1)), CLASSES[:1])
    scores = [
        np.clip(0.5 + 0.2 * m * (answers - 0.5) + rng.normal(0, 0.2, answers.shape), 0, 1).astype(np.float32)
        for m in range(n_members)
    ]
    return FitData(share_boxes(truth, table, CLASSES), scores), truth, (*keys, boxes, splits)


HOME = dict.fromkeys(VIDEOS, "movies")


def test_halves_share_out_each_data_set_and_depend_on_ids_alone() -> None:
    home = {**HOME, "v0": "clips", "v1": "clips"}
    halves = halves_of((*VIDEOS, "of another split"), home)
    assert halves is not None
    one, other = halves
    assert (one ^ other)[:6].all() and one.sum() == 3 and one[:2].sum() == 1 and not (one | other)[6]
    turned = halves_of(VIDEOS[::-1], home)
    assert turned is not None and np.array_equal(turned[0][::-1], one[:6])
    assert halves_of(VIDEOS, {"v0": "clips"}) is None


@pytest.mark.parametrize("rule", ["ap", "greedy", "least-squares", "uniform"])
def test_held_out_numbers_are_those_of_fitting_and_measuring_by_hand(rule: str) -> None:
    data, truth, places = drawn(3)
    halves = halves_of(data.boxes.videos, HOME)
    assert halves is not None
    cfg = EnsembleConfig(members=("a", "b", "c"), weights=rule)
    held, worth = data.held_out(cfg, halves)

    def mean_ap(weights: np.ndarray, half: int) -> float:
        scores = mixture(data.scores, weights)
        return float(data.boxes.rank(scores).ap(halves[half]).mean())

    fitted = [data.fit(cfg, half).values for half in halves]
    assert held.in_sample == pytest.approx((mean_ap(fitted[0], 0), mean_ap(fitted[1], 1)))
    assert held.held_out == pytest.approx((mean_ap(fitted[1], 0), mean_ap(fitted[0], 1)))
    assert held.optimism == pytest.approx(np.mean(held.in_sample) - np.mean(held.held_out))
    for m in range(3):
        rest = (mean_ap(without(fitted[1], m), 0), mean_ap(without(fitted[0], m), 1))
        assert worth[m] == pytest.approx(np.mean(held.held_out) - np.mean(rest))
    rows = detections_from_dense(VIDEOS, *places, mixture(data.scores, fitted[0]), CLASSES)
    whole = data.boxes.rank(mixture(data.scores, fitted[0])).ap()
    np.testing.assert_allclose(whole, frame_map(truth, rows, CLASSES).ap)


def test_uniform_weights_have_no_optimism_and_the_best_member_comes_from_the_other_half() -> None:
    data, _, _ = drawn(4, seed=2)
    halves = halves_of(data.boxes.videos, HOME)
    assert halves is not None
    held, _ = data.held_out(EnsembleConfig(members=("a", "b", "c", "d"), weights="uniform"), halves)
    assert held.optimism == 0 and held.uniform == held.held_out
    means = np.array([data.ap(half).mean(axis=1) for half in halves])
    assert held.best_member == (means[0, means[1].argmax()], means[1, means[0].argmax()])


def test_without_a_member_the_others_keep_their_proportions() -> None:
    weights = np.array([[0.5, 1.0], [0.3, 0.0], [0.2, 0.0]])
    np.testing.assert_allclose(without(weights, 0), [[0, 0], [0.6, 0.5], [0.4, 0.5]])


def test_a_single_member_has_no_worth_to_measure() -> None:
    data, _, _ = drawn(1)
    halves = halves_of(data.boxes.videos, HOME)
    assert halves is not None
    assert data.held_out(EnsembleConfig(members=("a",)), halves)[1] == []

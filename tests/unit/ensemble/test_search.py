"""The searches against twins: literal APs and selection, a grid over all mixtures, and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.ensemble.search import class_ap, greedy_weights, least_squares_weights, shortest_mixture

seeds = st.integers(0, 10**6)


def literal_ap(scores: np.ndarray, target: np.ndarray, n_truths: int) -> float:
    """Detection after detection, best first; the area under the curve made monotone from the right."""
    taken: set[int] = set()
    points = []
    for rank, box in enumerate(sorted(range(len(scores)), key=lambda b: -scores[b]), start=1):
        if target[box] >= 0 and target[box] not in taken:
            taken.add(int(target[box]))
            points.append(len(taken) / rank)
    return sum(max(points[k:]) for k in range(len(points))) / n_truths


def case(seed: int, n_members: int, n_boxes: int = 30) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    target = np.where(rng.random(n_boxes) < 0.4, rng.integers(0, 6, n_boxes), -1)
    skill = rng.uniform(0, 1, (n_members, 1))
    scores = np.clip(0.3 + 0.3 * skill * (target >= 0) + rng.normal(0, 0.15, (n_members, n_boxes)), 0, 1)
    return scores + rng.uniform(0, 1e-9, scores.shape), target


@settings(max_examples=300, deadline=None)
@given(seeds)
def test_the_ap_of_a_class_is_the_literal_one(seed: int) -> None:
    scores, target = case(seed, 1)
    assert class_ap(scores[0], target, 8) == pytest.approx(literal_ap(scores[0], target, 8), abs=1e-12)


def test_of_equal_scores_a_false_box_counts_first_and_nothing_found_is_zero() -> None:
    assert class_ap(np.array([0.5, 0.5]), np.array([0, -1]), 1) == 0.5
    assert class_ap(np.array([0.5, 0.4]), np.array([-1, -1]), 1) == 0.0
    assert class_ap(np.zeros(0), np.zeros(0, np.int64), 1) == 0.0


@settings(max_examples=60, deadline=None)
@given(seeds, st.integers(1, 4))
def test_greedy_selection_is_the_literal_one(seed: int, rounds: int) -> None:
    scores, target = case(seed, 3)
    bag: list[int] = []
    best: tuple[float, list[int]] = (-1.0, [])
    for _ in range(rounds):
        values = [literal_ap(sum(scores[k] for k in [*bag, m]), target, 8) for m in range(3)]
        bag = [*bag, max(range(3), key=lambda m: (round(values[m], 12), -m))]
        if max(values) > best[0] + 1e-12:
            best = (max(values), bag)
    weights, ap = greedy_weights(scores, target, 8, rounds)
    assert ap == pytest.approx(best[0], abs=1e-12)
    np.testing.assert_allclose(weights, np.bincount(best[1], minlength=3) / len(best[1]))


@settings(max_examples=60, deadline=None)
@given(seeds)
def test_greedy_weights_are_never_worse_where_they_were_fitted_than_the_best_member(seed: int) -> None:
    scores, target = case(seed, 5)
    _, ap = greedy_weights(scores, target, 8, 10)
    assert ap >= max(class_ap(one, target, 8) for one in scores) - 1e-12


@settings(max_examples=200, deadline=None)
@given(seeds, st.integers(1, 8))
def test_least_squares_meet_the_conditions_of_the_optimum(seed: int, n_members: int) -> None:
    scores, target = case(seed, n_members)
    errors = scores - (target >= 0)
    gram = errors @ errors.T
    weights = least_squares_weights(scores, target >= 0)
    assert (weights >= 0).all() and weights.sum() == pytest.approx(1)
    slope = gram @ weights
    assert (slope >= weights @ slope - 1e-6 * np.trace(gram)).all(), "no other member could lower the error"


@settings(max_examples=30, deadline=None)
@given(seeds)
def test_least_squares_are_no_worse_than_a_grid_over_all_mixtures(seed: int) -> None:
    scores, target = case(seed, 3)

    def error(weights: np.ndarray) -> float:
        return float(((weights @ scores - (target >= 0)) ** 2).sum())

    steps = np.linspace(0, 1, 41)
    grid = [np.array([a, b, 1 - a - b]) for a in steps for b in steps if a + b <= 1 + 1e-12]
    assert error(least_squares_weights(scores, target >= 0)) <= min(map(error, grid)) + 1e-9


@given(seeds)
def test_two_members_have_a_closed_form(seed: int) -> None:
    scores, target = case(seed, 2)
    gap, rest = scores[0] - scores[1], (target >= 0) - scores[1]
    first = np.clip(gap @ rest / (gap @ gap), 0, 1)
    np.testing.assert_allclose(least_squares_weights(scores, target >= 0), [first, 1 - first], atol=1e-6)


def test_equal_members_share_evenly_and_a_singular_matrix_is_no_trouble() -> None:
    scores, target = case(3, 1)
    np.testing.assert_allclose(least_squares_weights(np.repeat(scores, 4, 0), target >= 0), 0.25, atol=1e-6)
    assert shortest_mixture(np.zeros((3, 3))).sum() == 1

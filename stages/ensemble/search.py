"""Weights that are searched for rather than derived from APs, class by class: greedy selection and least squares.

Legend: M members, B boxes, C classes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_RIDGE = 1e-9  # of the mean squared error; among equally good weights the most even ones are taken
_TOLERANCE = 1e-12


def class_ap(scores_B: NDArray[np.floating], target_B: Ints, n_truths: int) -> float:
    """All-point AP of one class without a cap; `target_B` is the truth that a box overlaps, -1 for none.

    A truth goes to its best scored box; of equal scores a false one counts first.
    """
    near = np.flatnonzero(target_B >= 0)
    order = near[np.argsort(-scores_B[near], kind="stable")]
    first = np.unique(target_B[order], return_index=True)[1]
    hit = np.zeros(len(scores_B), dtype=bool)
    hit[order[first]] = True
    hits_T = np.sort(scores_B[hit])[::-1]
    if not len(hits_T):
        return 0.0
    false = scores_B[~hit]
    false = np.sort(false[false >= hits_T[-1]])
    above_T = len(false) - np.searchsorted(false, hits_T, side="left")
    found_T = np.arange(1, len(hits_T) + 1)
    precision_T = np.maximum.accumulate((found_T / (found_T + above_T))[::-1])
    return float(precision_T.sum() / n_truths)


def greedy_weights(
    scores_MB: NDArray[np.floating], target_B: Ints, n_truths: int, rounds: int
) -> tuple[Floats, float]:
    """Weights (M,) of forward selection with replacement, and the class's AP with them.

    Each round adds the member that raises the AP of the mean most, or lowers it least; the best mean of all rounds counts,
    the earliest of equals (Caruana et al., Ensemble Selection from Libraries of Models, ICML 2004, sections 2 and 2.1).
    """
    counts, total = np.zeros(len(scores_MB)), np.zeros(scores_MB.shape[1])
    best, best_ap = counts, -1.0
    for _ in range(rounds):
        aps = [class_ap(total + score_B, target_B, n_truths) for score_B in scores_MB]
        chosen = int(np.argmax(aps))
        counts = counts + (np.arange(len(counts)) == chosen)
        total = total + scores_MB[chosen]
        if aps[chosen] > best_ap:
            best, best_ap = counts, aps[chosen]
    return best / best.sum(), best_ap


def least_squares_weights(scores_MB: ArrayLike, answers_B: ArrayLike) -> Floats:
    """Non-negative weights (M,) with sum 1 of least squared error between the weighted scores and the answers 0 or 1."""
    errors_MB = np.asarray(scores_MB, np.float64) - np.asarray(answers_B, np.float64)
    gram = errors_MB @ errors_MB.T
    return shortest_mixture(gram + _RIDGE * np.trace(gram) / len(gram) * np.eye(len(gram)))


def shortest_mixture(gram_MM: Floats) -> Floats:
    """Weights w (M,) >= 0 with sum 1 that minimise w' G w for a positive semidefinite G.

    The point of least norm in the hull of M points with Gram matrix G (Wolfe, Finding the Nearest Point in a Polytope,
    Mathematical Programming 11, 1976): exact after finitely many changes of the set of weights above zero.
    """
    scale = max(float(np.abs(gram_MM).max()), np.finfo(float).tiny)
    gram = gram_MM / scale
    weights = np.zeros(len(gram))
    weights[int(np.argmin(np.diag(gram)))] = 1.0
    for _ in range(10 * len(gram) ** 2):
        slope = gram @ weights
        entering = int(np.argmin(slope))
        if slope[entering] >= weights @ slope - _TOLERANCE:
            break
        corral = weights > 0
        if corral[entering]:
            break
        corral[entering] = True
        weights = _descend(gram, weights, corral)
    return weights / weights.sum()


def _descend(gram_MM: Floats, weights_M: Floats, corral_M: NDArray[np.bool_]) -> Floats:
    """Walks to the best mixture of the members in the corral, dropping those whose weight reaches zero on the way."""
    weights, corral = weights_M.copy(), corral_M.copy()
    while True:
        goal = _affine_minimum(gram_MM, corral)
        falling = corral & (goal <= _TOLERANCE)
        if not falling.any():
            return goal
        drop = weights[falling] - goal[falling]
        step = float(np.min(np.where(drop > 0, weights[falling] / np.where(drop > 0, drop, 1.0), 0.0)))
        weights = np.where(corral, weights + step * (goal - weights), 0.0)
        gone = falling & (weights <= _TOLERANCE)
        weights[gone] = 0.0
        corral &= ~gone


def _affine_minimum(gram_MM: Floats, corral_M: NDArray[np.bool_]) -> Floats:
    """Weights with sum 1, of any sign, that minimise the quadratic form over the corral; zero outside."""
    inside = np.flatnonzero(corral_M)
    system = np.ones((len(inside) + 1, len(inside) + 1))
    system[1:, 1:] = gram_MM[np.ix_(inside, inside)]
    system[0, 0] = 0.0
    right = np.zeros(len(inside) + 1)
    right[0] = 1.0
    weights = np.zeros(len(gram_MM))
    weights[inside] = np.linalg.lstsq(system, right, rcond=None)[0][1:]
    return weights

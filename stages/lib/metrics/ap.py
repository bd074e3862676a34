"""Average precision of one class and its precision/recall curve.

Legend: M detections in rank order, T of them true positives.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


def average_precision(hits_M: Bools, n_truths: int) -> float:
    """Area under the all-point curve of detections in rank order; NaN without truths, 0 without detections."""
    return ap_of_ranks(np.flatnonzero(hits_M) + 1, n_truths)


def ap_of_ranks(ranks_T: NDArray[np.int64], n_truths: int) -> float:
    """Area under the all-point curve from the hits' ranks (from 1, ascending); NaN without truths, 0 without hits.

    Precision is made monotone from the right (Pascal VOC 2010 on): at the k-th hit it is the best k' / rank' of all
    hits k' >= k, and recall rises by 1 / n_truths there.
    """
    if n_truths == 0:
        return float("nan")
    precision_T = np.arange(1, len(ranks_T) + 1) / ranks_T
    envelope_T = np.maximum.accumulate(precision_T[::-1])
    return float(envelope_T.sum() / n_truths)


def weighted_average_precision(hits_M: Bools, weights_M: Floats, truth_weight: float) -> float:
    """As `average_precision` with each detection standing there `weights_M` times, its copies side by side."""
    if truth_weight == 0:
        return float("nan")
    total_M = np.cumsum(weights_M)
    hit_rows = np.flatnonzero(hits_M & (weights_M > 0))
    gain_T = weights_M[hit_rows]
    precision_T = np.cumsum(gain_T) / total_M[hit_rows]
    envelope_T = np.maximum.accumulate(precision_T[::-1])[::-1]
    return float((envelope_T * gain_T).sum() / truth_weight)


def precision_recall(hits_M: Bools, n_truths: int) -> tuple[Floats, Floats]:
    """Precision and recall (M,) after each detection in rank order; recall is NaN without truths."""
    true_M = np.cumsum(hits_M)
    precision = true_M / np.arange(1, len(hits_M) + 1)
    recall = true_M / n_truths if n_truths else np.full(len(hits_M), np.nan)
    return precision, recall

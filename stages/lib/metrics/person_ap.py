"""Average precision of person boxes: one class, both ways of taking the area, and the curve itself.

Matching is COCO's: in one keyframe the detections choose in order of score, each the free truth it overlaps most.
Legend: K keyframes, N detections, P truths, M detections in rank order over all keyframes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stages.lib.geometry.boxes import iou_matrix
from stages.lib.metrics.ap import average_precision, precision_recall

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

MAX_DETECTIONS = 100
"""Best scored detections that count per keyframe."""


@dataclass(frozen=True)
class PersonCurve:
    """Precision and recall (M,) after each detection, best first, with its score; and the number of truths."""

    scores: Floats
    hits: Bools
    precision: Floats
    recall: Floats
    truths: int

    @property
    def all_point(self) -> float:
        """Area under the monotone curve; NaN without truths."""
        return average_precision(self.hits, self.truths)

    @property
    def coco(self) -> float:
        """Mean of the monotone precision at the recalls 0, 0.01, ..., 1 (COCO); NaN without truths."""
        return interpolated_precision(self.precision, self.recall, self.truths)

    def at(self, threshold: float) -> tuple[float, float]:
        """Precision and recall of the detections with score >= `threshold`; precision is NaN when there are none."""
        count = int(np.searchsorted(-self.scores, -threshold, side="right"))
        hits = int(self.hits[:count].sum())
        return (hits / count if count else float("nan")), (
            hits / self.truths if self.truths else float("nan")
        )


def person_curve(
    boxes_N4: np.ndarray,
    scores_N: np.ndarray,
    splits: np.ndarray,
    truth_P4: np.ndarray,
    truth_splits: np.ndarray,
    iou: float = 0.5,
) -> PersonCurve:
    """The curve of detections against truths, both ragged over the same K keyframes (row splits (K + 1,)).

    A truth is given once (a person with three actions is one box). Detections on a keyframe without truth are false.
    """
    assert len(splits) == len(truth_splits)
    scores, hits = [np.zeros(0)], [np.zeros(0, dtype=bool)]
    for k in range(len(splits) - 1):
        rows = slice(splits[k], splits[k + 1])
        order = np.argsort(-scores_N[rows], kind="stable")[:MAX_DETECTIONS]
        scores.append(np.asarray(scores_N[rows], dtype=np.float64)[order])
        overlap = iou_matrix(boxes_N4[rows][order], truth_P4[truth_splits[k] : truth_splits[k + 1]])
        hits.append(_claims(overlap, iou))
    pooled, hit = np.concatenate(scores), np.concatenate(hits)
    rank = np.argsort(-pooled, kind="stable")
    precision, recall = precision_recall(hit[rank], len(truth_P4))
    return PersonCurve(pooled[rank], hit[rank], precision, recall, len(truth_P4))


def interpolated_precision(precision_M: Floats, recall_M: Floats, truths: int) -> float:
    """Mean over 101 recalls of the best precision at that recall or beyond, 0 where it is never reached."""
    if truths == 0:
        return float("nan")
    envelope_M = np.maximum.accumulate(precision_M[::-1])[::-1]
    place = np.searchsorted(recall_M, np.linspace(0.0, 1.0, 101), side="left")
    return float(np.append(envelope_M, 0.0)[np.minimum(place, len(envelope_M))].mean())


def _claims(overlap_NP: Floats, iou: float) -> Bools:
    """Which detections, best first, get a truth; among equal overlaps the last truth, as in COCO's evaluator."""
    free = overlap_NP.copy()
    hit = np.zeros(len(free), dtype=bool)
    if free.shape[1] == 0:
        return hit
    for row in range(len(free)):
        best = free.shape[1] - 1 - int(np.argmax(free[row, ::-1]))
        if free[row, best] >= iou:
            hit[row] = True
            free[:, best] = -1.0
    return hit

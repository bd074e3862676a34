"""Fuses the predictions of several members on the same boxes: a weighted sum of probabilities per class.

Legend: M members, V views, K keyframes, B boxes, C classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stages.ensemble.weights import Weights, fit_weights
from stages.lib.config.ensemble import EnsembleConfig
from stages.lib.errors import StageError
from stages.lib.metrics.ava import frame_map
from stages.lib.metrics.dialects import Dialect
from stages.lib.metrics.tables import (
    DetectionsTable,
    Truth,
    concat_detections,
    concat_truths,
    detections_from_dense,
)

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class BoxTable:
    """The boxes that a prediction speaks about: keyframes (K,), boxes (B, 4) xyxy in [0, 1], ragged per keyframe."""

    videos: tuple[str, ...]
    key_video: NDArray[np.int32]
    key_ms: NDArray[np.int64]
    boxes: NDArray[np.floating]
    row_splits: NDArray[np.int64]


@dataclass(frozen=True)
class Prediction:
    """One member's probabilities (B, C) on one data set, after its views were averaged."""

    member: str
    dataset: str
    table: BoxTable
    class_ids: tuple[int, ...]
    scores: NDArray[np.floating]

    def detections(self) -> DetectionsTable:
        """The same as a table of detections, one row per box and class."""
        t = self.table
        return detections_from_dense(
            t.videos, t.key_video, t.key_ms, t.boxes, t.row_splits, self.scores, self.class_ids
        )


def member_aps(
    truths: Sequence[Truth],
    predictions: Sequence[Prediction],
    class_ids: tuple[int, ...],
    dialect: str | Dialect,
    iou: float,
) -> Floats:
    """AP (C,) of one member on the pool of its data sets; NaN for classes without truth."""
    pool = concat_detections([prediction.detections() for prediction in predictions])
    return frame_map(concat_truths(list(truths)), pool, class_ids, dialect, iou).ap


def fuse(predictions: Sequence[Prediction], weights: Weights) -> Prediction:
    """Weighted sum of the members' probabilities on one data set, in float64; the members share boxes and classes."""
    check_same_boxes(predictions)
    first = predictions[0]
    total = np.zeros(first.scores.shape, dtype=np.float64)
    for prediction, weight_C in zip(predictions, weights.values, strict=True):
        total += prediction.scores.astype(np.float64) * weight_C
    return Prediction("ensemble", first.dataset, first.table, first.class_ids, total)


def check_same_boxes(predictions: Sequence[Prediction]) -> None:
    """Refuses members that differ from the first in data set, classes, keyframes or boxes, naming member and fault."""
    if not predictions:
        raise StageError("an ensemble without members", "members", "name at least one head")
    first = predictions[0]
    for other in predictions[1:]:
        fault = _difference(first, other)
        if fault:
            raise StageError(
                f"member {other.member} differs from member {first.member}: {fault}",
                f"data set {first.dataset}",
                "predict all members on the boxes of the same detector with the same class list",
            )


def weights_of(ap_MC: ArrayLike, class_ids: tuple[int, ...], cfg: EnsembleConfig) -> Weights:
    """Weights per member and class from the members' APs; see `stages.ensemble.weights`."""
    ap = np.asarray(ap_MC, dtype=np.float64)
    assert len(ap) == len(cfg.members), "one row of APs per member"
    return fit_weights(ap, class_ids, cfg)


def _difference(first: Prediction, other: Prediction) -> str:
    """What makes two predictions incomparable, in words; empty where nothing does."""
    if other.dataset != first.dataset:
        return f"it was made on data set {other.dataset}"
    if other.class_ids != first.class_ids:
        return f"its class list is another one ({len(other.class_ids)} and {len(first.class_ids)} classes)"
    a, b = first.table, other.table
    if len(a.key_ms) != len(b.key_ms) or _keyframes(a) != _keyframes(b):
        return f"its keyframes are others ({len(b.key_ms)} and {len(a.key_ms)}), or in another order"
    if not np.array_equal(a.row_splits, b.row_splits):
        key = int(np.flatnonzero(np.diff(a.row_splits) != np.diff(b.row_splits))[0])
        return f"its number of boxes is another one, first at {_spell(a, key)}"
    unequal = (a.boxes != b.boxes).any(axis=1)
    if unequal.any():
        key = int(np.searchsorted(a.row_splits, int(np.argmax(unequal)), side="right")) - 1
        return f"{int(unequal.sum())} of {len(a.boxes)} boxes are others, first at {_spell(a, key)}"
    return ""


def _keyframes(table: BoxTable) -> list[tuple[str, int]]:
    return [
        (table.videos[v], ms) for v, ms in zip(table.key_video.tolist(), table.key_ms.tolist(), strict=True)
    ]


def _spell(table: BoxTable, key: int) -> str:
    return f"{table.videos[int(table.key_video[key])]} at {int(table.key_ms[key]) / 1000:g} s"

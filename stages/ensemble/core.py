"""Fuses the predictions of several members on the same boxes: a weighted sum of probabilities per class.

Legend: M members, V views, K keyframes, B boxes, C classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stages.ensemble.weights import Weights
from stages.lib.errors import StageError

Floats = NDArray[np.float64]
_ROWS = 512  # boxes that are summed together: a block stays in the processor's cache


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


def mixture(
    scores: Sequence[NDArray[np.floating]], weights_MC: Floats, rows_R: NDArray[np.int64] | None = None
) -> NDArray[np.float32]:
    """Weighted sum (B, C) of the members' probabilities (B, C), or (R, C) of some of their rows.

    It is summed in float64, clipped to [0, 1] and kept in float32.
    """
    n_rows = len(scores[0]) if rows_R is None else len(rows_R)
    out = np.empty((n_rows, scores[0].shape[1]), dtype=np.float32)
    for begin in range(0, n_rows, _ROWS):
        block = slice(begin, begin + _ROWS)
        rows = block if rows_R is None else rows_R[block]
        total = scores[0][rows] * weights_MC[0]
        for one, weight_C in zip(scores[1:], weights_MC[1:], strict=True):
            if weight_C.any():
                total += one[rows] * weight_C
        out[block] = np.clip(total, 0.0, 1.0)
    return out


def fuse(predictions: Sequence[Prediction], weights: Weights) -> Prediction:
    """The members' mixture on one data set; they share its boxes and classes."""
    check_same_boxes(predictions)
    first = predictions[0]
    fused = mixture([prediction.scores for prediction in predictions], weights.values)
    return Prediction("ensemble", first.dataset, first.table, first.class_ids, fused)


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
                "give the files of all shards, predicted on the boxes of the same detector with the same class list",
            )


def _difference(first: Prediction, other: Prediction) -> str:
    """What makes two predictions incomparable, in words; empty where nothing does."""
    if other.dataset != first.dataset:
        return f"it was made on data set {other.dataset}"
    if other.class_ids != first.class_ids:
        return f"its class list is another one ({len(other.class_ids)} and {len(first.class_ids)} classes)"
    a, b = first.table, other.table
    if len(a.key_ms) != len(b.key_ms) or not _same_keyframes(a, b):
        return f"its keyframes are others ({len(b.key_ms)} and {len(a.key_ms)}), or in another order"
    if not np.array_equal(a.row_splits, b.row_splits):
        key = int(np.flatnonzero(np.diff(a.row_splits) != np.diff(b.row_splits))[0])
        return f"its number of boxes is another one, first at {_spell(a, key)}"
    unequal = (a.boxes != b.boxes).any(axis=1)
    if unequal.any():
        key = int(np.searchsorted(a.row_splits, int(np.argmax(unequal)), side="right")) - 1
        return f"{int(unequal.sum())} of {len(a.boxes)} boxes are others, first at {_spell(a, key)}"
    return ""


def _same_keyframes(a: BoxTable, b: BoxTable) -> bool:
    """Whether two tables of one length list the same keyframes, however they number their videos."""
    if not np.array_equal(a.key_ms, b.key_ms):
        return False
    if a.videos == b.videos and np.array_equal(a.key_video, b.key_video):
        return True
    first, second = (np.array(table.videos, dtype=object)[table.key_video] for table in (a, b))
    return bool(np.array_equal(first, second))


def _spell(table: BoxTable, key: int) -> str:
    return f"{table.videos[int(table.key_video[key])]} at {int(table.key_ms[key]) / 1000:g} s"

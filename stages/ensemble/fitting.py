"""Weights of an ensemble, fitted and measured on the detected boxes of all data sets with truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stages.ensemble.core import mixture
from stages.ensemble.members import Members
from stages.ensemble.study import FitData, HeldOut, halves_of
from stages.ensemble.weights import Weights, fit_weights
from stages.lib.artifacts.predictions import DETECTED, FUSED, Predictions
from stages.lib.artifacts.scored import counted_rows, matching_rows, truth_table
from stages.lib.artifacts.tables import Index, ragged_rows
from stages.lib.config.payloads import EnsemblePayload
from stages.lib.metrics.ava import mean_of_defined
from stages.lib.metrics.dialects import dialect_named
from stages.lib.metrics.shared_boxes import Ranking, SharedBoxes, share_boxes
from stages.lib.metrics.tables import (
    DetectionsTable,
    concat_detections,
    concat_truths,
    detections_from_dense,
)


@dataclass(frozen=True)
class Fitted:
    """Weights, the data sets they were fitted on, and what was measured there (nothing without truth)."""

    weights: Weights
    known: tuple[str, ...]
    ap_MC: NDArray[np.float64]
    mean_ap: float = float("nan")
    held: HeldOut | None = None
    worth: Sequence[float] = ()


def fit_members(
    members: Members, indexes: Mapping[str, Index], payload: EnsemblePayload, given: Weights | None = None
) -> Fitted:
    """Fits weights on the detected boxes of all data sets with truth as one pool, and measures them.

    A member's own AP is that on its own boxes. Keyframes of the index without frames stay in the truth, whatever
    evaluate.missing says: as misses of every member alike they shrink all APs of a class by one factor, and no weight
    derived from these changes. Weights that are given are measured only, and on no other halves.
    """
    cfg = payload.ensemble
    class_ids = next(iter(next(iter(members.shared.values())).values())).classes.ids
    first = {name: tables[members.names[0]] for name, tables in members.shared.items()}
    dialect = dialect_named(payload.metric.dialect, payload.metric.cap)
    rows = {name: counted_rows(index, cfg.fit_split, dialect) for name, index in indexes.items()}
    truths = {name: truth_table(index, rows[name]) for name, index in indexes.items() if name in first}
    known = tuple(name for name in first if name in truths and len(truths[name].video))
    if not known:
        unknown = np.full((len(members.names), len(class_ids)), np.nan)
        return Fitted(given or fit_weights(unknown, class_ids, cfg), known, unknown)
    places = {
        name: matching_rows(indexes[name], rows[name], first[name].keyframes, f"{members.names[0]} on {name}")
        for name in known
    }
    truth = concat_truths([truths[name] for name in known])

    def matched(tables: Mapping[str, Mapping[str, Predictions]], member: str) -> SharedBoxes:
        where = [(tables[name][member], places[name], f"{member} on {name}") for name in known]
        placed = concat_detections([_placed(*one) for one in where])
        return share_boxes(truth, placed, class_ids, dialect, payload.metric.iou)

    boxes = matched(members.shared, members.names[0])
    scores = [_fit_scores(members.shared, member, places) for member in members.names]
    alone: list[Ranking] = []
    if any(
        members.own[name][member].boxset(DETECTED, member).boxes
        is not members.shared[name][member].boxset(DETECTED, member).boxes
        for name in known
        for member in members.names
    ):
        alone = [
            matched(members.own, member).rank(_fit_scores(members.own, member, places))
            for member in members.names
        ]
    data = FitData(boxes, scores, alone)
    weights = given or data.fit(cfg)
    ranked = boxes.rank(mixture(data.scores, weights.values))
    seen = {name: np.unique(truths[name].key_video).tolist() for name in known}
    home = {truths[name].videos[v]: name for name in known for v in seen[name]}
    halves = halves_of(boxes.videos, home) if given is None else None
    held, worth = data.held_out(cfg, halves) if halves else (None, [])
    return Fitted(weights, known, data.ap(), mean_of_defined(ranked.ap()), held, worth)


def _placed(table: Predictions, place: NDArray[np.int64], where: str) -> DetectionsTable:
    """The detected boxes of some keyframes, one row each."""
    keyframes, boxes = table.keyframes.take(place), table.boxset(DETECTED, where).boxes.take(place)
    blank = np.zeros((len(boxes), 1))
    return detections_from_dense(
        keyframes.video_ids,
        keyframes.video,
        keyframes.timestamp_ms,
        boxes.boxes,
        boxes.row_splits,
        blank,
        table.classes.ids[:1],
    )


def _fit_scores(
    tables: Mapping[str, Mapping[str, Predictions]], member: str, places: Mapping[str, NDArray[np.int64]]
) -> NDArray[np.float32]:
    parts = []
    for name, place in places.items():
        boxset = tables[name][member].boxsets[DETECTED]
        rows = ragged_rows(boxset.boxes.row_splits, place)
        everything = len(rows) == len(boxset.boxes) and bool((np.diff(rows) == 1).all())
        parts.append(boxset.values[FUSED] if everything else boxset.values[FUSED][rows])
    return parts[0] if len(parts) == 1 else np.concatenate(parts)

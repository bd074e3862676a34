"""Boxes of members that looked at different boxes: clustered by IoU on each keyframe and fused.

Weighted boxes fusion (Solovyev, Wang, Gabruseva, Image and Vision Computing 107, 2021, section 3) with two rules more:
a table gives at most one box to a cluster, so that a member scores a fused box at most once, and what it does not score
counts 0 there (spec 9.4).

Legend: S tables of boxes, F fused boxes, C classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from stages.lib.artifacts.predictions import FUSED, BoxSet
from stages.lib.artifacts.tables import Boxes

Box = tuple[float, float, float, float]
Ints = NDArray[np.int64]
_LEAST = 1e-6  # a box without confidence still has a place


@dataclass
class _Cluster:
    """Boxes that are taken for one person: their rows by table, their fused box, the weight behind it, the best score."""

    box: Box
    weight: float
    score: float
    rows: dict[int, int] = field(default_factory=dict)

    def add(self, table: int, row: int, box: Box, weight: float) -> None:
        whole = self.weight + weight
        mean = [(a * self.weight + b * weight) / whole for a, b in zip(self.box, box, strict=True)]
        self.box = box if box == self.box else (mean[0], mean[1], mean[2], mean[3])
        self.weight, self.rows[table] = whole, row


def share_boxes_of(parts: Sequence[BoxSet], iou: float) -> list[BoxSet]:
    """The members' fused scores (F, C) on common boxes; the very same box sets where all have the same boxes already.

    Members with the same boxes speak as one table with as many votes.
    """
    tables: list[Boxes] = []
    source: list[int] = []
    for part in parts:
        known = [s for s, table in enumerate(tables) if same_boxes(table, part.boxes)]
        source.append(known[0] if known else len(tables))
        if not known:
            tables.append(part.boxes)
    if len(tables) == 1:
        return list(parts)
    boxes, rows_SF = cluster_boxes(tables, np.bincount(source).tolist(), iou)
    return [BoxSet(boxes, {FUSED: _placed(part, rows_SF[s])}) for part, s in zip(parts, source, strict=True)]


def same_boxes(a: Boxes, b: Boxes) -> bool:
    """Whether two tables list the same boxes of the same keyframes in the same order."""
    return np.array_equal(a.row_splits, b.row_splits) and np.array_equal(a.boxes, b.boxes)


def cluster_boxes(tables: Sequence[Boxes], votes: Sequence[int], iou: float) -> tuple[Boxes, list[Ints]]:
    """Fused boxes of all tables, and for each table the row (F,) of its box in each of them, -1 where it has none.

    Boxes of a keyframe come by falling score, then as the tables are listed. Each joins the cluster whose fused box it
    overlaps most, by `iou` or more, among those without a box of its table, or opens one. A fused box is the mean of its
    boxes weighted by score times votes, its score the best of theirs.
    """
    fused: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = []
    rows: list[list[int]] = [[] for _ in tables]
    for keyframe in range(len(tables[0].row_splits) - 1):
        clusters = _cluster(tables, votes, keyframe, iou)
        fused.append((np.array([one.box for one in clusters]), np.array([one.score for one in clusters])))
        for table, listed in enumerate(rows):
            listed.extend(one.rows.get(table, -1) for one in clusters)
    return Boxes.stack(fused), [np.array(listed, np.int64) for listed in rows]


def _cluster(tables: Sequence[Boxes], votes: Sequence[int], keyframe: int, iou: float) -> list[_Cluster]:
    found: list[tuple[float, int, int, Box]] = []
    for number, listed in enumerate(tables):
        rows = listed.of(keyframe)
        boxes = zip(listed.scores[rows].tolist(), listed.boxes[rows].tolist(), strict=True)
        found += [(-score, number, rows.start + n, tuple(box)) for n, (score, box) in enumerate(boxes)]
    clusters: list[_Cluster] = []
    for falling, table, row, box in sorted(found):
        weight = votes[table] * max(-falling, _LEAST)
        best, overlap = None, iou
        for one in clusters:
            if table not in one.rows:
                value = _iou(one.box, box)
                if value > overlap or (best is None and value == overlap):
                    best, overlap = one, value
        if best is None:
            clusters.append(_Cluster(box, weight, -falling, {table: row}))
        else:
            best.add(table, row, box, weight)
    return clusters


def _iou(a: Box, b: Box) -> float:
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)


def _placed(part: BoxSet, row_F: Ints) -> NDArray[np.float32]:
    scores = part.values[FUSED]
    out = np.zeros((len(row_F), scores.shape[1]), dtype=np.float32)
    out[row_F >= 0] = scores[row_F[row_F >= 0]]
    return out

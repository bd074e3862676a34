"""Which detections count: listed classes, known keyframes, the cap per keyframe, boxes with an area.

Legend: N detections, C classes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stages.lib.geometry.boxes import have_area
from stages.lib.metrics.dialects import Dialect
from stages.lib.metrics.keyframes import Keyframes
from stages.lib.metrics.tables import DetectionsTable

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

_SLAB = 2048  # keyframes that are capped together


def class_lookup(class_ids: Sequence[int], *columns: NDArray[np.int32]) -> NDArray[np.int16]:
    """Array from class id to index among the listed classes, -1 for the others; wide enough for all columns."""
    assert len(set(class_ids)) == len(class_ids), "class ids are unique"
    largest = max([*class_ids, *(int(column.max()) for column in columns if len(column))], default=0)
    lookup = np.full(largest + 1, -1, dtype=np.int16)
    lookup[list(class_ids)] = np.arange(len(class_ids))
    return lookup


def select_rows(
    detections: DetectionsTable, class_of: NDArray[np.int16], keyframes: Keyframes, rules: Dialect
) -> tuple[Ints, dict[str, int]]:
    """Rows that count, by keyframe and then as listed, and how many were dropped for which reason, in this order."""
    listed = class_of[detections.class_id] >= 0
    known = listed & (keyframes.detection >= 0)
    keep = known
    if keyframes.excluded.any():
        keep = known & ~keyframes.excluded[keyframes.detection]
    rows = np.flatnonzero(keep)
    keyframe = keyframes.detection[rows]
    if (keyframe[1:] < keyframe[:-1]).any():
        order = np.argsort(keyframe, kind="stable")
        rows, keyframe = rows[order], keyframe[order]
    n_eligible = len(rows)
    if rules.cap is not None:
        rows = rows[top_scores(keyframe, detections.score[rows], rules.cap)]
    n_capped = len(rows)
    rows = rows[have_area(detections.boxes)[rows]]
    n_listed, n_known = int(listed.sum()), int(known.sum())
    dropped = {
        "unlisted_class": len(listed) - n_listed,
        "unlisted_keyframe": n_listed - n_known,
        "excluded": n_known - n_eligible,
        "beyond_cap": n_eligible - n_capped,
        "degenerate": n_capped - len(rows),
    }
    return rows, dropped


def top_scores(keyframe_N: Ints, score_N: Floats, cap: int) -> Bools:
    """The `cap` highest scores of each keyframe; of equal scores the first listed. `keyframe_N` must ascend."""
    keep = np.ones(len(keyframe_N), dtype=bool)
    starts = np.flatnonzero(np.diff(keyframe_N, prepend=-1))
    counts = np.diff(np.append(starts, len(keyframe_N)))
    crowded = np.flatnonzero(counts > cap)
    crowded = crowded[np.argsort(counts[crowded], kind="stable")]
    begin = 0
    while begin < len(crowded):  # keyframes of similar size side by side, so that padding stays small
        n_rows = counts[crowded[begin:]]
        end = begin + min(_SLAB, int(np.searchsorted(n_rows, n_rows[0] * 1.25, side="right")))
        chosen = crowded[begin:end]
        _cap_slab(keep, score_N, starts[chosen], counts[chosen], cap)
        begin = end
    return keep


def _cap_slab(keep: Bools, score_N: Floats, starts: Ints, counts: Ints, cap: int) -> None:
    """Clears `keep` beyond the cap for some keyframes, as one padded matrix."""
    columns = np.arange(counts.max())
    inside = columns < counts[:, None]
    rows = np.minimum(starts[:, None] + columns, len(score_N) - 1)
    scores = np.where(inside, score_N[rows], -np.inf)
    least = -np.partition(-scores, cap - 1, axis=1)[:, cap - 1 : cap]
    above = scores > least
    level = scores == least
    room = cap - above.sum(axis=1, keepdims=True)
    kept = above | (level & (np.cumsum(level, axis=1) <= room))
    keep[rows[inside]] = kept[inside]

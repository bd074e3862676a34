"""Somebody whom the truth may lack: confident boxes on nobody, at the same place over neighbouring keyframes.

Keyframes that the truth does not list are searched, too, where the metric ignores their detections: the slides' "frames
that were not annotated". Excluded keyframes are not.
Legend: N detections, B confident boxes on nobody, A candidates.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from stages.lib.geometry.boxes import have_area
from stages.lib.metrics.dialects import Dialect
from stages.lib.metrics.errors.chains import link_boxes
from stages.lib.metrics.errors.people import distinct_boxes, nearest
from stages.lib.metrics.keyframes import keyframes_under
from stages.lib.metrics.selection import class_lookup
from stages.lib.metrics.tables import DetectionsTable, Truth

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

CONFIDENT = 0.5
"""Least score of a box's best class."""
KEYFRAMES = 3
"""Least number of neighbouring keyframes."""


@dataclass(frozen=True)
class Missing:
    """Candidates (A,): first and last row of the detections (the boxes' best class), boxes, and mean of their best scores.

    `of_row` (N,) is the candidate on whose boxes a detection stands, -1 for none. The longest candidates come first, of
    equals those with higher scores.
    """

    first: Ints
    last: Ints
    length: Ints
    score: Floats
    of_row: Ints


def missing_truth(
    truth: Truth,
    detections: DetectionsTable,
    class_ids: Sequence[int],
    rules: Dialect,
    far: float,
    *,
    exclusions: Collection[tuple[str, int]] = (),
) -> Missing:
    """Chains of KEYFRAMES or more boxes whose IoU with everybody in the truth is below `far`."""
    everywhere = replace(rules, ignore_unlisted_keyframes=False)
    keyframes = keyframes_under(everywhere, truth, detections, exclusions)
    n_keyframes = len(keyframes.video_of)
    ms = np.zeros(n_keyframes, dtype=np.int64)
    ms[keyframes.detection], ms[keyframes.truth] = detections.timestamp_ms, truth.timestamp_ms
    listed = class_lookup(class_ids, detections.class_id)[detections.class_id] >= 0
    xyxy = detections.boxes
    allowed = listed & have_area(xyxy) & ~keyframes.excluded[keyframes.detection]
    rows = np.flatnonzero(allowed & (detections.score >= CONFIDENT))
    rows = rows[np.argsort(-detections.score[rows], kind="stable")]  # a box's first row is its best class
    rows = rows[distinct_boxes(keyframes.detection[rows], xyxy[rows])[0]]
    keyframe, boxes = keyframes.detection[rows], np.asarray(xyxy[rows], dtype=np.float64)
    _, overlap = nearest(keyframe, boxes, keyframes.truth, truth.boxes, n_keyframes)
    alone = overlap < far
    rows, keyframe, boxes = rows[alone], keyframe[alone], boxes[alone]
    chains = link_boxes(keyframe, boxes, keyframes.video_of, ms)
    long = np.flatnonzero(chains.length >= KEYFRAMES)
    rows, keyframe, boxes = rows[long], keyframe[long], boxes[long]
    order = np.lexsort((chains.place[long], chains.chain[long]))
    starts = np.flatnonzero(chains.place[long][order] == 0)
    length = chains.length[long][order][starts]
    total = np.add.reduceat(detections.score[rows[order]], starts) if len(starts) else np.zeros(0)
    score = total / length
    ranked = np.lexsort((rows[order][starts], -score, -length))
    number = np.empty(len(starts), dtype=np.int64)
    number[ranked] = np.arange(len(starts))
    candidate = np.empty(len(rows), dtype=np.int64)
    candidate[order] = np.repeat(number, length)
    return Missing(
        first=rows[order][starts][ranked],
        last=rows[order][starts + length - 1][ranked],
        length=length[ranked],
        score=score[ranked],
        of_row=_all_rows(np.flatnonzero(allowed), keyframes.detection, xyxy, rows, candidate),
    )


def _all_rows(
    allowed: Ints, keyframe_N: Ints, boxes_N4: NDArray[np.floating], rows_B: Ints, candidate_B: Ints
) -> Ints:
    """The candidate of every detection that stands on one of its boxes, with whatever class."""
    of_row = np.full(len(keyframe_N), -1, dtype=np.int64)
    near = allowed[np.isin(keyframe_N[allowed], keyframe_N[rows_B])]
    together = np.concatenate([rows_B, near])
    first, place = distinct_boxes(keyframe_N[together], boxes_N4[together])
    wanted = np.full(len(first), -1, dtype=np.int64)
    wanted[place[: len(rows_B)]] = candidate_B
    of_row[near] = wanted[place[len(rows_B) :]]
    return of_row

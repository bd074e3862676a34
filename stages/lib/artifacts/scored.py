"""From index and predictions to the tables of the metric: evaluated keyframes, their truth, their detections.

K keyframes, N boxes, A classes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stages.lib.artifacts.predictions import BoxSet
from stages.lib.artifacts.tables import (
    ROLE_EVAL,
    ROLE_EXCLUDED,
    ROLE_TRAIN,
    Index,
    Keyframes,
    ragged_rows,
)
from stages.lib.errors import StageError
from stages.lib.metrics.dialects import Dialect
from stages.lib.metrics.tables import DetectionsTable, Truth, detections_from_dense, truth_from_dense


def evaluated_rows(index: Index, split: str) -> NDArray[np.int64]:
    """Rows of the keyframes of a split that are evaluated: role eval, not excluded."""
    return np.flatnonzero(
        index.in_splits([split]) & ((index.roles & ROLE_EVAL) > 0) & ((index.roles & ROLE_EXCLUDED) == 0)
    )


def counted_rows(index: Index, split: str, dialect: Dialect) -> NDArray[np.int64]:
    """Those of the evaluated keyframes of a split that a dialect takes for keyframes of the ground truth.

    Where detections on keyframes absent from the truth are ignored, these are the ones that the annotations list, with boxes
    or without (role train); the index of a film has its seconds without any row, too.
    """
    rows = evaluated_rows(index, split)
    return rows[(index.roles[rows] & ROLE_TRAIN) > 0] if dialect.ignore_unlisted_keyframes else rows


def excluded_rows(index: Index, split: str) -> NDArray[np.int64]:
    """Rows of the excluded keyframes of a split."""
    return np.flatnonzero(index.in_splits([split]) & ((index.roles & ROLE_EXCLUDED) > 0))


def truth_table(index: Index, rows: NDArray[np.int64]) -> Truth:
    """The truth of some keyframes; a keyframe without a person is there, too."""
    taken = index.truth().take(rows)
    boxes = ragged_rows(index.truth_splits, rows)
    keyframes = index.keyframes
    return truth_from_dense(
        keyframes.video_ids,
        keyframes.video[rows],
        keyframes.timestamp_ms[rows],
        taken.boxes,
        taken.row_splits,
        index.truth_labels[boxes],
        index.classes.ids,
        person_id=index.truth_person[boxes],
    )


def matching_rows(index: Index, rows: NDArray[np.int64], other: Keyframes, where: str) -> NDArray[np.int64]:
    """Rows of `other` that are the index's keyframes `rows`, in the same order.

    Raises:
        StageError: a keyframe is missing there: a shard was not given, or comes from another run.
    """
    place = {key: row for row, key in enumerate(other.keys())}
    wanted = index.keyframes.take(rows).keys()
    missing = [key for key in wanted if key not in place]
    if missing:
        video, time = missing[0]
        what = (
            f"{len(missing)} of {len(wanted)} keyframes have no prediction, the first is {video} at {time} ms"
        )
        raise StageError(what, where, "give the files of all shards, written by one run")
    return np.array([place[key] for key in wanted], np.int64)


def detections_table(
    keyframes: Keyframes, boxset: BoxSet, probabilities_NA: NDArray[np.float64], class_ids: tuple[int, ...]
) -> DetectionsTable:
    """All boxes of a box set with their probability of each class, one row per box and class."""
    return detections_from_dense(
        keyframes.video_ids,
        keyframes.video,
        keyframes.timestamp_ms,
        boxset.boxes.boxes,
        boxset.boxes.row_splits,
        probabilities_NA,
        class_ids,
    )

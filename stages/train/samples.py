"""Training boxes and validation boxes of many shards: the truth, and confident detections that take its labels by IoU.

Shapes: K keyframes, N boxes over all of them, A classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stages.lib.artifacts.tables import ROLE_EVAL, ROLE_TRAIN, Boxes, Index, splits_of
from stages.lib.errors import StageError
from stages.lib.geometry.boxes import best_match
from stages.train.batches import Mixture

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Shard:
    """One shard's index, its detections, and which of its keyframes have a map (K,)."""

    index: Index
    detections: Boxes
    has_map_K: NDArray[np.bool_]


@dataclass(frozen=True)
class Samples:
    """Keyframes with boxes and labels (N,A), sorted by (video, time) within each shard.

    owner_K: row of the keyframe in the joined map table; video_K: video number over all shards; time_K: milliseconds.
    """

    owner_K: Ints
    video_K: Ints
    time_K: Ints
    row_splits: Ints
    boxes_N4: Floats
    labels_NA: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.owner_K)


@dataclass(frozen=True)
class _Part:
    rows: Ints
    boxes: list[Floats]
    labels: list[NDArray[np.uint8]]


def training_samples(
    shards: Sequence[Shard], splits: Sequence[str], *, box_scores: Sequence[float], box_iou: float
) -> Samples:
    """Keyframes of the train role in `splits`: truth boxes and detections from a shard's score on, unless there are none.

    A detection takes the labels of the truth box it overlaps most if that IoU is at least `box_iou`, else none.

    Raises:
        StageError: no keyframe is left.
    """
    parts = []
    for shard, box_score in zip(shards, box_scores, strict=True):
        rows = _rows(shard, ROLE_TRAIN, splits)
        pairs = [_boxes_of(shard, int(row), box_score, box_iou) for row in rows]
        parts.append(_Part(rows, [p[0] for p in pairs], [p[1] for p in pairs]))
    samples = _join(shards, parts)
    if len(samples) == 0:
        fix = "check splits, annotations and coverage of the videos"
        raise StageError("no keyframe to train on: none has the train role, a map and a box", "--index", fix)
    return samples


def names_of(
    datasets: Sequence[str], shards: Sequence[Shard], *, needed: bool = False
) -> Sequence[str | None]:
    """The data set of each shard, None where nobody says so.

    Raises:
        StageError: not one name per shard.
    """
    if len(datasets) != len(shards) and (datasets or needed):
        raise StageError(
            f"{len(datasets)} names where {len(shards)} belong",
            "--datasets",
            "name the data set of each --index, in the same order",
        )
    return datasets or [None] * len(shards)


def mixture_of(
    samples: Samples, shards: Sequence[Shard], datasets: Sequence[str], ratio: Mapping[str, float]
) -> Mixture | None:
    """How an epoch mixes the data sets of the shards (one name each); None without a ratio.

    Raises:
        StageError: not one name per shard, or a ratio by which no keyframe is left.
    """
    if not ratio:
        return None
    names_of(datasets, shards, needed=True)
    names = sorted(set(datasets))
    ends = np.cumsum([len(shard.index.keyframes) for shard in shards])
    shard_K = np.searchsorted(ends, samples.owner_K, side="right")
    number_S = np.array([names.index(name) for name in datasets], np.int64)
    mixture = Mixture(number_S[shard_K], tuple(ratio.get(name, 1.0) for name in names))
    if len(mixture.rows(0, 0)) == 0:
        raise StageError("no keyframe is left in an epoch", "ratio", "raise the passes over the data sets")
    return mixture


def validation_samples(shards: Sequence[Shard]) -> Samples:
    """Keyframes of the eval role in the split val, with their truth boxes."""
    parts = []
    for shard in shards:
        index = shard.index
        rows = _rows(shard, ROLE_EVAL, ["val"])
        slices = [slice(int(index.truth_splits[row]), int(index.truth_splits[row + 1])) for row in rows]
        parts.append(
            _Part(rows, [index.truth_boxes[s] for s in slices], [index.truth_labels[s] for s in slices])
        )
    return _join(shards, parts)


def _rows(shard: Shard, role: int, splits: Sequence[str]) -> Ints:
    """Rows of the keyframes with a role in some splits that have a map."""
    rows = shard.index.rows_with(role)
    return rows[(shard.index.in_splits(splits) & shard.has_map_K)[rows]]


def _boxes_of(shard: Shard, row: int, box_score: float, box_iou: float) -> tuple[Floats, NDArray[np.uint8]]:
    index, detections = shard.index, shard.detections
    truth = slice(int(index.truth_splits[row]), int(index.truth_splits[row + 1]))
    found = detections.of(row)
    kept = detections.boxes[found][detections.scores[found] >= box_score]
    labels = inherit_labels(kept, index.truth_boxes[truth], index.truth_labels[truth], box_iou)
    return np.concatenate([index.truth_boxes[truth], kept]), np.concatenate(
        [index.truth_labels[truth], labels]
    )


def inherit_labels(
    boxes_N4: Floats, truth_M4: Floats, labels_MA: NDArray[np.uint8], box_iou: float
) -> NDArray[np.uint8]:
    """Labels (N,A) of detected boxes: those of the truth box of highest IoU if it reaches `box_iou`, else none."""
    labels_NA = np.zeros((len(boxes_N4), labels_MA.shape[1]), np.uint8)
    best_N, iou_N = best_match(boxes_N4, truth_M4)
    matched_N = (best_N >= 0) & (iou_N >= box_iou)
    labels_NA[matched_N] = labels_MA[best_N[matched_N]]
    return labels_NA


def _join(shards: Sequence[Shard], parts: Sequence[_Part]) -> Samples:
    first_owner = np.cumsum([0, *(len(shard.index.keyframes) for shard in shards)])
    first_video = np.cumsum([0, *(len(shard.index.keyframes.video_ids) for shard in shards)])
    none = np.zeros(0, np.int64)
    owner, video, time = [none], [none], [none]
    for shard, part, owner0, video0 in zip(shards, parts, first_owner, first_video, strict=False):
        filled = np.array([len(boxes) > 0 for boxes in part.boxes], bool)
        rows = part.rows[filled]
        owner.append(owner0 + rows)
        video.append(video0 + shard.index.keyframes.video[rows].astype(np.int64))
        time.append(shard.index.keyframes.timestamp_ms[rows])
    boxes = [boxes for part in parts for boxes in part.boxes if len(boxes)]
    labels = [labels for part in parts for labels in part.labels if len(labels)]
    classes = len(shards[0].index.classes.ids) if shards else 0
    return Samples(
        np.concatenate(owner),
        np.concatenate(video),
        np.concatenate(time),
        splits_of(np.array([len(b) for b in boxes], np.int64)),
        np.concatenate([np.zeros((0, 4), np.float32), *boxes]),
        np.concatenate([np.zeros((0, classes), np.uint8), *labels]),
    )

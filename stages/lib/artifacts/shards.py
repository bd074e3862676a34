"""The shards of one data set as one table (keyframes, boxes, predictions, index), sorted by (video, time).

K keyframes, N boxes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.lib.artifacts.predictions import BoxSet, Fused, Predictions
from stages.lib.artifacts.tables import Boxes, Index, Keyframes, ragged_rows, splits_of
from stages.lib.errors import StageError


def merge_keyframes(shards: Sequence[Keyframes]) -> tuple[Keyframes, NDArray[np.int64]]:
    """All keyframes of several shards, and the row of each in the concatenation of the shards.

    Two files of one id (clips of one video) stay two; keyframes ascend by id, then time.

    Raises:
        StageError: a keyframe stands in two shards.
    """
    names = [name for shard in shards for name in shard.video_ids]
    ordered = _order_of_videos(names)
    ids = tuple(names[row] for row in ordered)
    place = np.argsort(np.array(ordered, np.int64))
    first = np.cumsum([0, *(len(shard.video_ids) for shard in shards)])
    moved = [place[row + shard.video] for row, shard in zip(first, shards, strict=False)]
    video = _join(moved, np.zeros(0, np.int64))
    times = _join([shard.timestamp_ms for shard in shards], np.zeros(0, np.int64))
    number = {name: rank for rank, name in enumerate(dict.fromkeys(ids))}
    rank = np.array([number[name] for name in ids], np.int64)[video]
    order = np.lexsort((times, rank))
    merged = Keyframes(ids, video[order].astype(np.int32), times[order])
    twice = np.flatnonzero((np.diff(rank[order]) == 0) & (np.diff(merged.timestamp_ms) == 0))
    if len(twice):
        name, time = merged.take(twice[:1]).keys()[0]
        what = f"the keyframe of video {name!r} at {time} ms stands in more than one shard"
        raise StageError(what, "shards", "give each shard once")
    return merged, order


def _order_of_videos(names: Sequence[str]) -> list[int]:
    """Rows of videos by id; files of one id in the order given."""
    return sorted(range(len(names)), key=names.__getitem__)


def concat_boxes(shards: Sequence[Boxes]) -> Boxes:
    """Boxes of several shards, one after the other."""
    counts = _join([np.diff(shard.row_splits) for shard in shards], np.zeros(0, np.int64))
    boxes = _join([shard.boxes for shard in shards], np.zeros((0, 4), np.float32))
    scores = _join([shard.scores for shard in shards], np.zeros(0, np.float32))
    return Boxes(splits_of(counts), boxes, scores)


def merge_predictions(shards: Sequence[Predictions], where: str) -> Predictions:
    """All shards of one data set as one table; members and weights are the first shard's.

    Raises:
        StageError: class maps, box sets or views differ between shards, or a keyframe stands in two of them.
    """
    if not shards:
        raise StageError("no predictions given", where, "give the file of at least one shard")
    first = shards[0]
    for shard in shards[1:]:
        if shard.classes != first.classes:
            raise StageError("shards with different class maps", where, "give shards of one run only")
        if views_of(shard) != views_of(first):
            raise StageError(
                "shards with different box sets or views", where, "re-run predict for all shards"
            )
    keyframes, order = merge_keyframes([shard.keyframes for shard in shards])
    boxsets = {}
    for name, example in first.boxsets.items():
        parts = [shard.boxsets[name] for shard in shards]
        values = {view: np.concatenate([part.values[view] for part in parts]) for view in example.values}
        boxsets[name] = BoxSet(concat_boxes([part.boxes for part in parts]), values).take(order)
    if isinstance(first, Fused):
        return Fused(keyframes, first.classes, boxsets, first.members, first.weights)
    return Predictions(keyframes, first.classes, boxsets)


def merge_index(shards: Sequence[Index], where: str) -> Index:
    """All shards of one data set as one index.

    Raises:
        StageError: class maps differ between shards, or a keyframe stands in two of them.
    """
    if not shards:
        raise StageError("no index given", where, "give the file of at least one shard")
    if any(shard.classes != shards[0].classes for shard in shards):
        raise StageError("shards with different class maps", where, "give shards of one run only")
    keyframes, order = merge_keyframes([shard.keyframes for shard in shards])
    ids = [name for shard in shards for name in shard.keyframes.video_ids]
    videos = _order_of_videos(ids)
    splits, names = [s for shard in shards for s in shard.split], [n for shard in shards for n in shard.name]
    truth = concat_boxes([shard.truth() for shard in shards])
    rows = ragged_rows(truth.row_splits, order)
    taken = truth.take(order)
    return Index(
        keyframes=keyframes,
        split=tuple(splits[v] for v in videos),
        start=np.concatenate([shard.start for shard in shards])[videos],
        name=tuple(names[v] for v in videos),
        roles=np.concatenate([shard.roles for shard in shards])[order],
        truth_splits=taken.row_splits,
        truth_boxes=taken.boxes,
        truth_labels=np.concatenate([shard.truth_labels for shard in shards])[rows],
        truth_person=np.concatenate([shard.truth_person for shard in shards])[rows],
        classes=shards[0].classes,
    )


def take_index(index: Index, rows: NDArray[np.int64]) -> Index:
    """The keyframes at `rows`, ascending, with their truth, and those videos alone that have one of them."""
    videos, video = np.unique(index.keyframes.video[rows], return_inverse=True)
    boxes = ragged_rows(index.truth_splits, rows)
    return replace(
        index,
        keyframes=Keyframes(
            tuple(index.keyframes.video_ids[v] for v in videos),
            video.astype(np.int32),
            index.keyframes.timestamp_ms[rows],
        ),
        split=tuple(index.split[v] for v in videos),
        start=index.start[videos],
        name=tuple(index.name[v] for v in videos),
        roles=index.roles[rows],
        truth_splits=splits_of(np.diff(index.truth_splits)[rows]),
        truth_boxes=index.truth_boxes[boxes],
        truth_labels=index.truth_labels[boxes],
        truth_person=index.truth_person[boxes],
    )


def views_of(predictions: Predictions) -> dict[str, set[str]]:
    """Names of the views of each box set."""
    return {name: set(boxset.values) for name, boxset in predictions.boxsets.items()}


def _join(parts: Sequence[NDArray[Any]], empty: NDArray[Any]) -> NDArray[Any]:
    return np.concatenate([empty, *parts])

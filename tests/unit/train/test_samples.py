"""Training boxes: the truth and confident detections, labels by overlap."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stages.lib.artifacts.tables import Boxes
from stages.lib.errors import StageError
from stages.train.samples import Shard, inherit_labels, training_samples, validation_samples
from tests.integration.learning_world import Video, index_of

TRUTH = np.array([[0.0, 0.0, 0.4, 1.0], [0.5, 0.0, 0.9, 1.0]], np.float32)
LABELS = np.array([[1, 0, 1], [0, 1, 0]], np.uint8)


def test_labels_come_from_the_box_of_highest_overlap() -> None:
    boxes = np.array(
        [[0.0, 0.0, 0.4, 0.91], [0.0, 0.0, 0.4, 0.89], [0.52, 0.0, 0.9, 1.0], [0.2, 0.0, 0.7, 1.0]],
        np.float32,
    )
    found = inherit_labels(boxes, TRUTH, LABELS, 0.9)
    assert found.tolist() == [[1, 0, 1], [0, 0, 0], [0, 1, 0], [0, 0, 0]]
    assert inherit_labels(boxes[:0], TRUTH, LABELS, 0.9).shape == (0, 3)
    assert inherit_labels(boxes, TRUTH[:0], LABELS[:0], 0.9).sum() == 0


def shard_of(videos: list[Video], with_map: bool = True) -> Shard:
    index = index_of(videos)
    found = []
    for row in range(len(index.keyframes)):
        truth = index.truth_boxes[index.truth_splits[row] : index.truth_splits[row + 1]]
        found.append((np.concatenate([truth, [[0.4, 0.0, 0.9, 0.2]]]), [0.95] * len(truth) + [0.7]))
    return Shard(index, Boxes.stack(found), np.full(len(index.keyframes), with_map))


def test_union_of_truth_and_confident_detections() -> None:
    shards = [shard_of([Video("a", seconds=3)]), shard_of([Video("b", seconds=2), Video("v", "val", 3)])]
    truths = [
        len(shard.index.truth_boxes[: shard.index.truth_splits[rows]])
        for shard, rows in zip(shards, (3, 2), strict=True)
    ]
    samples = training_samples(shards, ["train"], box_scores=[0.9, 0.9], box_iou=0.9)
    assert samples.owner_K.tolist() == [0, 1, 2, 3, 4]
    assert samples.video_K.tolist() == [0, 0, 0, 1, 1]
    assert samples.time_K.tolist() == [1000, 2000, 3000, 1000, 2000]
    assert len(samples.boxes_N4) == 2 * sum(truths), "each truth box once more as a detection"
    assert samples.labels_NA.any(axis=1).all()
    low = training_samples(shards, ["train"], box_scores=[0.6, 0.6], box_iou=0.9)
    assert len(low.boxes_N4) == 2 * sum(truths) + 5
    assert int((~low.labels_NA.any(axis=1)).sum()) == 5
    mixed = training_samples(shards, ["train"], box_scores=[0.9, 0.6], box_iou=0.9)
    assert len(mixed.boxes_N4) == 2 * sum(truths) + 2, "the second data set has a score of its own"
    val = validation_samples(shards)
    assert val.owner_K.tolist() == [5, 7], "nobody stands on the second one"
    assert val.video_K.tolist() == [2, 2]


def test_a_training_chooses_its_splits() -> None:
    shards = [shard_of([Video("a", seconds=3), Video("t", "test", 1), Video("v", "val", 1)])]
    splits = [["train"], ["val"], ["train", "val"]]
    found = [training_samples(shards, split, box_scores=[0.9], box_iou=0.9) for split in splits]
    assert [sorted(set(samples.video_K.tolist())) for samples in found] == [[0], [2], [0, 2]]


def test_keyframes_without_frames_are_left_out() -> None:
    """They have no map: of a video cut off in the middle the first keyframes are trained on, of a missing one none."""
    shard = shard_of([Video("cut", seconds=4), Video("gone", seconds=3), Video("whole", seconds=2)])
    usable = np.array([True, True, False, False, False, False, False, True, True])
    samples = training_samples([replace(shard, has_map_K=usable)], ["train"], box_score=0.9, box_iou=0.9)
    assert samples.owner_K.tolist() == [0, 1, 7, 8]
    assert samples.video_K.tolist() == [0, 0, 2, 2]


def test_nothing_is_left() -> None:
    with pytest.raises(StageError, match="no keyframe to train on"):
        training_samples([shard_of([Video("a")], with_map=False)], ["train"], box_scores=[0.9], box_iou=0.9)
    assert len(validation_samples([shard_of([])])) == 0

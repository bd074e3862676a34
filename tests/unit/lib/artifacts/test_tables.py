"""Ragged tables against a literal list-of-lists twin."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.lib.artifacts.predictions import BoxSet, Fused, Predictions
from stages.lib.artifacts.provenance import Provenance
from stages.lib.artifacts.reader import open_artifact
from stages.lib.artifacts.schemas import DETECT, ENSEMBLE, PREDICT
from stages.lib.artifacts.shards import concat_boxes, merge_index, merge_keyframes, merge_predictions
from stages.lib.artifacts.tables import Boxes, Classes, Index, Keyframes, splits_of
from stages.lib.artifacts.writer import write_artifact
from stages.lib.errors import StageError
from tests.integration.small_run import CLASSES, draw_world, write_index, write_predict

Lists = list[list[float]]


def ragged(scores: Lists) -> Boxes:
    """Boxes whose first side carries the score, so that rows can be told apart."""
    return Boxes.stack(
        [(np.array([[s, 0, 1, 1] for s in row]).reshape(-1, 4), np.array(row)) for row in scores]
    )


def lists(boxes: Boxes) -> Lists:
    return [boxes.scores[boxes.of(k)].tolist() for k in range(len(boxes.row_splits) - 1)]


scores = st.lists(st.lists(st.integers(0, 64).map(lambda n: n / 64), max_size=4), max_size=8)


@given(scores)
@settings(max_examples=60, deadline=None)
def test_ragged_round_trip(tmp_path_factory: pytest.TempPathFactory, rows: Lists) -> None:
    path = tmp_path_factory.mktemp("ragged") / "a.h5"
    keyframes = Keyframes(("v",), np.zeros(len(rows), np.int32), np.arange(len(rows), dtype=np.int64))
    with write_artifact(path, DETECT, Provenance("detect", 1, "{}")) as writer:
        keyframes.write(writer)
        ragged(rows).write(writer)
    with open_artifact(path, DETECT) as artifact:
        artifact.verify()
        assert lists(Boxes.read(artifact)) == rows
        assert Keyframes.read(artifact).keys() == keyframes.keys()


@given(scores, st.data())
def test_keep_and_take_agree_with_lists(rows: Lists, data: st.DataObject) -> None:
    boxes = ragged(rows)
    assert boxes.keyframe_of().tolist() == [k for k, row in enumerate(rows) for _ in row]
    limit = data.draw(st.integers(0, 64)) / 64
    kept = boxes.keep(boxes.scores >= np.float32(limit))
    assert lists(kept) == [[s for s in row if s >= limit] for row in rows]
    assert np.array_equal(kept.boxes[:, 0], kept.scores)
    places = data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=6)) if rows else []
    taken = boxes.take(np.array(places, np.int64))
    assert lists(taken) == [rows[k] for k in places]
    assert np.array_equal(taken.boxes[:, 0], taken.scores)


@given(scores, scores)
def test_concatenation_is_that_of_lists(first: Lists, second: Lists) -> None:
    assert lists(concat_boxes([ragged(first), ragged(second)])) == first + second


def test_splits_of_nothing() -> None:
    assert splits_of(np.zeros(0)).tolist() == [0]
    assert splits_of(np.array([2, 0, 3])).tolist() == [0, 2, 2, 5]


def test_pose_classes_are_those_up_to_id_14() -> None:
    assert Classes((1, 14, 15, 80), ("a", "b", "c", "d")).groups() == ((0, 1),)


def test_other_keyframes_are_refused() -> None:
    one = Keyframes(("a",), np.zeros(2, np.int32), np.array([1, 2]))
    one.require_same(one, "here", "there")
    for other in (
        Keyframes(("b",), one.video, one.timestamp_ms),
        Keyframes(("a",), one.video, np.array([1, 3])),
        Keyframes(("a",), one.video[:1], one.timestamp_ms[:1]),
    ):
        with pytest.raises(StageError, match="here: its keyframes are not those of there"):
            one.require_same(other, "here", "there")


def test_shards_are_merged_by_video_and_time() -> None:
    first = Keyframes(("b", "d"), np.array([0, 1, 1], np.int32), np.array([5, 1, 2]))
    second = Keyframes(("a", "c"), np.array([0], np.int32), np.array([9]))
    merged, order = merge_keyframes([first, second])
    assert merged.video_ids == ("a", "b", "c", "d")
    assert merged.keys() == [("a", 9), ("b", 5), ("d", 1), ("d", 2)]
    assert [(first.keys() + second.keys())[row] for row in order] == merged.keys()


def test_clips_of_one_video_stay_apart_and_their_keyframes_ascend() -> None:
    first = Keyframes(("k", "k", "z"), np.array([0, 1, 1, 2], np.int32), np.array([5, 3, 60, 1]))
    second = Keyframes(("a", "k"), np.array([0, 1], np.int32), np.array([2, 50]))
    merged, order = merge_keyframes([first, second])
    assert merged.video_ids == ("a", "k", "k", "k", "z")
    assert merged.keys() == [("a", 2), ("k", 3), ("k", 5), ("k", 50), ("k", 60), ("z", 1)]
    assert merged.video.tolist() == [0, 2, 1, 3, 2, 4]
    assert [(first.keys() + second.keys())[row] for row in order] == merged.keys()


def test_a_shard_that_is_given_twice_is_refused() -> None:
    shard = Keyframes(("a",), np.zeros(1, np.int32), np.array([9]))
    with pytest.raises(StageError, match="'a' at 9 ms stands in more than one shard"):
        merge_keyframes([shard, shard])


def test_merged_index_and_predictions_keep_every_keyframe_with_its_people(tmp_path: Path) -> None:
    worlds = [
        draw_world(1, [("m", "val"), ("a", "test")], 5),
        draw_world(2, [("k", "val"), ("k", "val")], 4),
    ]
    indexes, shards = [], []
    for world in worlds:
        with open_artifact(write_index(tmp_path, world)) as artifact:
            indexes.append(Index.read(artifact))
        with open_artifact(write_predict(tmp_path, world, 1.0), PREDICT) as artifact:
            shards.append(Predictions.read(artifact))
    index, predictions = merge_index(indexes, "x"), merge_predictions(shards, "x")
    assert index.keyframes.video_ids == ("a", "k", "k", "m")
    assert index.split == ("test", "val", "val", "val")
    assert index.name == ("a.mp4", "k.mp4", "k.mp4", "m.mp4")
    assert index.start.tolist() == [0.0, 0.0, 100.0, 0.0]
    for world, shard in zip(worlds, shards, strict=True):
        for k, key in enumerate(world.index.keyframes.keys()):
            row = index.keyframes.keys().index(key)
            before, after = world.index.truth().of(k), index.truth().of(row)
            assert np.array_equal(world.index.truth_labels[before], index.truth_labels[after])
            assert np.array_equal(world.index.truth_boxes[before], index.truth_boxes[after])
            mine, merged = shard.boxsets["detected"], predictions.boxsets["detected"]
            assert np.array_equal(
                mine.values["s144"][mine.boxes.of(k)], merged.values["s144"][merged.boxes.of(row)]
            )


def test_fused_predictions_round_trip(tmp_path: Path) -> None:
    keyframes = Keyframes(("v",), np.zeros(2, np.int32), np.array([1, 2]))
    values = np.linspace(0, 1, 2 * len(CLASSES.ids), dtype=np.float32).reshape(2, -1)
    boxes = ragged([[0.5], [0.25]])
    weights = np.full((1, len(CLASSES.ids)), 1.0)
    fused = Fused(keyframes, CLASSES, {"detected": BoxSet(boxes, {"fused": values})}, ("acar:0",), weights)
    with write_artifact(tmp_path / "a.h5", ENSEMBLE, Provenance("ensemble", 1, "{}")) as writer:
        fused.write(writer)
    with open_artifact(tmp_path / "a.h5", ENSEMBLE) as artifact:
        read = Fused.read(artifact)
    assert read.members == ("acar:0",)
    assert np.array_equal(read.boxsets["detected"].probabilities((), (), "logit"), values.astype(np.float64))
    assert np.array_equal(read.weights, weights)


@pytest.mark.parametrize("how", ["logit", "prob"])
def test_views_are_averaged_before_or_after_the_activation(how: str) -> None:
    logits = {"s1": np.array([[1.0, -2.0, 0.5]], np.float32), "s2": np.array([[0.0, 3.0, -0.5]], np.float32)}
    boxset = BoxSet(ragged([[1.0]]), logits)

    def activate(row: np.ndarray) -> np.ndarray:
        share = np.exp(row[:2]) / np.exp(row[:2]).sum()
        return np.array([*share, 1 / (1 + np.exp(-row[2]))])

    rows = [logits["s1"][0].astype(float), logits["s2"][0].astype(float)]
    expected = activate(sum(rows) / 2) if how == "logit" else sum(map(activate, rows)) / 2
    assert np.allclose(boxset.probabilities(("s1", "s2"), ((0, 1),), how)[0], expected, atol=1e-12)
    assert np.allclose(boxset.probabilities(("s2",), ((0, 1),), how)[0], activate(rows[1]), atol=1e-12)

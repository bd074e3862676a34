"""Class lists of any data set, with two groups of classes that exclude each other, or none: trained, predicted, evaluated."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from stages.evaluate.__main__ import main as evaluate
from stages.inspect.__main__ import main as inspect
from stages.lib.artifacts.predictions import DETECTED, Predictions
from stages.lib.artifacts.reader import open_artifact
from stages.lib.artifacts.schemas import INDEX, PREDICT
from stages.lib.artifacts.tables import Classes, Groups, Index
from stages.lib.models.runtime import keep_threads
from stages.lib.models.weights import load_weights
from stages.predict.__main__ import main as predict
from stages.train.__main__ import main as train
from tests.integration import learning_world as lw
from tests.integration.commands import evaluate_config, named
from tests.integration.test_learning import predict_flags, run_extract, run_train, texts, train_flags

IDS, NAMES = (1, 2, 3, 7, 90), ("stirring", "pouring", "idle", "left hand", "right hand")
TWO: Groups = ((0, 1, 2), (3, 4))
MOVIES = [lw.Video("m1", seconds=6), lw.Video("m2", seconds=5), lw.Video("m3", "val", 4)]


@pytest.fixture(scope="module", params=[TWO, ()], ids=["two groups", "no group"])
def made(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[lw.World, Path, Path, Groups]]:
    """A world of five classes, a head trained on it, and its predictions."""
    folder, groups = tmp_path_factory.mktemp("exclusive"), request.param
    shard = lw.write_shard(folder, "movies", MOVIES, 1, Classes(IDS, NAMES, groups))
    world = lw.World(folder, (shard,), {"backbone": lw.backbone_file(folder / "backbone.safetensors")})
    with keep_threads():
        run_extract(world, shard, folder / "extract")
        recipe = lw.RECIPE.model_copy(update={"epochs": 40.0, "milestones": (35.0,)})
        weights = run_train(world, "acar", folder / "acar", recipe=recipe)
        out = folder / "predict.h5"
        assert predict(texts(predict_flags(world, shard, "acar", weights, out))) == 0
        yield world, weights, out, groups


def test_the_groups_travel_in_the_class_maps(made: tuple[lw.World, Path, Path, Groups]) -> None:
    world, weights, out, groups = made
    with open_artifact(world.shards[0].index, INDEX) as artifact:
        artifact.verify()
        assert Index.read(artifact).classes.groups() == groups
    assert load_weights(weights).metadata["pose_indices"] == [list(group) for group in groups]
    with open_artifact(out, PREDICT) as artifact:
        artifact.verify()
        assert Predictions.read(artifact).classes.groups() == groups
    assert inspect(["check", str(out), str(world.shards[0].index)]) == 0


def test_probabilities_follow_the_groups(made: tuple[lw.World, Path, Path, Groups]) -> None:
    _, _, out, groups = made
    with open_artifact(out, PREDICT) as artifact:
        table = Predictions.read(artifact)
    boxset = table.boxset(DETECTED, "here")
    logits = np.mean([values.astype(np.float64) for values in boxset.values.values()], axis=0)
    expected = 1 / (1 + np.exp(-logits))
    for group in groups:
        for row, values in enumerate(logits):
            total = sum(np.exp(values[column]) for column in group)
            expected[row, list(group)] = [np.exp(values[column]) / total for column in group]
    found = boxset.probabilities(tuple(boxset.values), table.classes.groups(), "logit")
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_the_metric_is_that_of_the_class_list(
    made: tuple[lw.World, Path, Path, Groups], tmp_path: Path
) -> None:
    world, weights, out, _ = made
    words = ["--config", str(evaluate_config(tmp_path)), "--views", "all", "--splits", "val"]
    words += ["--index", *named({"movies": [world.shards[0].index]}), "--boxsets", "detected", "truth"]
    words += ["--predictions", *named({"movies": [out]}), "--out-dir", str(tmp_path)]
    assert evaluate(words) == 0
    results = json.loads((tmp_path / "metrics.json").read_text())["results"]["val"]
    assert results["truth"]["all"]["union"]["mAP@0.5IOU"] > 0.5, "colours are learned"
    steps = [step["loss"] for step in json.loads((weights.parent / "history.json").read_text())["steps"]]
    assert steps[-1] < 0.8 * steps[0]


def test_data_sets_with_other_groups_are_not_trained_together(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    shards = tuple(
        lw.write_shard(tmp_path, name, [lw.Video(name)], seed, Classes(IDS, NAMES, groups))
        for seed, (name, groups) in enumerate({"a": TWO, "b": ()}.items())
    )
    world = lw.World(tmp_path, shards, {"backbone": lw.backbone_file(tmp_path / "backbone.safetensors")})
    with keep_threads():
        for shard in shards:
            run_extract(world, shard, tmp_path / "extract")
        assert train(texts(train_flags(world, "linear", tmp_path / "out"))) == 2
    assert "exclusive" in capfd.readouterr().err

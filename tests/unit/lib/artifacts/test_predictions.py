"""Predictions carry how their logits become probabilities: which classes share a softmax in their head."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stages.lib.artifacts.loading import load_predictions
from stages.lib.artifacts.predictions import BoxSet, Predictions
from stages.lib.artifacts.provenance import Provenance
from stages.lib.artifacts.reader import open_artifact
from stages.lib.artifacts.schemas import PREDICT
from stages.lib.artifacts.tables import Boxes, Classes, Groups, Keyframes
from stages.lib.artifacts.writer import write_artifact
from stages.lib.metrics.probability import probabilities_numpy

IDS, NAMES = (1, 3, 61), ("bend", "crouch", "watch")


def write(path: Path, video: str, poses: Groups | None) -> Path:
    keyframes = Keyframes((video,), np.zeros(1, np.int32), np.array([1000]))
    boxes = Boxes.stack([([[0, 0, 1, 1]], [1.0])])
    logits = np.array([[1.0, 2.0, -1.0]], np.float32)
    with write_artifact(path, PREDICT, Provenance("predict", 1, "{}")) as writer:
        Predictions(
            keyframes, Classes(IDS, NAMES, poses), {"detected": BoxSet(boxes, {"s64": logits})}
        ).write(writer)
    return path


@pytest.mark.parametrize(
    ("poses", "expected"),
    [
        (None, ((0, 1),)),
        ((), ()),
        (((0, 1),), ((0, 1),)),
        (((1, 2),), ((1, 2),)),
        (((0,), (1, 2)), ((0,), (1, 2))),
    ],
)
def test_the_poses_of_a_head_travel_with_its_predictions(
    tmp_path: Path, poses: Groups | None, expected: Groups
) -> None:
    files = [write(tmp_path / f"{video}.h5", video, poses) for video in "ab"]
    table, _ = load_predictions(files, "here")
    assert table.classes.groups() == expected
    assert table.classes == Classes(IDS, NAMES), "how logits are meant does not make other classes"
    found = table.boxsets["detected"].probabilities(("s64",), table.classes.groups(), "logit")
    if expected == ():
        assert np.allclose(found, 1 / (1 + np.exp(-np.array([1.0, 2.0, -1.0]))))
    if expected == ((0, 1),):
        assert np.isclose(found[0, :2].sum(), 1.0)


def test_logits_in_half_precision_stay_so_and_average_in_full(tmp_path: Path) -> None:
    keyframes = Keyframes(("v",), np.zeros(1, np.int32), np.array([1000]))
    rng = np.random.default_rng(0)
    boxes = Boxes(np.array([0, 5000]), np.zeros((5000, 4), np.float32), np.zeros(5000, np.float32))
    logits = {view: rng.normal(0, 3, (5000, len(IDS))).astype(np.float16) for view in ("a", "b")}
    path = tmp_path / "p.h5"
    with write_artifact(path, PREDICT, Provenance("predict", 1, "{}", {"index": "0" * 64})) as writer:
        Predictions(keyframes, Classes(IDS, NAMES), {"detected": BoxSet(boxes, logits)}).write(writer)
    with open_artifact(path, PREDICT) as artifact:
        found = Predictions.read(artifact).boxsets["detected"]
    assert found.values["a"].dtype == np.float16
    full = {view: values.astype(np.float64) for view, values in logits.items()}
    mean = probabilities_numpy((full["a"] + full["b"]) / 2, ((0,),))
    np.testing.assert_allclose(found.probabilities(("a", "b"), ((0,),), "logit"), mean, rtol=1e-14)
    each = (probabilities_numpy(full["a"], ()) + probabilities_numpy(full["b"], ())) / 2
    np.testing.assert_allclose(found.probabilities(("a", "b"), (), "prob"), each, rtol=1e-14)

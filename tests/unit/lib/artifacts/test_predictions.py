"""Predictions carry how their logits become probabilities: which classes share a softmax in their head."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stages.lib.artifacts.loading import load_predictions
from stages.lib.artifacts.predictions import BoxSet, Predictions
from stages.lib.artifacts.provenance import Provenance
from stages.lib.artifacts.schemas import PREDICT
from stages.lib.artifacts.tables import Boxes, Classes, Keyframes
from stages.lib.artifacts.writer import write_artifact

IDS, NAMES = (1, 3, 61), ("bend", "crouch", "watch")


def write(path: Path, video: str, poses: tuple[int, ...] | None) -> Path:
    keyframes = Keyframes((video,), np.zeros(1, np.int32), np.array([1000]))
    boxes = Boxes.stack([([[0, 0, 1, 1]], [1.0])])
    logits = np.array([[1.0, 2.0, -1.0]], np.float32)
    with write_artifact(path, PREDICT, Provenance("predict", 1, "{}")) as writer:
        Predictions(
            keyframes, Classes(IDS, NAMES, poses), {"detected": BoxSet(boxes, {"s64": logits})}
        ).write(writer)
    return path


@pytest.mark.parametrize(
    ("poses", "expected"), [(None, (0, 1)), ((), ()), ((0, 1), (0, 1)), ((1, 2), (1, 2))]
)
def test_the_poses_of_a_head_travel_with_its_predictions(
    tmp_path: Path, poses: tuple[int, ...] | None, expected: tuple[int, ...]
) -> None:
    files = [write(tmp_path / f"{video}.h5", video, poses) for video in "ab"]
    table, _ = load_predictions(files, "here")
    assert table.classes.pose_indices() == expected
    assert table.classes == Classes(IDS, NAMES), "how logits are meant does not make other classes"
    found = table.boxsets["detected"].probabilities(("s64",), table.classes.pose_indices(), "logit")
    if expected == ():
        assert np.allclose(found, 1 / (1 + np.exp(-np.array([1.0, 2.0, -1.0]))))
    if expected == (0, 1):
        assert np.isclose(found[0, :2].sum(), 1.0)

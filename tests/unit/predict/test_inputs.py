"""The class map that predictions are written with."""

from __future__ import annotations

import dataclasses

import pytest

from stages.lib.artifacts.tables import Classes, Groups
from stages.lib.errors import StageError
from stages.lib.models.builders import build_head
from stages.lib.models.headfile import TrainedHead
from stages.predict.inputs import class_map
from tests.integration.learning_world import CLASSES, Video, index_of

INDEX = index_of([Video("a")])


def trained(**facts: object) -> TrainedHead:
    head = build_head("linear", channels=4, classes=3)
    return TrainedHead(head, {"class_ids": [12, 14, 61], "class_names": ["x", "y", "z"], **facts}, "sha")


@pytest.mark.parametrize(
    ("facts", "poses"),
    [
        ({}, ((0, 1),)),
        ({"pose_indices": []}, ()),
        ({"pose_indices": [1]}, ((1,),)),
        ({"pose_indices": [[1], [0, 2]]}, ((1,), (0, 2))),
    ],
)
def test_the_heads_own_poses_are_used(facts: dict[str, object], poses: Groups) -> None:
    assert class_map(INDEX, trained(**facts), "w").groups() == poses


def test_other_classes_are_refused() -> None:
    other = dataclasses.replace(INDEX, classes=Classes((1, 2, 3), CLASSES.names))
    with pytest.raises(StageError, match="the head knows 3 classes, the index 3 others"):
        class_map(other, trained(), "w")

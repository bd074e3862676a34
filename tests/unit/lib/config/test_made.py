"""What a run trains: one list for the workflow's inputs and for the report's costs."""

from __future__ import annotations

from typing import Any

import pytest

from stages.lib.config.load import check
from stages.lib.config.made import made, pretrained_backbones, trained_detectors
from stages.lib.config.root import Config
from tests.unit.lib.config.raw import small

BASE = {"architecture": "playground", "dataset": "films"}
PERSON = BASE | {"init": "base"}
GIVEN = {"architecture": "playground", "weights": "given.pth"}


@pytest.mark.parametrize(
    ("changes", "trained"),
    [
        ({}, ["person"]),
        ({"detectors": {"person": PERSON, "base": BASE, "idle": BASE}}, ["person", "base"]),
        ({"detectors": {"person": PERSON, "base": GIVEN}}, ["person"]),
        ({"detectors": {"person": GIVEN, "base": BASE}}, []),
    ],
)
def test_detectors_are_trained_down_to_the_given_weights(changes: dict[str, Any], trained: list[str]) -> None:
    config = check(Config, small(**changes), "here")
    assert trained_detectors(config) == trained
    assert made(config)["train_detector"] == {(key,) for key in trained}


def test_only_backbones_without_given_weights_are_pretrained() -> None:
    assert pretrained_backbones(check(Config, small(), "here")) == []

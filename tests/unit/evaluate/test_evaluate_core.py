from __future__ import annotations

import json

import pytest

from stages.evaluate.core import Scored, evaluate, metrics_json
from stages.lib.annotations.labelmap import label_map
from stages.lib.config.evaluate import EvaluateConfig
from stages.lib.errors import StageError
from tests.unit.lib.metrics.tables_for_tests import LEFT, RIGHT, detections_of, truth_of

CLASSES = label_map([1, 3, 80], ["bend", "crouch", "watch"], {80: "c"})
MOVIES = Scored(
    "movies",
    truth_of([("v", 902, LEFT, 1), ("v", 902, RIGHT, 80)]),
    detections_of([("v", 902, LEFT, 1, 0.4), ("v", 902, LEFT, 80, 0.9), ("v", 902, RIGHT, 80, 0.8)]),
)
CLIPS = Scored(
    "clips",
    truth_of([("k", 5.5, LEFT, 1), ("k2", 7.25)]),
    detections_of([("k", 5.5, RIGHT, 1, 0.9), ("k2", 7.25, LEFT, 1, 0.3), ("x", 1.0, LEFT, 1, 0.3)]),
)


def test_each_data_set_and_one_pool() -> None:
    results = evaluate([MOVIES, CLIPS], CLASSES, EvaluateConfig())
    assert list(results) == ["movies", "clips", "union"]
    assert results["movies"].mean_ap == pytest.approx((1.0 + 0.5) / 2)
    assert results["clips"].mean_ap == 0.0
    assert results["union"].mean_ap == pytest.approx((0.25 + 0.5) / 2)


def test_the_json_holds_the_table_the_dialect_and_null_for_nan() -> None:
    cfg = EvaluateConfig(bootstrap=20)
    text = json.dumps(metrics_json(evaluate([MOVIES, CLIPS], CLASSES, cfg), CLASSES, cfg), allow_nan=False)
    found = json.loads(text)
    assert found["mAP@0.5IOU"] == pytest.approx(0.375)
    assert found["dialect"] == "official"
    assert found["per_class"][1] == {
        "id": 3,
        "name": "crouch",
        "kind": "pose",
        "frequency": None,
        "ap": None,
        "truths": 0,
        "detections": 0,
    }
    assert found["per_class"][0]["truths"] == 2
    assert found["by_kind"] == {"c": 0.5, "pose": 0.25}
    assert found["by_frequency"] == {"head": 0.25, "middle": 0.5}
    assert found["counts"]["detections"] == 6
    assert found["counts"]["unlisted_keyframe"] == 1
    assert "1 detections on keyframes absent from the truth were ignored" in found["notes"]
    assert set(found["datasets"]) == {"movies", "clips"}
    assert found["interval"]["low"] <= 0.375 <= found["interval"]["high"]


def test_dialect_threshold_and_cap_come_from_the_config() -> None:
    cfg = EvaluateConfig(dialect="2020", iou=0.75, cap=0)
    found = metrics_json(evaluate([CLIPS], CLASSES, cfg), CLASSES, cfg)
    assert found["dialect"] == "2020 with no cap"
    assert "mAP@0.75IOU" in found
    assert found["counts"]["unlisted_keyframe"] == 0


def test_exclusions_reach_the_pool() -> None:
    scored = Scored(MOVIES.name, MOVIES.truth, MOVIES.detections, {("v", 902_000_000)})
    results = evaluate([scored, CLIPS], CLASSES, EvaluateConfig(dialect="2020"))
    assert results["union"].counts.excluded == 3
    assert results["union"].truths.tolist() == [1, 0, 0]


def test_nothing_to_score_is_said() -> None:
    with pytest.raises(StageError, match="nothing to evaluate"):
        evaluate([], CLASSES, EvaluateConfig())
    with pytest.raises(StageError, match="no listed class has a ground-truth box"):
        evaluate([MOVIES], label_map([4], ["dance"]), EvaluateConfig())
    stranger = Scored("movies", MOVIES.truth, detections_of([("other", 1, LEFT, 1, 0.5)]))
    cfg = EvaluateConfig()
    found = metrics_json(evaluate([stranger], CLASSES, cfg), CLASSES, cfg)
    assert found["notes"][-1].startswith("no detection counted")

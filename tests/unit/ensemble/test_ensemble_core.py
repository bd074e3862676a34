from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from stages.ensemble.core import BoxTable, Prediction, fuse
from stages.ensemble.weights import fit_weights
from stages.lib.config.ensemble import EnsembleConfig, member_parts
from stages.lib.errors import StageError
from tests.unit.lib.metrics.tables_for_tests import LEFT, RIGHT

CLASSES = (1, 3, 12)
TABLE = BoxTable(
    ("v", "w"),
    np.array([0, 0, 1], np.int32),
    np.array([1000, 2000, 1500]),
    np.array([LEFT, RIGHT, LEFT], np.float32),
    np.array([0, 2, 2, 3]),
)


def member(name: str, scores: np.ndarray, table: BoxTable = TABLE) -> Prediction:
    return Prediction(name, "movies", table, CLASSES, scores)


def config(n_members: int, **more: object) -> EnsembleConfig:
    return EnsembleConfig(members=tuple(f"m{k}" for k in range(n_members)), **more)


def test_ap_weights_are_proportional_to_a_power_of_the_ap() -> None:
    ap = [[0.1, 0.5, 0.2], [0.3, 0.5, 0.0]]
    np.testing.assert_allclose(
        fit_weights(ap, CLASSES, config(2)).values, [[0.25, 0.5, 1.0], [0.75, 0.5, 0.0]]
    )
    np.testing.assert_allclose(fit_weights(ap, CLASSES, config(2, power=2)).values[:, 0], [0.1, 0.9])


def test_softmax_linear_top_k_and_uniform_weights() -> None:
    ap = np.array([[0.1], [0.2], [0.4]])
    share = np.exp((ap[:, 0] - 0.4) / 0.1)
    cases = {
        "softmax": share / share.sum(),
        "linear": np.array([0.0, 1 / 3, 1.0]) / (4 / 3),
        "top-k": np.array([0.0, 0.5, 0.5]),
        "uniform": np.full(3, 1 / 3),
    }
    for rule, expected in cases.items():
        values = fit_weights(ap, (1,), config(3, weights=rule, temperature=0.1, k=2)).values
        np.testing.assert_allclose(values[:, 0], expected, err_msg=rule)


@pytest.mark.parametrize("rule", ["ap", "softmax", "linear", "top-k"])
def test_classes_without_truth_or_without_any_ap_are_weighted_evenly_with_a_note(rule: str) -> None:
    ap = [[np.nan, 0.0, 0.2], [np.nan, 0.0, 0.4]]
    weights = fit_weights(ap, CLASSES, config(2, weights=rule))
    np.testing.assert_array_equal(weights.values[:, :2], 0.5)
    assert weights.uniform.tolist() == [True, True, False]
    assert any("without truth" in note and note.endswith(": 1") for note in weights.notes)
    assert any("AP 0 for every member" in note and note.endswith(": 3") for note in weights.notes)
    np.testing.assert_allclose(weights.values.sum(axis=0), 1.0)


def test_linear_weights_of_equal_members_are_even() -> None:
    np.testing.assert_array_equal(fit_weights([[0.3], [0.3]], (1,), config(2, weights="linear")).values, 0.5)


def test_fusion_is_the_weighted_sum_in_float64() -> None:
    rng = np.random.default_rng(0)
    scores = rng.random((2, 3, 3)).astype(np.float16)
    weights = fit_weights([[0.1, 0.5, 0.2], [0.3, 0.5, 0.0]], CLASSES, config(2))
    fused = fuse([member("a", scores[0]), member("b", scores[1])], weights)
    expected = scores[0].astype(float) * weights.values[0] + scores[1].astype(float) * weights.values[1]
    np.testing.assert_array_equal(fused.scores, expected.astype(np.float32))


@pytest.mark.parametrize("rule", ["ap", "softmax", "linear", "top-k", "uniform"])
@pytest.mark.parametrize("n_members", [1, 2, 5])
def test_an_ensemble_of_equals_is_the_member(rule: str, n_members: int) -> None:
    rng = np.random.default_rng(n_members)
    scores, ap = rng.random((3, 3)), np.tile(rng.random(3), (n_members, 1))
    weights = fit_weights(ap, CLASSES, config(n_members, weights=rule, k=n_members))
    fused = fuse([member(f"m{k}", scores) for k in range(n_members)], weights)
    np.testing.assert_allclose(fused.scores, scores, rtol=1e-7)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"boxes": np.array([LEFT, LEFT, LEFT], np.float32)}, "1 of 3 boxes are others, first at v at 1 s"),
        ({"row_splits": np.array([0, 1, 2, 3])}, "number of boxes is another one, first at v at 1 s"),
        ({"key_ms": np.array([1000, 2500, 1500])}, "its keyframes are others"),
        ({"key_video": np.array([0, 1, 1], np.int32)}, "its keyframes are others"),
        ({"key_video": np.array([1, 1, 0], np.int32), "videos": ("w", "v")}, None),
    ],
)
def test_members_on_other_boxes_are_refused_by_name(change: dict[str, Any], message: str) -> None:
    other = member("acar:2", np.zeros((3, 3)), replace(TABLE, **change))
    weights = fit_weights(np.ones((2, 3)), CLASSES, config(2))
    if message is None:
        fuse([member("linear", np.zeros((3, 3))), other], weights)
        return
    with pytest.raises(StageError, match=message) as caught:
        fuse([member("linear", np.zeros((3, 3))), other], weights)
    assert "member acar:2 differs from member linear" in caught.value.what


def test_members_of_other_classes_or_data_are_refused() -> None:
    first, scores = member("a", np.zeros((3, 3))), np.zeros((3, 3))
    weights = fit_weights(np.ones((2, 3)), CLASSES, config(2))
    for other, message in (
        (Prediction("b", "movies", TABLE, (1, 3, 13), scores), "class list"),
        (Prediction("b", "clips", TABLE, CLASSES, scores), "data set clips"),
    ):
        with pytest.raises(StageError, match=message):
            fuse([first, other], weights)
    with pytest.raises(StageError, match="without members"):
        fuse([], weights)


def test_the_config_names_members_with_seeds() -> None:
    assert [member_parts(name) for name in ("acar", "acar:1")] == [("acar", 0), ("acar", 1)]
    for members in (("acar", "acar:0"), ("acar", "acar"), ("Acar",), ("acar:",), ()):
        with pytest.raises(ValueError, match="members"):
            EnsembleConfig(members=members)

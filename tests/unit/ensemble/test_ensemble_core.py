from __future__ import annotations

import numpy as np
import pytest

from stages.ensemble.core import mixture
from stages.ensemble.weights import fit_weights
from stages.lib.config.ensemble import EnsembleConfig, member_parts

CLASSES = (1, 3, 12)


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


@pytest.mark.fault("F25")
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
    fused = mixture(scores, weights.values)
    expected = scores[0].astype(float) * weights.values[0] + scores[1].astype(float) * weights.values[1]
    np.testing.assert_array_equal(fused, expected.astype(np.float32))
    np.testing.assert_array_equal(mixture(scores, weights.values, np.array([2, 0])), fused[[2, 0]])


@pytest.mark.parametrize("rule", ["ap", "softmax", "linear", "top-k", "uniform"])
@pytest.mark.parametrize("n_members", [1, 2, 5])
def test_an_ensemble_of_equals_is_the_member(rule: str, n_members: int) -> None:
    rng = np.random.default_rng(n_members)
    scores, ap = rng.random((3, 3)), np.tile(rng.random(3), (n_members, 1))
    weights = fit_weights(ap, CLASSES, config(n_members, weights=rule, k=n_members))
    np.testing.assert_allclose(mixture([scores] * n_members, weights.values), scores, rtol=1e-7)


def test_the_config_names_members_with_seeds() -> None:
    assert [member_parts(name) for name in ("acar", "acar:1")] == [("acar", 0), ("acar", 1)]
    for members in (("acar", "acar:0"), ("acar", "acar"), ("Acar",), ("acar:",), ()):
        with pytest.raises(ValueError, match="members"):
            EnsembleConfig(members=members)


def test_the_config_takes_csv_files_under_names_of_their_own() -> None:
    assert EnsembleConfig(csv={"theirs": "their.csv"}).members == ()
    with pytest.raises(ValueError, match="share the name acar"):
        EnsembleConfig(members=("acar:1",), csv={"acar": "their.csv"})
    with pytest.raises(ValueError, match="no members"):
        EnsembleConfig()

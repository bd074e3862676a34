from __future__ import annotations

import numpy as np
import pytest

from stages.lib.metrics.probability import probabilities_numpy


def test_poses_share_one_softmax_and_the_rest_are_sigmoids() -> None:
    logits = np.array([[np.log(1.0), np.log(3.0), 0.0, np.log(4.0)]], np.float32)
    np.testing.assert_allclose(probabilities_numpy(logits, ((0, 1),)), [[0.25, 0.75, 0.5, 0.8]], rtol=1e-6)


def test_far_logits_do_not_overflow() -> None:
    with np.errstate(all="raise", under="ignore"):
        out = probabilities_numpy(np.array([[1000.0, -1000.0, 1000.0, -1000.0]]), ((0, 1),))
    np.testing.assert_allclose(out, [[1, 0, 1, 0]], atol=1e-300)


@pytest.mark.parametrize("poses", [(), (2,)])
def test_without_several_poses(poses: tuple[int, ...]) -> None:
    out = probabilities_numpy(np.zeros((5, 3), np.float16), [poses] if poses else [])
    assert out.dtype == np.float64
    np.testing.assert_array_equal(out[:, 2], 1.0 if poses else 0.5)


def test_no_boxes() -> None:
    assert probabilities_numpy(np.zeros((0, 3)), ((0, 1),)).shape == (0, 3)


def test_every_group_has_a_softmax_of_its_own() -> None:
    logits = np.log([[1.0, 3.0, 1.0, 4.0, 6.0]])
    found = probabilities_numpy(logits, ((1, 4), (0, 3)))
    np.testing.assert_allclose(found, [[0.2, 1 / 3, 0.5, 0.8, 2 / 3]], rtol=1e-12)

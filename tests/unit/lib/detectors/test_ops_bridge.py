"""The operator bridge against slow twins, torchvision and finite differences."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from stages.lib.detectors.ops_bridge import NAME, install_ops_bridge
from stages.lib.errors import StageError

USED = install_ops_bridge()
from mmcv.ops import RoIAlign, nms, softmax_focal_loss  # noqa: E402


def _slow_nms(boxes: np.ndarray, scores: np.ndarray, threshold: float, offset: int) -> list[int]:
    kept: list[int] = []
    for i in np.argsort(-scores):
        area = np.prod(boxes[i, 2:] - boxes[i, :2] + offset)
        for j in kept:
            side = np.minimum(boxes[i, 2:], boxes[j, 2:]) - np.maximum(boxes[i, :2], boxes[j, :2]) + offset
            common = np.prod(np.clip(side, 0, None))
            if common / (area + np.prod(boxes[j, 2:] - boxes[j, :2] + offset) - common) > threshold:
                break
        else:
            kept.append(int(i))
    return kept


def _slow_roi_align(
    image_CHW: np.ndarray, roi: np.ndarray, scale: float, out: int, samples: int
) -> np.ndarray:
    """Half-pixel aligned average RoIAlign of a region well inside the map."""
    x1, y1, x2, y2 = roi * scale - 0.5
    result = np.zeros((image_CHW.shape[0], out, out))
    for p in range(out):
        for q in range(out):
            for i in range(samples):
                for j in range(samples):
                    y = y1 + (y2 - y1) / out * (p + (i + 0.5) / samples)
                    x = x1 + (x2 - x1) / out * (q + (j + 0.5) / samples)
                    top, left = math.floor(y), math.floor(x)
                    dy, dx = y - top, x - left
                    corners = image_CHW[:, top : top + 2, left : left + 2]
                    weights = np.outer([1 - dy, dy], [1 - dx, dx])
                    result[:, p, q] += (corners * weights).sum((1, 2)) / samples**2
    return result


@pytest.mark.parametrize("offset", [0, 1])
def test_nms_is_the_greedy_loop(offset: int) -> None:
    rng = np.random.default_rng(offset)
    corner = rng.uniform(0, 40, (60, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(5, 30, (60, 2))], axis=1).astype(np.float32)
    scores = rng.permutation(60).astype(np.float32) / 60 + 0.01
    _, kept = nms(torch.from_numpy(boxes), torch.from_numpy(scores), 0.4, offset=offset)
    assert kept.tolist() == _slow_nms(boxes.astype(np.float64), scores, 0.4, offset)
    assert 1 < len(kept) < 60


@pytest.mark.parametrize("samples", [1, 2, 3])
def test_roi_align_is_the_slow_loop(samples: int) -> None:
    rng = np.random.default_rng(samples)
    image = rng.normal(size=(3, 16, 20))
    roi = np.array([10.0, 12.0, 58.0, 50.0])
    layer = RoIAlign(4, spatial_scale=0.25, sampling_ratio=samples, aligned=True)
    region = torch.tensor([[0.0, *roi]], dtype=torch.float32)
    found = layer(torch.tensor(image, dtype=torch.float32)[None], region)[0].numpy()
    np.testing.assert_allclose(found, _slow_roi_align(image, roi, 0.25, 4, samples), atol=1e-5)


def test_roi_align_gradient_matches_finite_differences() -> None:
    torch.manual_seed(0)
    maps = torch.randn(2, 2, 6, 7, dtype=torch.float64, requires_grad=True)
    regions = torch.tensor([[0, 1.0, 2.0, 20.0, 18.0], [1, 0.0, 0.0, 9.0, 23.0]], dtype=torch.float64)
    layer = RoIAlign(3, spatial_scale=0.25, sampling_ratio=2, aligned=True)
    assert torch.autograd.gradcheck(lambda x: layer(x, regions), (maps,), eps=1e-5, atol=1e-7)


def test_no_regions_are_a_normal_case() -> None:
    layer = RoIAlign(7, spatial_scale=0.25, sampling_ratio=0)
    assert layer(torch.zeros(1, 3, 8, 8), torch.zeros(0, 5)).shape == (0, 3, 7, 7)


@pytest.mark.skipif(USED == "mmcv", reason="a compiled mmcv has every operator")
def test_an_operator_that_is_missing_is_named() -> None:
    with pytest.raises(StageError, match=r"softmax_focal_loss.*compiled mmcv"):
        softmax_focal_loss(torch.zeros(2, 3), torch.zeros(2, dtype=torch.long), 2.0, 0.25, None, "mean")
    layer = RoIAlign(7, pool_mode="max")
    with pytest.raises(StageError, match="max pooling"):
        layer(torch.zeros(1, 3, 8, 8), torch.zeros(1, 5))


def test_installing_again_changes_nothing() -> None:
    import sys

    before = sys.modules[NAME]
    assert install_ops_bridge() == USED
    assert sys.modules[NAME] is before
    assert before.__spec__ is not None

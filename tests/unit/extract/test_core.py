"""Extraction: plans, sizes, mirrored views, and the network as plain torch computes it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from stages.extract.core import Extractor, Normalisation, plan_batches, resize_frames
from stages.lib.geometry.views import parse_view
from stages.lib.models.builders import build_backbone
from stages.lib.models.engines import TorchEngine
from stages.lib.models.slowfast import SlowFast, SlowRule, context_maps, initialise_backbone, slow_indices

NORM = Normalisation((0.45, 0.4, 0.5), (0.2, 0.225, 0.25))


@pytest.fixture(scope="module")
def network() -> SlowFast:
    torch.manual_seed(0)
    network = build_backbone("playground")
    initialise_backbone(network)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm3d):
            torch.nn.init.uniform_(module.running_mean, -0.2, 0.2)
            torch.nn.init.uniform_(module.running_var, 0.5, 2)
    return network.eval()


def extractor_of(network: SlowFast, rule: SlowRule = "stride") -> Extractor:
    device = torch.device("cpu")
    return Extractor(TorchEngine(network, device), NORM, device, alpha=network.alpha, rule=rule)


def frames(batch: int = 2, height: int = 48, width: int = 70) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (batch, 8, height, width, 3)).astype(np.uint8)


@pytest.mark.parametrize("rule", ["stride", "full-span"])
def test_maps_equal_the_plain_network(network: SlowFast, rule: SlowRule) -> None:
    extractor = extractor_of(network, rule)
    found = extractor.maps(frames(), parse_view("s48"))
    clip = torch.from_numpy(frames()).permute(0, 4, 1, 2, 3).double() / 255
    mean, std = (torch.tensor(v, dtype=torch.float64).view(1, 3, 1, 1, 1) for v in (NORM.mean, NORM.std))
    clip = ((clip - mean) / std).float()
    with torch.no_grad():
        expected = context_maps(*network(clip[:, :, list(slow_indices(8, 4, rule))], clip)).numpy()
    assert found.shape == (2, 320, 3, 5)
    assert np.abs(found - expected).max() < 1e-4 * np.abs(expected).max()


def test_result_does_not_depend_on_the_batch(network: SlowFast) -> None:
    extractor = extractor_of(network)
    together = extractor.maps(frames(), parse_view("s64"))
    alone = np.concatenate([extractor.maps(frames()[k : k + 1], parse_view("s64")) for k in range(2)])
    assert np.allclose(together, alone, atol=1e-5 * np.abs(alone).max())


def test_a_mirrored_view_is_the_view_of_mirrored_frames(network: SlowFast) -> None:
    extractor = extractor_of(network)
    flipped = extractor.maps(frames(), parse_view("s40-flip"))
    shown = extractor.maps(np.ascontiguousarray(frames()[:, :, :, ::-1]), parse_view("s40"))
    assert np.allclose(flipped, shown, atol=0.05 * np.abs(shown).max())


def test_resizing_is_pillows_antialiased_bilinear() -> None:
    resized = resize_frames(torch.from_numpy(frames(1)), parse_view("s30"))[0].numpy()
    assert resized.shape == (8, 30, 43, 3)
    for number in range(8):
        expected = np.asarray(
            Image.fromarray(frames(1)[0, number]).resize((43, 30), Image.Resampling.BILINEAR)
        )
        assert np.abs(resized[number].astype(int) - expected).max() <= 1
    same = torch.from_numpy(frames(1))
    assert resize_frames(same, parse_view("s48")) is same


def test_plans_keep_the_order_and_share_batches() -> None:
    rng = np.random.default_rng(0)
    size = np.array([(96, 64), (80, 64), (64, 64)])[rng.integers(0, 3, 50)]
    wanted = rng.random(50) < 0.8
    plans = plan_batches(wanted, size, 4)
    assert [row for plan in plans for row in plan.rows] == list(range(50))
    for plan in plans:
        assert sorted(row for batch in plan.batches for row in batch) == [
            row for row in plan.rows if wanted[row]
        ]
        assert all(
            len({tuple(size[row]) for row in batch}) == 1 and len(batch) <= 4 for batch in plan.batches
        )
    assert plan_batches(np.zeros(0, bool), np.zeros((0, 2)), 4) == []

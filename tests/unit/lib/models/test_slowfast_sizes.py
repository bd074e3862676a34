"""Sizes of the SlowFast family: every figure is a published or computed constant, on the meta device (no arithmetic)."""

from __future__ import annotations

import dataclasses
import functools
from typing import get_args

import pytest
import torch
from torch import nn

from stages.lib.config.backbones import Architecture
from stages.lib.errors import StageError
from stages.lib.models.builders import build_backbone
from stages.lib.models.slowfast import ARCHS, SlowFast, find_arch


@functools.cache
def meta(name: str) -> SlowFast:
    with torch.device("meta"):
        return build_backbone(name)


def multiply_adds(network: SlowFast, frames: int, height: int, width: int) -> float:
    """Multiply-adds of all convolutions for one clip, in units of 1e9."""
    total = 0

    def count(module: nn.Conv3d, _: object, output: torch.Tensor) -> None:
        nonlocal total
        total += output.numel() * module.weight[0].numel()

    convs = [module for module in network.modules() if isinstance(module, nn.Conv3d)]
    hooks = [conv.register_forward_hook(count) for conv in convs]
    clip = torch.empty(1, 3, frames, height, width, device="meta")
    with torch.no_grad():
        network(clip[:, :, ::4], clip)
    for hook in hooks:
        hook.remove()
    return total / 1e9


@pytest.mark.parametrize(
    ("name", "millions", "convs", "norms", "learnable", "state"),
    [
        ("r50", 33.644, 110, 110, 330, 660),
        ("r101", 61.904, 212, 208, 628, 1252),
        ("r152", 84.728, 314, 310, 934, 1864),
    ],
)
def test_counts(name: str, millions: float, convs: int, norms: int, learnable: int, state: int) -> None:
    network = meta(name)
    assert round(sum(p.numel() for p in network.parameters()) / 1e6, 3) == millions
    assert sum(isinstance(m, nn.Conv3d) for m in network.modules()) == convs
    assert sum(isinstance(m, nn.BatchNorm3d) for m in network.modules()) == norms
    assert len(list(network.parameters())) == learnable
    assert len(network.state_dict()) == state


def test_playground_count() -> None:
    assert sum(p.numel() for p in meta("playground").parameters()) == 347_188
    assert ARCHS["playground"].channels == 320
    assert ARCHS["r101"].channels == 2304


def test_every_row_can_be_named_in_a_configuration() -> None:
    assert get_args(Architecture) == tuple(ARCHS)


def test_half_temporal_pattern_counts() -> None:
    assert dataclasses.replace(find_arch("r101-50-50"), non_local=()) == find_arch("r101-50-50-plain")
    plain = meta("r101-50-50-plain")
    assert round(sum(p.numel() for p in plain.parameters()) / 1e6, 3) == 52.853
    assert multiply_adds(plain, 32, 256, 256) == pytest.approx(137.7, rel=0.005)
    wider = sum(p.numel() for p in meta("r101-50-101").parameters())
    assert wider - sum(p.numel() for p in plain.parameters()) == 17 * 2 * 128 * 32
    extra = set(meta("r101-50-50").state_dict()) - set(plain.state_dict())
    assert {name.split(".")[2] for name in extra} == {"6", "13", "20"}
    assert all(name.startswith("slow.res4.") and ".non_local." in name for name in extra)


@pytest.mark.parametrize(
    ("name", "frames", "height", "width", "expected"),
    [
        ("r50", 32, 256, 256, 96.9),
        ("r50", 32, 256, 456, 174.7),
        ("r101", 32, 256, 340, 214.9),
        ("r101", 64, 256, 256, 314.2),
        ("r101", 32, 256, 456, 283.8),
        ("r152", 32, 256, 256, 213.4),
    ],
)
def test_multiply_adds(name: str, frames: int, height: int, width: int, expected: float) -> None:
    assert multiply_adds(meta(name), frames, height, width) == pytest.approx(expected, rel=0.005)


@pytest.mark.parametrize(
    ("height", "width", "grid"),
    [
        (256, 341, (16, 22)),
        (256, 455, (16, 29)),
        (256, 614, (16, 39)),
        (288, 384, (18, 24)),
        (128, 256, (8, 16)),
    ],
)
def test_output_grid_is_a_sixteenth_rounded_up(height: int, width: int, grid: tuple[int, int]) -> None:
    clip = torch.empty(1, 3, 8, height, width, device="meta")
    slow, fast = meta("playground")(clip[:, :, ::4], clip)
    assert slow.shape == (1, 256, 2, *grid)
    assert fast.shape == (1, 64, 8, *grid)


def test_strided_last_stage_halves_the_grid_and_fits_the_same_weights() -> None:
    with torch.device("meta"):
        strided = build_backbone("playground", last_stage="strided")
    clip = torch.empty(1, 3, 8, 128, 256, device="meta")
    assert strided(clip[:, :, ::4], clip)[0].shape[-2:] == (4, 8)
    shapes = {name: tensor.shape for name, tensor in strided.state_dict().items()}
    assert shapes == {name: tensor.shape for name, tensor in meta("playground").state_dict().items()}


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("slow.stem.conv.weight", [64, 3, 1, 7, 7]),
        ("fast.stem.conv.weight", [8, 3, 5, 7, 7]),
        ("fast.stem.bn.running_var", [8]),
        ("slow.res2.0.conv_a.weight", [64, 80, 1, 1, 1]),
        ("slow.res2.0.conv_b.weight", [64, 64, 1, 3, 3]),
        ("slow.res2.0.conv_c.weight", [256, 64, 1, 1, 1]),
        ("slow.res2.0.shortcut.conv.weight", [256, 80, 1, 1, 1]),
        ("slow.res3.0.conv_a.weight", [128, 320, 1, 1, 1]),
        ("slow.res4.0.conv_a.weight", [256, 640, 3, 1, 1]),
        ("slow.res4.22.conv_a.weight", [256, 1024, 3, 1, 1]),
        ("slow.res5.0.conv_a.weight", [512, 1280, 3, 1, 1]),
        ("slow.res5.0.shortcut.conv.weight", [2048, 1280, 1, 1, 1]),
        ("fast.res2.0.conv_a.weight", [8, 8, 3, 1, 1]),
        ("fast.res3.0.shortcut.conv.weight", [64, 32, 1, 1, 1]),
        ("fast.res4.0.conv_b.weight", [32, 32, 1, 3, 3]),
        ("fast.res5.2.conv_c.weight", [256, 64, 1, 1, 1]),
        ("fuse.0.conv.weight", [16, 8, 5, 1, 1]),
        ("fuse.3.conv.weight", [256, 128, 5, 1, 1]),
    ],
)
def test_names_and_shapes(name: str, shape: list[int]) -> None:
    with torch.device("meta"):
        state = build_backbone("r101").state_dict()
    assert list(state[name].shape) == shape
    assert "slow.res2.1.shortcut.conv.weight" not in state
    assert "fuse.0.bn.weight" not in state


def test_strides_and_dilations() -> None:
    network = meta("r50")
    assert [block.conv_b.dilation for block in network.slow.res5] == [(1, 2, 2)] * 3
    assert network.slow.res5[0].conv_b.stride == (1, 1, 1)
    assert network.fast.res4[0].conv_b.stride == (1, 2, 2)
    assert network.fast.res4[1].conv_b.stride == (1, 1, 1)
    assert {fuse.conv.stride for fuse in network.fuse} == {(4, 1, 1)}


def test_unknown_architecture_is_the_users_fault() -> None:
    with pytest.raises(StageError, match="one of r50"):
        find_arch("r18")

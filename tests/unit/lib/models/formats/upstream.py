"""Checkpoints as other projects name them, with random weights.

Names and sizes are written by hand from the published layer tables, not taken from the code under test; so are the
forward passes in `twins`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

State = dict[str, Tensor]

MID = {"slow": (64, 128, 256, 512), "fast": (8, 16, 32, 64)}
OUT = {"slow": (256, 512, 1024, 2048), "fast": (32, 64, 128, 256)}
STEM = {"slow": 64, "fast": 8}
PATH = {"slow": "pathway0", "fast": "pathway1"}
FAST = {"slow": "", "fast": "t_"}
R50, R101, R152 = (3, 4, 6, 3), (3, 4, 23, 3), (3, 8, 36, 3)


class AcarNames:
    """ACAR-Net, bare names."""

    def __init__(self, *, fusion_bn: bool) -> None:
        self.fusion_bn = fusion_bn

    def stem(self, way: str) -> tuple[str, str]:
        return f"{way}_conv1", f"{way}_bn1"

    def branch(self, way: str, stage: int, block: int, part: int) -> tuple[str, str]:
        place = f"{way}_res{stage - 1}.{block}"
        return f"{place}.conv{part + 1}", f"{place}.bn{part + 1}"

    def shortcut(self, way: str, stage: int) -> tuple[str, str]:
        return f"{way}_res{stage - 1}.0.downsample.0", f"{way}_res{stage - 1}.0.downsample_bn"

    def fusion(self, number: int, depths: tuple[int, ...]) -> tuple[str, str]:
        return (f"Tconv{number}.0", f"Tconv{number}.1") if self.fusion_bn else (f"Tconv{number}", "")

    def weight(self, layer: str) -> str:
        return f"{layer}.weight"

    def bias(self, layer: str) -> str:
        return f"{layer}.bias"

    def norm(self, layer: str) -> tuple[str, str, str, str]:
        """Scale, shift, running mean, running variance."""
        return tuple(f"{layer}.{part}" for part in ("weight", "bias", "running_mean", "running_var"))

    def counter(self, layer: str) -> str:
        return f"{layer}.num_batches_tracked"


class PySlowFastNames(AcarNames):
    """PySlowFast, `.pyth`."""

    def __init__(self) -> None:
        super().__init__(fusion_bn=True)

    def stem(self, way: str) -> tuple[str, str]:
        return f"s1.{PATH[way]}_stem.conv", f"s1.{PATH[way]}_stem.bn"

    def branch(self, way: str, stage: int, block: int, part: int) -> tuple[str, str]:
        place = f"s{stage}.{PATH[way]}_res{block}.branch2.{'abc'[part]}"
        return place, f"{place}_bn"

    def shortcut(self, way: str, stage: int) -> tuple[str, str]:
        place = f"s{stage}.{PATH[way]}_res0.branch1"
        return place, f"{place}_bn"

    def fusion(self, number: int, depths: tuple[int, ...]) -> tuple[str, str]:
        return f"s{number}_fuse.conv_f2s", f"s{number}_fuse.bn"

    def non_local(self, block: int, part: str) -> str:
        return f"s4.pathway0_nonlocal{block}." + ("bn" if part == "bn" else f"conv_{part}")


class Caffe2Names(AcarNames):
    """Blobs of a Caffe2 file."""

    def __init__(self) -> None:
        super().__init__(fusion_bn=True)

    def stem(self, way: str) -> tuple[str, str]:
        return f"{FAST[way]}conv1", f"{FAST[way]}res_conv1_bn"

    def branch(self, way: str, stage: int, block: int, part: int) -> tuple[str, str]:
        place = f"{FAST[way]}res{stage}_{block}_branch2{'abc'[part]}"
        return place, f"{place}_bn"

    def shortcut(self, way: str, stage: int) -> tuple[str, str]:
        place = f"{FAST[way]}res{stage}_0_branch1"
        return place, f"{place}_bn"

    def fusion(self, number: int, depths: tuple[int, ...]) -> tuple[str, str]:
        place = "t_pool1_subsample"
        if number > 1:
            place = f"t_res{number}_{depths[number - 2] - 1}_branch2c_bn_subsample"
        return place, f"{place}_bn"

    def non_local(self, block: int, part: str) -> str:
        return f"nonlocal_conv4_{block}_{part}"

    def weight(self, layer: str) -> str:
        return f"{layer}_w"

    def bias(self, layer: str) -> str:
        return f"{layer}_b"

    def norm(self, layer: str) -> tuple[str, str, str, str]:
        return f"{layer}_s", f"{layer}_b", f"{layer}_rm", f"{layer}_riv"

    def counter(self, layer: str) -> str:
        return ""


@dataclass(frozen=True)
class Net:
    """A SlowFast network by its published numbers; temporal: blocks of res4 with a temporal kernel, slow and fast."""

    names: AcarNames
    depths: tuple[int, ...]
    kernel: int
    temporal: dict[str, int] | None = None
    non_local: tuple[int, ...] = ()
    mid: dict[str, tuple[int, ...]] = field(default_factory=lambda: MID)
    out: dict[str, tuple[int, ...]] = field(default_factory=lambda: OUT)
    stem: dict[str, int] = field(default_factory=lambda: STEM)

    def temporal_kernel(self, way: str, stage: int, block: int) -> int:
        if way == "slow" and stage < 4:
            return 1
        return 1 if stage == 4 and self.temporal and block >= self.temporal[way] else 3


def tiny(names: AcarNames, **more: object) -> Net:
    """A network of the playground's size under an upstream's names."""
    mid = {"slow": (12, 24, 48, 64), "fast": (4, 8, 12, 16)}
    out = {"slow": (48, 96, 192, 256), "fast": (16, 32, 48, 64)}
    return Net(names, (1, 1, 1, 1), 5, mid=mid, out=out, stem={"slow": 16, "fast": 4}, **more)


class Drawer:
    """Draws tensors into a dictionary: He-normal convolutions, batch norms with lively statistics."""

    def __init__(self, names: AcarNames, seed: int) -> None:
        self.names, self.state = names, {}
        self.generator = torch.Generator().manual_seed(seed)

    def normal(self, *shape: int, std: float) -> Tensor:
        return torch.randn(shape, generator=self.generator) * std

    def uniform(self, size: int, low: float, high: float) -> Tensor:
        return torch.rand(size, generator=self.generator) * (high - low) + low

    def conv(self, layer: str, shape: tuple[int, ...], *, gain: float = 1.0, bias: bool = False) -> None:
        fan_in = int(np.prod(shape[1:]))
        self.state[self.names.weight(layer)] = self.normal(*shape, std=gain * (2 / fan_in) ** 0.5)
        if bias:
            self.state[self.names.bias(layer)] = self.normal(shape[0], std=0.1)

    def norm(self, layer: str, size: int, gain: float = 1.0) -> None:
        scale, shift, mean, var = self.names.norm(layer)
        self.state[scale] = self.uniform(size, 0.5, 1.5) * gain
        self.state[shift] = self.normal(size, std=0.2)
        self.state[mean] = self.normal(size, std=0.2)
        self.state[var] = self.uniform(size, 0.7, 1.5)
        if self.names.counter(layer):
            self.state[self.names.counter(layer)] = torch.tensor(1234)


def draw_backbone(net: Net, seed: int = 0) -> State:
    """A backbone's tensors under the upstream's names."""
    draw, names = Drawer(net.names, seed), net.names
    for way in ("slow", "fast"):
        conv, norm = names.stem(way)
        draw.conv(conv, (net.stem[way], 3, 1 if way == "slow" else 5, 7, 7))
        draw.norm(norm, net.stem[way])
        before = net.stem[way]
        for stage, depth in enumerate(net.depths, start=2):
            mid, out = net.mid[way][stage - 2], net.out[way][stage - 2]
            joined = before + (2 * _fast_width(net, stage - 1) if way == "slow" else 0)
            for block in range(depth):
                time = net.temporal_kernel(way, stage, block)
                width = joined if block == 0 else out
                shapes = [(mid, width, time, 1, 1), (mid, mid, 1, 3, 3), (out, mid, 1, 1, 1)]
                for part, shape in enumerate(shapes):
                    conv, norm = names.branch(way, stage, block, part)
                    draw.conv(conv, shape)
                    draw.norm(norm, shape[0], gain=0.25 if part == 2 else 1.0)
                if block == 0:
                    conv, norm = names.shortcut(way, stage)
                    draw.conv(conv, (out, joined, 1, 1, 1))
                    draw.norm(norm, out)
            before = out
    for number in range(1, 5):
        width = _fast_width(net, number)
        conv, norm = names.fusion(number, net.depths)
        draw.conv(conv, (2 * width, width, net.kernel, 1, 1))
        if norm:
            draw.norm(norm, 2 * width)
    for block in net.non_local:
        for part in ("theta", "phi", "g"):
            draw.conv(names.non_local(block, part), (512, 1024, 1, 1, 1), gain=0.03, bias=True)
        draw.conv(names.non_local(block, "out"), (1024, 512, 1, 1, 1), bias=True)
        draw.norm(names.non_local(block, "bn"), 1024)
    return draw.state


def _fast_width(net: Net, number: int) -> int:
    return net.stem["fast"] if number == 1 else net.out["fast"][number - 2]


def draw_linear(channels: int, classes: int, weight: str, bias: str = "", seed: int = 1) -> State:
    """A fully connected layer's tensors."""
    generator = torch.Generator().manual_seed(seed)
    state = {weight: torch.randn(classes, channels, generator=generator) * channels**-0.5}
    return state | ({bias: torch.randn(classes, generator=generator)} if bias else {})


def draw_relation(
    channels: int,
    classes: int,
    depth: int,
    kernel: int,
    *,
    reduce: int = 1024,
    hidden: int = 512,
    seed: int = 2,
) -> State:
    """ACAR-Net's relation head, bare names."""
    generator = torch.Generator().manual_seed(seed)
    shapes: dict[str, tuple[int, ...]] = {
        "conv_reduce": (reduce, channels, 1, 1),
        "conv1": (hidden, 2 * reduce, 1, 1),
        "conv2": (hidden, hidden, 3, 3),
        "fc1": (hidden, reduce),
        "fc2": (classes, 2 * hidden),
    }
    for layer in range(depth):
        shapes |= {f"hr2o.{layer}.conv_{part}": (hidden, hidden, 3, 3) for part in "qkv"}
        shapes[f"hr2o.{layer}.conv"] = (hidden, hidden, kernel, kernel)
    state = {
        f"{name}.weight": torch.randn(shape, generator=generator) * (2 / np.prod(shape[1:])) ** 0.5
        for name, shape in shapes.items()
    }
    for layer in range(depth):
        state[f"hr2o.{layer}.norm.weight"] = torch.rand(hidden, generator=generator) + 0.5
        state[f"hr2o.{layer}.norm.bias"] = torch.randn(hidden, generator=generator) * 0.2
    return state

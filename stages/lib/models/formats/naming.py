"""Every layer of a SlowFast network with its place, and the table from an upstream's tensor names to ours.

A table is generated whole from the numbers of a network, so it is a bijection by construction: nothing is rewritten by
patterns, and a name that is not in the table is left over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from stages.lib.models.slowfast import SlowFastArch

Kind = Literal["conv", "biased", "norm"]
Pathway = Literal["slow", "fast"]
Shapes = Mapping[str, tuple[int, ...]]
Depths = tuple[int, ...]

PATHWAYS: Final[tuple[Pathway, ...]] = ("slow", "fast")
COUNTER: Final = "num_batches_tracked"
BRANCH: Final = ("a", "b", "c")
PROJECTIONS: Final = ("theta", "phi", "g", "out")

# Tensors of a layer: what ours are called, and what stands behind the layer's name upstream.
TORCH_SUFFIXES: Final[Mapping[Kind, Mapping[str, str]]] = {
    "conv": {"weight": ".weight"},
    "biased": {"weight": ".weight", "bias": ".bias"},
    "norm": {
        name: f".{name}" for name in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    },
}


@dataclass(frozen=True)
class Layer:
    """A layer that holds tensors: our name, and its place.

    stage: 1 the stem, 2-5 the residual stages; of a fusion the stage whose fast output it reads. part: stem, fusion,
    shortcut, a, b or c of a bottleneck; of a non-local block theta, phi, g or out (its batch norm is out's).
    """

    ours: str
    kind: Kind
    pathway: Pathway
    stage: int
    block: int
    part: str


@dataclass(frozen=True)
class Head:
    """An upstream head: its kind and sizes, and the table from its tensor names to ours."""

    kind: Literal["linear", "acar"]
    channels: int
    classes: int
    table: Mapping[str, str]
    reduce: int | None = None
    hidden: int | None = None
    depth: int | None = None
    output_kernel: int | None = None
    bias: bool = False


@dataclass(frozen=True)
class Naming:
    """How an upstream calls the tensors of backbone and head.

    layer: name of a layer in a network with these depths, with or without batch norm in its fusions. markers: names of
    which a backbone or a whole head has some. lone: names of a file that holds a linear head alone. prefixes: what may
    stand before a name, one of each group, in this order. head: the head among some shapes, or None.
    """

    title: str
    layer: Callable[[Layer, Depths, bool], str]
    suffixes: Mapping[Kind, Mapping[str, str]]
    backbone_markers: frozenset[str]
    head_markers: frozenset[str]
    lone: frozenset[str]
    prefixes: tuple[tuple[str, ...], ...]
    head: Callable[[Shapes], Head | None]

    def plain(self, name: str) -> str:
        """The name without what wrappers put before it."""
        for group in self.prefixes:
            name = next((name.removeprefix(prefix) for prefix in group if name.startswith(prefix)), name)
        return name

    def recognises(self, names: frozenset[str]) -> bool:
        """Whether plain names are of this family."""
        return bool(names & (self.backbone_markers | self.head_markers)) or (
            bool(names) and names <= self.lone
        )

    def table(self, arch: SlowFastArch) -> dict[str, str]:
        """Our name of every tensor of a backbone, by its name here."""
        return {
            f"{self.layer(layer, arch.depths, arch.fusion_bn)}{suffix}": f"{layer.ours}.{ours}"
            for layer in layers(arch)
            for ours, suffix in self.suffixes[layer.kind].items()
        }


def linear_head(shapes: Shapes, weight: str, bias: str) -> Head | None:
    """The linear head whose tensors are called `weight` and `bias` (None when there is no such weight matrix)."""
    if len(shapes.get(weight, ())) != 2:
        return None
    classes, channels = shapes[weight]
    table = {weight: "fc.weight"} | ({bias: "fc.bias"} if bias in shapes else {})
    return Head("linear", channels, classes, table, bias=bias in shapes)


def layers(arch: SlowFastArch) -> Iterator[Layer]:
    """All layers of a network that hold tensors: slow pathway, fast pathway, fusions."""
    for pathway in PATHWAYS:
        yield from _with_norm(f"{pathway}.stem.conv", f"{pathway}.stem.bn", pathway, 1, 0, "stem")
        for stage, depth in enumerate(arch.depths, start=2):
            for block in range(depth):
                yield from _bottleneck(pathway, stage, block)
                if pathway == "slow" and stage == 4 and block in arch.non_local:
                    yield from _non_local(pathway, stage, block)
    for stage in range(1, len(arch.depths) + 1):
        both = list(_with_norm(f"fuse.{stage - 1}.conv", f"fuse.{stage - 1}.bn", "fast", stage, 0, "fusion"))
        yield from both if arch.fusion_bn else both[:1]


def _with_norm(
    conv: str, norm: str, pathway: Pathway, stage: int, block: int, part: str, kind: Kind = "conv"
) -> Iterator[Layer]:
    yield Layer(conv, kind, pathway, stage, block, part)
    yield Layer(norm, "norm", pathway, stage, block, part)


def _bottleneck(pathway: Pathway, stage: int, block: int) -> Iterator[Layer]:
    name = f"{pathway}.res{stage}.{block}"
    for part in BRANCH:
        yield from _with_norm(f"{name}.conv_{part}", f"{name}.bn_{part}", pathway, stage, block, part)
    if block == 0:
        yield from _with_norm(
            f"{name}.shortcut.conv", f"{name}.shortcut.bn", pathway, stage, block, "shortcut"
        )


def _non_local(pathway: Pathway, stage: int, block: int) -> Iterator[Layer]:
    name = f"{pathway}.res{stage}.{block}.non_local"
    for part in PROJECTIONS[:3]:
        yield Layer(f"{name}.conv_{part}", "biased", pathway, stage, block, part)
    yield from _with_norm(f"{name}.conv_out", f"{name}.bn_out", pathway, stage, block, "out", "biased")

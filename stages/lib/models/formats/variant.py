"""What names and shapes say: whose naming it is, and which network, down to the temporal kernel of every block."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import Final, Literal

from stages.lib.errors import StageError
from stages.lib.models.formats import acar, caffe2, pyslowfast
from stages.lib.models.formats.naming import BRANCH, PATHWAYS, Kind, Layer, Naming, Pathway, Shapes
from stages.lib.models.slowfast import ARCHS, PathwayArch, SlowFastArch
from stages.lib.models.slowfast.arch import Four

NAMINGS: Final = (acar.NAMING, pyslowfast.NAMING, caffe2.NAMING)
STAGES: Final = (2, 3, 4, 5)
MOST_BLOCKS: Final = 64
PYTORCHVIDEO: Final = "blocks.0.multipathway_blocks."
DEPTH_NAMES: Final = {
    (3, 4, 6, 3): "R50",
    (3, 4, 23, 3): "R101",
    (3, 8, 36, 3): "R152",
    (3, 24, 36, 3): "R200",
}


def find_naming(names: Iterable[str], where: str) -> Naming:
    """The upstream whose names these are; StageError when it is none of those that are known."""
    listed = list(names)
    for naming in NAMINGS:
        if naming.recognises(frozenset(map(naming.plain, listed))):
            return naming
    if any(name.removeprefix("module.").startswith(PYTORCHVIDEO) for name in listed):
        raise StageError(
            "these are PyTorchVideo's names of a SlowFast network, which are not read",
            where,
            "give the file of the same network from PySlowFast's model zoo",
        )
    known = ", ".join(f"{min(naming.backbone_markers)} ({naming.title})" for naming in NAMINGS)
    first = (
        f"its {len(listed)} tensors begin with {', '.join(listed[:3])}" if listed else "it holds no tensor"
    )
    raise StageError(
        f"not the names of a network that can be imported: {first}; looked for {known} and the like",
        where,
        "give a SlowFast or ACAR checkpoint of ACAR-Net, PySlowFast, its Caffe2 zoo, or of this project",
    )


def infer_arch(naming: Naming, shapes: Shapes, where: str) -> SlowFastArch:
    """The numbers of a backbone from its shapes; alpha, the last stage's stride and non-local pools do not show in them.

    Raises:
        StageError: a tensor is missing or not of five dimensions without which the numbers cannot be told.
    """
    blind = _Look(naming, shapes, where, (0, 0, 0, 0), fusion_bn=False)
    depths = _four(blind.count(stage) for stage in STAGES)
    with_norm = dataclasses.replace(blind, depths=depths, fusion_bn=True)
    fusion_bn = any(with_norm.has(_fusion(stage, "norm")) for stage in range(1, 5))
    look = dataclasses.replace(with_norm, fusion_bn=fusion_bn)
    slow, fast = (_pathway(look, pathway) for pathway in PATHWAYS)
    kernel = look.shape(_fusion(1, "conv"))[2]
    return SlowFastArch(depths, slow, fast, kernel, fusion_bn, non_local=look.non_local())


def find_row(arch: SlowFastArch, where: str) -> str:
    """The name of the row of the architecture table with these numbers; StageError that describes them if there is none."""
    for name, row in ARCHS.items():
        seen = dataclasses.replace(
            arch, alpha=row.alpha, last_stride=row.last_stride, last_dilation=row.last_dilation
        )
        if seen == row:
            return name
    told = "; ".join(f"{title} {text}" for title, text in describe_arch(arch).items())
    if DEPTH_NAMES.get(arch.depths) == "R50" and arch.fusion_bn and arch.fusion_kernel == 5:
        told += "; PySlowFast's 4x16 networks are like this, whose slow pathway sees every 8th fast frame: they are not read"
    raise StageError(
        f"a SlowFast network that is none of the architectures {', '.join(ARCHS)}: {told}",
        where,
        "give weights of one of them, or add the network as a row of stages/lib/models/slowfast/arch.py",
    )


def describe_arch(arch: SlowFastArch) -> dict[str, str]:
    """Depth, widths, fusions, temporal kernels and non-local blocks in words, by title."""
    blocks = "-".join(map(str, arch.depths))
    norm = "batch norm and ReLU" if arch.fusion_bn else "convolution only"
    kernels = [f"{stage}: {_runs(arch, stage)}" for stage in STAGES]
    places, pool = ", ".join(map(str, arch.non_local)), "x".join(map(str, arch.non_local_pool))
    return {
        "depth": f"{DEPTH_NAMES.get(arch.depths, 'unnamed')} ({blocks} blocks)",
        "widths": f"slow {arch.slow.stem} to {arch.slow.out[3]}, fast {arch.fast.stem} to {arch.fast.out[3]}",
        "fusions": f"kernel {arch.fusion_kernel}, {norm}",
        "temporal kernels": f"(slow/fast) of stage {', '.join(kernels)}",
        "non-local blocks": f"after blocks {places} of the slow pathway's stage 4, keys pooled {pool}"
        if places
        else "none",
    }


def _runs(arch: SlowFastArch, stage: int) -> str:
    """`3/3`, or `3 x6 1 x17/3` where the blocks of a stage differ."""
    told = []
    for pathway in (arch.slow, arch.fast):
        runs = [(kernel, len(list(run))) for kernel, run in groupby(pathway.temporal_kernels[stage - 2])]
        told.append(" ".join(str(kernel) + (f" x{count}" if len(runs) > 1 else "") for kernel, count in runs))
    return "/".join(told)


def _four(values: Iterable[int]) -> Four:
    first, second, third, fourth = values
    return first, second, third, fourth


def _fusion(stage: int, kind: Kind) -> Layer:
    return Layer("", kind, "fast", stage, 0, "fusion")


def _pathway(look: _Look, pathway: Pathway) -> PathwayArch:
    stem = look.shape(Layer("", "conv", pathway, 1, 0, "stem"))
    mid = _four(look.block(pathway, stage, 0, "a")[0] for stage in STAGES)
    out = _four(look.block(pathway, stage, 0, "c")[0] for stage in STAGES)
    kernels = tuple(
        tuple(look.block(pathway, stage, block, "a")[2] for block in range(depth))
        for stage, depth in zip(STAGES, look.depths, strict=True)
    )
    return PathwayArch(stem[0], stem[2], mid, out, kernels)


@dataclass(frozen=True)
class _Look:
    """Shapes of convolutions by their place instead of their name."""

    naming: Naming
    shapes: Shapes
    where: str
    depths: tuple[int, ...]
    fusion_bn: bool

    def name(self, layer: Layer) -> str:
        suffix = self.naming.suffixes[layer.kind]["weight"]
        return self.naming.layer(layer, self.depths, self.fusion_bn) + suffix

    def has(self, layer: Layer) -> bool:
        return self.name(layer) in self.shapes

    def shape(self, layer: Layer) -> tuple[int, ...]:
        name = self.name(layer)
        found = self.shapes.get(name)
        if found is not None and len(found) == 5:
            return found
        what = (
            f"{name} is missing" if found is None else f"{name} has shape {list(found)}, not five dimensions"
        )
        raise StageError(
            f"{what}, so this is no whole SlowFast network in the naming of {self.naming.title}",
            self.where,
            "give a whole checkpoint of a network with a slow and a fast pathway",
        )

    def block(
        self, pathway: Pathway, stage: int, block: int, part: Literal["a", "b", "c"]
    ) -> tuple[int, ...]:
        return self.shape(Layer("", "conv", pathway, stage, block, part))

    def count(self, stage: int) -> int:
        """Blocks of a stage: up to the first of which neither pathway has any convolution; at least one."""
        for block in range(MOST_BLOCKS):
            layers = [Layer("", "conv", way, stage, block, part) for way in PATHWAYS for part in BRANCH]
            if not any(map(self.has, layers)):
                return max(block, 1)
        return MOST_BLOCKS

    def non_local(self) -> tuple[int, ...]:
        """The blocks of the slow pathway's stage 4 that a non-local block follows."""
        if self.naming is acar.NAMING:
            return ()
        return tuple(
            block
            for block in range(self.depths[2])
            if self.has(Layer("", "biased", "slow", 4, block, "theta"))
        )

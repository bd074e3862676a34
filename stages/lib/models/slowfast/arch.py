"""The SlowFast family as a table of numbers (arXiv 1812.03982, table 1; ACAR's detection variant)."""

from __future__ import annotations

from dataclasses import dataclass

from stages.lib.errors import StageError

Four = tuple[int, int, int, int]
Three = tuple[int, int, int]
Kernels = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class PathwayArch:
    """One pathway: channels of the stem and of the four stages, and the temporal kernel of every block."""

    stem: int
    stem_kernel: int
    mid: Four
    out: Four
    temporal_kernels: Kernels


@dataclass(frozen=True)
class SlowFastArch:
    """One network: blocks per stage, both pathways, lateral fusions, last stage, non-local blocks.

    `non_local` lists the blocks of the slow pathway's third stage (res4) that a non-local block follows; their keys are
    pooled by `non_local_pool` (time, height, width), which does not show in the weights.
    """

    depths: Four
    slow: PathwayArch
    fast: PathwayArch
    fusion_kernel: int
    fusion_bn: bool
    alpha: int = 4
    last_stride: int = 1
    last_dilation: int = 2
    non_local: tuple[int, ...] = ()
    non_local_pool: Three = (2, 2, 2)

    @property
    def channels(self) -> int:
        """Channels of the concatenated context map."""
        return self.slow.out[3] + self.fast.out[3]


def full_kernels(depths: Four, kernels: Four) -> Kernels:
    """One temporal kernel for all blocks of a stage."""
    return tuple((kernel,) * depth for kernel, depth in zip(kernels, depths, strict=True))


def leading_kernels(depths: Four, kernels: Four, leading: Four) -> Kernels:
    """The stage's temporal kernel in its first `leading` blocks, 1 in the rest (PySlowFast's "50_50")."""
    return tuple(
        tuple(kernel if block < first else 1 for block in range(depth))
        for kernel, depth, first in zip(kernels, depths, leading, strict=True)
    )


_SLOW, _FAST = (1, 1, 3, 3), (3, 3, 3, 3)
_WIDE_MID, _WIDE_OUT = (64, 128, 256, 512), (256, 512, 1024, 2048)
_NARROW_MID, _NARROW_OUT = (8, 16, 32, 64), (32, 64, 128, 256)


def _standard(
    depths: Four,
    *,
    fusion_kernel: int,
    fusion_bn: bool,
    leading: Four | None = None,
    fast_leading: Four | None = None,
    non_local: tuple[int, ...] = (),
    non_local_pool: Three = (2, 2, 2),
) -> SlowFastArch:
    """A network of the published widths; `leading` blocks of each stage are temporal, all of them by default."""
    first = depths if leading is None else leading
    fast_first = first if fast_leading is None else fast_leading
    slow = PathwayArch(64, 1, _WIDE_MID, _WIDE_OUT, leading_kernels(depths, _SLOW, first))
    fast = PathwayArch(8, 5, _NARROW_MID, _NARROW_OUT, leading_kernels(depths, _FAST, fast_first))
    return SlowFastArch(
        depths,
        slow,
        fast,
        fusion_kernel,
        fusion_bn,
        non_local=non_local,
        non_local_pool=non_local_pool,
    )


def _playground() -> SlowFastArch:
    """One bottleneck per stage and a quarter of the channels or less, for the drawn world."""
    depths = (1, 1, 1, 1)
    slow = PathwayArch(16, 1, (12, 24, 48, 64), (48, 96, 192, 256), full_kernels(depths, _SLOW))
    fast = PathwayArch(4, 5, (4, 8, 12, 16), (16, 32, 48, 64), full_kernels(depths, _FAST))
    return SlowFastArch(depths, slow, fast, fusion_kernel=5, fusion_bn=True)


_R50, _R101, _R152 = (3, 4, 6, 3), (3, 4, 23, 3), (3, 8, 36, 3)

# PySlowFast writes R101 with two numbers, one per pathway: "50" has a temporal kernel in the first 6 blocks of res4 only,
# as many as R50 has there. "50_50" is published with non-local blocks (AVA) and without (Kinetics). The published blocks
# pool 2x2x2; 1x2x2 is what PySlowFast does when a configuration does not say.

_NON_LOCAL = (6, 13, 20)

ARCHS: dict[str, SlowFastArch] = {
    "r50": _standard(_R50, fusion_kernel=7, fusion_bn=True),
    "r101": _standard(_R101, fusion_kernel=5, fusion_bn=False),
    "r101-bn": _standard(_R101, fusion_kernel=5, fusion_bn=True),
    "r101-50-50": _standard(_R101, fusion_kernel=5, fusion_bn=True, leading=_R50, non_local=_NON_LOCAL),
    "r101-50-50-pool122": _standard(
        _R101,
        fusion_kernel=5,
        fusion_bn=True,
        leading=_R50,
        non_local=_NON_LOCAL,
        non_local_pool=(1, 2, 2),
    ),
    "r101-50-50-plain": _standard(_R101, fusion_kernel=5, fusion_bn=True, leading=_R50),
    "r101-50-101": _standard(_R101, fusion_kernel=5, fusion_bn=True, leading=_R50, fast_leading=_R101),
    "r152": _standard(_R152, fusion_kernel=5, fusion_bn=False),
    "playground": _playground(),
}


def find_arch(name: str) -> SlowFastArch:
    """The row of the table called `name`; StageError for an unknown one."""
    if name not in ARCHS:
        raise StageError(f"unknown architecture {name!r}", "backbones", f"one of {', '.join(ARCHS)}")
    return ARCHS[name]

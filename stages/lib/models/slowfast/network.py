"""The SlowFast network: two pathways joined by lateral connections before every residual stage.

Shapes: B clips, C channels, T slow frames, F fast frames, H W pixels, h w cells (H/16, W/16, rounded up).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from stages.lib.models.slowfast.blocks import Bottleneck, Fusion, Stem

STAGES = 4


class Pathway(nn.Module):
    """The layers of one pathway: `stem`, `res2` ... `res5`; `extra` channels arrive before each stage."""

    def __init__(
        self,
        *,
        stem: int,
        stem_kernel: int,
        mid: Sequence[int],
        out: Sequence[int],
        temporal_kernels: Sequence[Sequence[int]],
        extra: Sequence[int],
        last_stride: int,
        last_dilation: int,
        non_local: Sequence[int] = (),
        non_local_pool: tuple[int, int, int] = (2, 2, 2),
    ) -> None:
        super().__init__()
        self.stem = Stem(stem, stem_kernel)
        widths = [stem, *out]
        strides, dilations = (1, 2, 2, last_stride), (1, 1, 1, last_dilation)
        stages = [
            _residual_stage(
                widths[n] + extra[n],
                mid[n],
                out[n],
                kernels=temporal_kernels[n],
                stride=strides[n],
                dilation=dilations[n],
                non_local=non_local if n == 2 else (),
                non_local_pool=non_local_pool,
            )
            for n in range(STAGES)
        ]
        self.res2, self.res3, self.res4, self.res5 = stages

    def stages(self) -> tuple[nn.Module, ...]:
        """The four residual stages in order."""
        return self.res2, self.res3, self.res4, self.res5


class SlowFast(nn.Module):
    """Two-pathway video network without temporal stride; stage 5 keeps stride 16 by dilation in detection."""

    def __init__(
        self,
        *,
        slow_stem: int,
        slow_mid: Sequence[int],
        slow_out: Sequence[int],
        slow_temporal_kernels: Sequence[Sequence[int]],
        fast_stem: int,
        fast_mid: Sequence[int],
        fast_out: Sequence[int],
        fast_temporal_kernels: Sequence[Sequence[int]],
        alpha: int,
        fusion_kernel: int,
        fusion_bn: bool,
        slow_stem_kernel: int = 1,
        fast_stem_kernel: int = 5,
        last_stride: int = 1,
        last_dilation: int = 2,
        non_local: Sequence[int] = (),
        non_local_pool: tuple[int, int, int] = (2, 2, 2),
    ) -> None:
        super().__init__()
        self.alpha = alpha
        self.slow_channels, self.fast_channels = slow_out[-1], fast_out[-1]
        fast_widths = [fast_stem, *fast_out[:-1]]
        self.slow = Pathway(
            stem=slow_stem,
            stem_kernel=slow_stem_kernel,
            mid=slow_mid,
            out=slow_out,
            temporal_kernels=slow_temporal_kernels,
            extra=[2 * width for width in fast_widths],
            last_stride=last_stride,
            last_dilation=last_dilation,
            non_local=non_local,
            non_local_pool=non_local_pool,
        )
        self.fast = Pathway(
            stem=fast_stem,
            stem_kernel=fast_stem_kernel,
            mid=fast_mid,
            out=fast_out,
            temporal_kernels=fast_temporal_kernels,
            extra=[0] * STAGES,
            last_stride=last_stride,
            last_dilation=last_dilation,
        )
        self.fuse = nn.ModuleList(
            Fusion(width, 2 * width, kernel=fusion_kernel, alpha=alpha, norm=fusion_bn)
            for width in fast_widths
        )

    def forward(self, slow_BCTHW: Tensor, fast_BCFHW: Tensor) -> tuple[Tensor, Tensor]:
        """Feature maps of both pathways, (B,C_slow,T,h,w) and (B,C_fast,F,h,w); F must be alpha times T."""
        if fast_BCFHW.shape[2] != self.alpha * slow_BCTHW.shape[2]:
            raise ValueError(
                f"{fast_BCFHW.shape[2]} fast frames are not {self.alpha} x {slow_BCTHW.shape[2]} slow frames"
            )
        slow, fast = self.slow.stem(slow_BCTHW), self.fast.stem(fast_BCFHW)
        for fuse, slow_stage, fast_stage in zip(
            self.fuse, self.slow.stages(), self.fast.stages(), strict=True
        ):
            slow = slow_stage(fuse(slow, fast))
            fast = fast_stage(fast)
        return slow, fast


def context_maps(slow_BCThw: Tensor, fast_BCFhw: Tensor) -> Tensor:
    """Context maps (B,C,h,w): the time mean of each pathway, slow channels first (ACAR, section 3.1)."""
    return torch.cat([slow_BCThw.mean(dim=2), fast_BCFhw.mean(dim=2)], dim=1)


def _residual_stage(
    in_channels: int,
    mid_channels: int,
    channels: int,
    *,
    kernels: Sequence[int],
    stride: int,
    dilation: int,
    non_local: Sequence[int],
    non_local_pool: tuple[int, int, int],
) -> nn.Sequential:
    """One block per temporal kernel; the first has the stage's stride and the projection."""
    return nn.Sequential(
        *(
            Bottleneck(
                in_channels if block == 0 else channels,
                mid_channels,
                channels,
                temporal_kernel=kernel,
                stride=stride if block == 0 else 1,
                dilation=dilation,
                projection=block == 0,
                non_local_channels=channels // 2 if block in non_local else None,
                non_local_pool=non_local_pool,
            )
            for block, kernel in enumerate(kernels)
        )
    )

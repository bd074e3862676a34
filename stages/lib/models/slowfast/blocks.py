"""Building blocks of SlowFast: stem, bottleneck, lateral fusion, non-local block.

Shapes: B clips, C channels, T frames of the pathway, H W pixels or cells, P positions (T*H*W), Q pooled ones.
A convolution `conv*` is followed by the batch norm of the same suffix, `bn*`; folding relies on it.
"""

from __future__ import annotations

import functools

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Stem(nn.Module):
    """Strided (t,7,7) convolution, batch norm, ReLU, (1,3,3) max-pool: to (B,C,T,H/4,W/4), rounded up."""

    def __init__(self, channels: int, temporal_kernel: int, in_channels: int = 3) -> None:
        super().__init__()
        kernel, padding = (temporal_kernel, 7, 7), (temporal_kernel // 2, 3, 3)
        self.conv = nn.Conv3d(in_channels, channels, kernel, stride=(1, 2, 2), padding=padding, bias=False)
        self.bn = nn.BatchNorm3d(channels)
        self.pool = nn.MaxPool3d((1, 3, 3), stride=(1, 2, 2), padding=(0, 1, 1))

    def forward(self, x_BCTHW: Tensor) -> Tensor:
        by_taps = torch.is_grad_enabled() and x_BCTHW.device.type == "cpu" and self.conv.kernel_size[0] > 1
        if not by_taps:
            return self.pool(F.relu(self.bn(self.conv(x_BCTHW)), inplace=True))
        # frames stand as clips of one frame in plain memory: with few channels, batch norm is then four times faster
        y = self.pool(F.relu(self.bn(convolve_by_taps(x_BCTHW, self.conv.weight)), inplace=True))
        y_BTOhw = y.reshape(x_BCTHW.shape[0], x_BCTHW.shape[2], y.shape[1], *y.shape[3:])
        return y_BTOhw.transpose(1, 2).contiguous(memory_format=torch.channels_last_3d)


def convolve_by_taps(x_BCTHW: Tensor, weight_OCKhw: Tensor) -> Tensor:
    """The stem's convolution as one 2D convolution with K*O outputs per frame, then a sum over K shifted frames.

    Returns (B*T,O,1,h,w), frame by frame. Same numbers up to the order of the sum. On a CPU the gradient of a 3D
    convolution with few channels takes a third of a training step; this form makes the whole step a quarter cheaper.
    """
    outputs, _, taps, _, side = weight_OCKhw.shape
    clips, frames = x_BCTHW.shape[0], x_BCTHW.shape[2]
    kernels = weight_OCKhw.permute(2, 0, 1, 3, 4).flatten(0, 1)
    y = F.conv2d(x_BCTHW.transpose(1, 2).flatten(0, 1), kernels, stride=2, padding=side // 2)
    y_BTKOhw = y.reshape(clips, frames, taps, outputs, *y.shape[2:])
    parts = [frame.unbind(1) for frame in y_BTKOhw.unbind(1)]
    summed = []
    for first in range(-(taps // 2), frames - taps // 2):
        seen = [parts[first + tap][tap] for tap in range(taps) if 0 <= first + tap < frames]
        summed.append(functools.reduce(torch.add, seen))
    return torch.stack(summed, dim=1).flatten(0, 1).unsqueeze(2)


class Shortcut(nn.Module):
    """Projection of a stage's first block: 1x1x1 convolution with the block's spatial stride, batch norm."""

    def __init__(self, in_channels: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv = nn.Conv3d(in_channels, channels, 1, stride=(1, stride, stride), bias=False)
        self.bn = nn.BatchNorm3d(channels)

    def forward(self, x_BCTHW: Tensor) -> Tensor:
        return self.bn(self.conv(x_BCTHW))


class NonLocal(nn.Module):
    """Dot-product non-local block over space and time (arXiv 1711.07971), keys pooled by `pool` (time, height, width).

    y = theta(x)^T phi(x') g(x')^T / Q with x' the pooled input; the product of phi and g is taken first, which is
    the same number without the P x Q matrix. Its batch norm starts at zero, so a fresh block is the identity.
    """

    def __init__(self, channels: int, inner: int, pool: tuple[int, int, int] = (2, 2, 2)) -> None:
        super().__init__()
        self.pool = nn.MaxPool3d(pool, stride=pool)
        self.conv_theta = nn.Conv3d(channels, inner, 1)
        self.conv_phi = nn.Conv3d(channels, inner, 1)
        self.conv_g = nn.Conv3d(channels, inner, 1)
        self.conv_out = nn.Conv3d(inner, channels, 1)
        self.bn_out = nn.BatchNorm3d(channels)
        nn.init.zeros_(self.bn_out.weight)

    def forward(self, x_BCTHW: Tensor) -> Tensor:
        pooled = self.pool(x_BCTHW)
        theta = self.conv_theta(x_BCTHW)
        phi_BCQ, g_BCQ = self.conv_phi(pooled).flatten(2), self.conv_g(pooled).flatten(2)
        mixing_BCC = g_BCQ @ phi_BCQ.transpose(1, 2) / phi_BCQ.shape[2]
        y_BCP = mixing_BCC @ theta.flatten(2)
        return x_BCTHW + self.bn_out(self.conv_out(y_BCP.view_as(theta)))


class Bottleneck(nn.Module):
    """Residual block: (t,1,1), (1,3,3) with the spatial stride and dilation, 1x1x1; batch norm after each."""

    def __init__(
        self,
        in_channels: int,
        mid_channels: int,
        channels: int,
        *,
        temporal_kernel: int,
        stride: int = 1,
        dilation: int = 1,
        projection: bool = False,
        non_local_channels: int | None = None,
        non_local_pool: tuple[int, int, int] = (2, 2, 2),
    ) -> None:
        super().__init__()
        temporal = (temporal_kernel, 1, 1)
        self.conv_a = nn.Conv3d(
            in_channels, mid_channels, temporal, padding=(temporal_kernel // 2, 0, 0), bias=False
        )
        self.bn_a = nn.BatchNorm3d(mid_channels)
        self.conv_b = nn.Conv3d(
            mid_channels,
            mid_channels,
            (1, 3, 3),
            stride=(1, stride, stride),
            padding=(0, dilation, dilation),
            dilation=(1, dilation, dilation),
            bias=False,
        )
        self.bn_b = nn.BatchNorm3d(mid_channels)
        self.conv_c = nn.Conv3d(mid_channels, channels, 1, bias=False)
        self.bn_c = nn.BatchNorm3d(channels)
        self.shortcut = Shortcut(in_channels, channels, stride) if projection else None
        self.non_local = None
        if non_local_channels is not None:
            self.non_local = NonLocal(channels, non_local_channels, non_local_pool)

    def forward(self, x_BCTHW: Tensor) -> Tensor:
        y = F.relu(self.bn_a(self.conv_a(x_BCTHW)), inplace=True)
        y = F.relu(self.bn_b(self.conv_b(y)), inplace=True)
        y = self.bn_c(self.conv_c(y))
        y = F.relu(y + (x_BCTHW if self.shortcut is None else self.shortcut(x_BCTHW)), inplace=True)
        return y if self.non_local is None else self.non_local(y)


class Fusion(nn.Module):
    """Lateral connection: fast features, convolved in time with stride alpha, after the slow channels."""

    def __init__(self, fast_channels: int, channels: int, *, kernel: int, alpha: int, norm: bool) -> None:
        super().__init__()
        window, padding = (kernel, 1, 1), (kernel // 2, 0, 0)
        self.conv = nn.Conv3d(
            fast_channels, channels, window, stride=(alpha, 1, 1), padding=padding, bias=False
        )
        self.bn = nn.BatchNorm3d(channels) if norm else None

    def forward(self, slow_BCTHW: Tensor, fast_BCTHW: Tensor) -> Tensor:
        lateral = self.conv(fast_BCTHW)
        if self.bn is not None:
            lateral = F.relu(self.bn(lateral), inplace=True)
        return torch.cat([slow_BCTHW, lateral], dim=1)

"""Which frames of the fast clip the slow pathway sees: a property of the weights, kept with them."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

SlowRule = Literal["full-span", "stride"]


def slow_indices(fast_frames: int, alpha: int, rule: SlowRule) -> tuple[int, ...]:
    """Positions in the fast clip of the slow pathway's frames, ascending.

    "stride" takes every alpha-th frame from the first on (the ACAR team's K700 weights); "full-span" spreads
    `fast_frames / alpha` frames from the first to the last one (PySlowFast's weights). Integer arithmetic:
    the floor is exact where a float linspace could round 21.0 to 20.
    """
    if rule not in ("full-span", "stride"):
        raise ValueError(f"unknown slow rule {rule!r}: full-span or stride")
    if alpha < 1 or fast_frames < alpha or fast_frames % alpha:
        raise ValueError(f"{fast_frames} fast frames cannot be divided by alpha {alpha}")
    if rule == "stride":
        return tuple(range(0, fast_frames, alpha))
    count = fast_frames // alpha
    return tuple(step * (fast_frames - 1) // max(count - 1, 1) for step in range(count))


def split_pathways(clip_BCFHW: Tensor, alpha: int, rule: SlowRule) -> tuple[Tensor, Tensor]:
    """The two inputs of the network from one normalised clip: slow (B,C,F/alpha,H,W) and fast (B,C,F,H,W)."""
    chosen = list(slow_indices(clip_BCFHW.shape[2], alpha, rule))
    return clip_BCFHW[:, :, chosen], clip_BCFHW

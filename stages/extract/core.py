"""Context maps of clips in one or more views: resize, mirror, normalise, split into pathways, run, average over time.

Shapes: B clips, F fast frames, T slow frames, H W pixels of the cached frames, C channels, h w cells (1/16, rounded up).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from stages.lib.geometry.views import View
from stages.lib.halving import Batches
from stages.lib.models.engines import Engine
from stages.lib.models.runtime import to_device
from stages.lib.models.slowfast import SlowRule, split_pathways

Frames = NDArray[np.uint8]


@dataclass(frozen=True)
class Normalisation:
    """Mean and deviation of RGB values scaled to [0, 1]."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]


class Extractor:
    """An engine and how its input is made: `alpha` fast frames for one slow frame, chosen by `rule`; `batch` clips at most."""

    def __init__(
        self,
        engine: Engine,
        normalisation: Normalisation,
        device: torch.device,
        *,
        alpha: int,
        rule: SlowRule,
        batch: int = 1 << 30,
    ) -> None:
        self._engine, self._device = engine, device
        self.batches = Batches(batch)
        self._alpha, self._rule = alpha, rule
        mean, std = (
            torch.tensor(values, device=device) for values in (normalisation.mean, normalisation.std)
        )
        # (x / 255 - mean) / std as one multiplication and one addition per value.
        self._factor, self._shift = 1.0 / (255.0 * std), -mean / std

    def maps(self, frames_BFHWC: Frames, view: View) -> NDArray[np.float32]:
        """Context maps (B,C,h,w) of clips of one size in a view; the map of a mirrored view is mirrored as well."""
        return np.concatenate(
            list(self.batches.of(len(frames_BFHWC), lambda clips: self._maps(frames_BFHWC[clips], view)))
        )

    @torch.inference_mode()
    def _maps(self, frames_BFHWC: Frames, view: View) -> NDArray[np.float32]:
        resized_BFHWC = resize_frames(to_device(torch.from_numpy(frames_BFHWC), self._device), view)
        slow, fast = split_pathways(self._normalised(resized_BFHWC), self._alpha, self._rule)
        return self._engine(slow, fast).cpu().numpy()

    def _normalised(self, frames_BFHWC: Tensor) -> Tensor:
        """(B,C,F,H,W) in channels-last memory; whole rows of pixels at once, which is faster than triples."""
        width = frames_BFHWC.shape[3]
        rows = (
            frames_BFHWC.float().flatten(3).mul_(self._factor.repeat(width)).add_(self._shift.repeat(width))
        )
        return rows.view(frames_BFHWC.shape).permute(0, 4, 1, 2, 3)


def resize_frames(frames_BFHWC: Tensor, view: View) -> Tensor:
    """Frames at the view's size, antialiased bilinear as in PIL, mirrored where the view is; unchanged if they fit."""
    batch, count, height, width, _ = frames_BFHWC.shape
    size = view.size(height, width)
    frames = frames_BFHWC
    if size != (height, width):
        flat_NCHW = frames.flatten(0, 1).permute(0, 3, 1, 2)
        if flat_NCHW.is_cuda:
            flat_NCHW = flat_NCHW.float()
        scaled = F.interpolate(flat_NCHW, size=size, mode="bilinear", align_corners=False, antialias=True)
        frames = scaled.permute(0, 2, 3, 1).reshape(batch, count, *size, 3).contiguous()
    return frames.flip(3) if view.flip else frames


@dataclass(frozen=True)
class Plan:
    """Work in groups that are written together: per group its keyframes in order, and batches of equal frame size."""

    rows: tuple[int, ...]
    batches: tuple[tuple[int, ...], ...]


def plan_batches(wanted_K: NDArray[np.bool_], size_K2: NDArray[np.int32], batch: int) -> list[Plan]:
    """Cut the keyframes into groups of a few batches; those without `wanted` are in a group but in no batch.

    Within a group keyframes of one frame size share batches, whatever stands between them; groups keep the order.
    """
    plans, rows = [], np.arange(len(wanted_K))
    for first in range(0, len(rows), 4 * batch):
        group = rows[first : first + 4 * batch]
        present = group[wanted_K[group]]
        batches: list[tuple[int, ...]] = []
        for size in sorted({tuple(pair) for pair in size_K2[present].tolist()}):
            same = present[(size_K2[present] == size).all(axis=1)].tolist()
            batches += [tuple(same[at : at + batch]) for at in range(0, len(same), batch)]
        plans.append(Plan(tuple(group.tolist()), tuple(batches)))
    return plans


def maps_of_views(
    extractor: Extractor,
    frames_BFHWC: Frames,
    canonical: View,
    others: Sequence[View],
    is_eval_B: NDArray[np.bool_],
) -> tuple[NDArray[np.float32], dict[str, NDArray[np.float32]]]:
    """The canonical maps of all clips, and by view name the maps of the eval clips among them."""
    maps = {}
    if is_eval_B.any():
        chosen = frames_BFHWC if is_eval_B.all() else frames_BFHWC[is_eval_B]
        maps = {view.name: extractor.maps(chosen, view) for view in others}
    return extractor.maps(frames_BFHWC, canonical), maps

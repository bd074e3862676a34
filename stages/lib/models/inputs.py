"""What a relation head reads: context maps, boxes, and optionally a long-term bank.

Shapes: B keyframes of one grid, N boxes over all of them, C channels, h w cells, S distinct archived items,
L slots of a keyframe's window.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class RelationKeys:
    """Keys and values of archived relation maps, one pair (S,D,h,w), (S,D,h,w) per HR2O layer."""

    pairs: tuple[tuple[Tensor, Tensor], ...]

    def select(self, rows_M: Tensor) -> RelationKeys:
        """The pairs of some archived maps, by rows on any device."""
        return RelationKeys(
            tuple((key[rows_M.to(key.device)], value[rows_M.to(key.device)]) for key, value in self.pairs)
        )


@dataclass(frozen=True)
class BankInput:
    """Archived items, each once, and the slots of every keyframe's window.

    archive: (S,C) raw actor vectors (AFB; the head applies its own input scale) or (S,D,h,w) relation maps
    (ACFB) on the grid and flip of the live view. window_BL: row of the archive in every slot, anything where
    `mask_BL` is false. keys: what `precompute_kv` made of the archive (ACFB in testing); then only the archive's length is read.
    """

    archive: Tensor
    window_BL: Tensor
    mask_BL: Tensor
    keys: RelationKeys | None = None


@dataclass(frozen=True)
class HeadInput:
    """A batch of keyframes whose maps share one grid.

    boxes_N4: xyxy in [0,1] of the frame; box_image_N: int64, the keyframe of each box, any order, keyframes
    without boxes allowed. extent_B2: width and height of the frame in cells of 16 pixels, read by heads that pool by pixels.
    """

    maps_BCHW: Tensor
    boxes_N4: Tensor
    box_image_N: Tensor
    bank: BankInput | None = None
    extent_B2: Tensor | None = None

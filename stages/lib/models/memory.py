"""The bank as heads read it: the windows of some keyframes, each archived item of theirs once.

Shapes: B keyframes, S distinct archived items, L slots, C D channels, H W cells.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stages.lib.errors import StageError
from stages.lib.models.inputs import BankInput
from stages.lib.models.mapstore import MapTable, by_grid
from stages.lib.models.moving import MovingKeys
from stages.lib.models.relation import fit_archive
from stages.lib.models.runtime import to_device
from stages.lib.models.slots import Archive, gather_windows

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class LiveView:
    """How the live maps look: their (height, width) grid, and whether the frames were mirrored."""

    grid: tuple[int, int]
    flipped: bool


@dataclass(frozen=True)
class BankMemory:
    """A bank in memory: what it archives of whom, and the window in seconds in which heads read it.

    items: actor vectors (N,C) (AFB), or the relation maps of the N actors (ACFB).
    """

    archive: Archive
    items: NDArray[np.float16] | MapTable
    window: float

    def read(
        self, chosen_MP: Ints, video_B: Ints, time_B: Ints, view: LiveView, device: torch.device
    ) -> BankInput:
        """The windows of some keyframes of one grid; relation maps come on the grid and flip of the live view."""
        windows = gather_windows(self.archive, chosen_MP, video_B, time_B, self.window)
        used_S, local_BL = windows.compact()
        return BankInput(
            self.look_up(used_S, view, device),
            to_device(torch.from_numpy(local_BL), device),
            to_device(torch.from_numpy(windows.mask_KL), device),
        )

    def read_keys(
        self, chosen_MP: Ints, video_B: Ints, time_B: Ints, keys: MovingKeys, device: torch.device
    ) -> BankInput:
        """The windows of some keyframes with the keys of their maps instead of the maps, whose length alone is given."""
        windows = gather_windows(self.archive, chosen_MP, video_B, time_B, self.window)
        used_S, local_BL = windows.compact()
        return BankInput(
            torch.empty((len(used_S), 0), device=device),
            to_device(torch.from_numpy(local_BL), device),
            to_device(torch.from_numpy(windows.mask_KL), device),
            keys.of(used_S),
        )

    def look_up(self, rows_S: Ints, view: LiveView, device: torch.device) -> Tensor:
        """Archived items of some rows, relation maps as the live view sees them."""
        return to_device(self._items(rows_S, view), device)

    def _items(self, rows_S: Ints, view: LiveView) -> Tensor:
        if not isinstance(self.items, MapTable):
            return torch.from_numpy(self.items[rows_S])
        grid = relation_grid(view.grid)
        if len(rows_S) == 0:
            return torch.zeros((0, self.items.channels() or 1, *grid), dtype=torch.float16)
        parts = by_grid(self.items.grid_K2, rows_S)
        fitted = [
            fit_archive(torch.from_numpy(self.items.take(rows)), grid, flip=view.flipped) for _, rows in parts
        ]
        if len(fitted) == 1:
            return fitted[0]
        order = np.argsort(np.concatenate([rows for _, rows in parts]), kind="stable")
        return torch.cat(fitted)[torch.from_numpy(order)]


def require_channels(bank: BankMemory, channels: int, where: str) -> None:
    """Raise a StageError unless the relation maps have the `channels` that the head reads; an empty bank fits any head."""
    found = bank.items.channels() if isinstance(bank.items, MapTable) else None
    if found not in (None, channels):
        raise StageError(
            f"its maps have {found} channels, the head reads {channels}",
            where,
            "give a bank made by a head of the same `hidden`, or train a head of that size on this bank",
        )


def relation_grid(grid: tuple[int, int]) -> tuple[int, int]:
    """Grid of the relation maps of a context map: a valid 3x3 convolution, then a 3x3 pool of stride 2, pad 1."""
    return (grid[0] - 1) // 2, (grid[1] - 1) // 2

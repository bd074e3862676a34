"""Cached maps for training and prediction: joined over several files, held in memory where they fit, else fetched.

Shapes: K owners (keyframes, or archived actors), B taken at once, C channels, H W cells.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Halves = NDArray[np.float16]

HELD_BYTES: Final = 4 << 30
CELL: Final = 16
"""Pixels of a frame along one cell of a context map."""


class MapSource(Protocol):
    """One file of maps: `grid` (K,2) height and width, `row` (K,) negative where an owner has no map, and their channels.

    size: height and width (K,2) in pixels of the frames they were made from; zeros where that is not known.
    """

    grid: NDArray[np.int32]
    size: NDArray[np.int32]
    row: NDArray[np.int64]
    channels: int | None

    def fill(self, owners: Ints, out_BCHW: Halves) -> None:
        """Read the maps of owners of one grid into `out_BCHW`."""
        ...


class Scratch:
    """A block of memory for maps that are read and soon dropped, used again once nothing refers to it any more.

    Fresh memory of this size costs a fifth of the time of reading into it: its pages are mapped one by one.
    """

    def __init__(self) -> None:
        self._block: Halves = np.empty(0, np.float16)
        self._lent: Callable[[], Halves | None] = _nobody

    def get(self, shape: tuple[int, ...]) -> Halves:
        """An array of this shape with any content."""
        count = int(np.prod(shape))
        if self._lent() is not None or len(self._block) < count:
            self._block = np.empty(count + count // 4, np.float16)
        # Over a memoryview, so that arrays and tensors cut from the lent array keep it, not the block, alive.
        lent: Halves = np.asarray(self._block.data)
        self._lent = weakref.ref(lent)
        return lent[:count].reshape(shape)


def _nobody() -> None:
    """A reference to an array that is gone."""


class MapTable:
    """The maps of all sources, owners counted through: first those of the first source, then of the second."""

    def __init__(self, sources: Sequence[MapSource]) -> None:
        self._sources = list(sources)
        counts = [len(source.row) for source in self._sources]
        self._first = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        self.grid_K2 = np.concatenate(
            [np.zeros((0, 2), np.int64), *(source.grid for source in self._sources)]
        )
        self._size_K2 = np.concatenate(
            [np.zeros((0, 2), np.int64), *(source.size for source in self._sources)]
        )
        self.has_K = np.concatenate([np.zeros(0, bool), *(source.row >= 0 for source in self._sources)])
        self._scratch = Scratch()
        self._held: dict[tuple[int, int], Halves] = {}
        self._place_K = np.full(len(self.has_K), -1, np.int64)

    def __len__(self) -> int:
        return len(self.has_K)

    def channels(self) -> int | None:
        """Channels of the maps; none where no owner has a map."""
        return next((source.channels for source in self._sources if source.channels is not None), None)

    def hold(self, owners: Ints, limit: int = HELD_BYTES) -> bool:
        """Read the maps of `owners` into memory unless they take more than `limit` bytes; says whether it did."""
        wanted = owners[self.has_K[owners]]
        channels = self.channels()
        if channels is None or int(self.grid_K2[wanted].prod(axis=1).sum()) * channels * 2 > limit:
            return False
        for grid, rows in by_grid(self.grid_K2, wanted):
            self._held[grid] = np.empty((len(rows), channels, *grid), np.float16)
            self._fetch(rows, self._held[grid])
            self._place_K[rows] = np.arange(len(rows))
        return True

    def extent(self, owners: Ints) -> NDArray[np.float32] | None:
        """Width and height (B,2) in cells of the frames behind the maps of `owners`; None where that is not known."""
        size_B2 = self._size_K2[owners]
        return (size_B2[:, ::-1] / CELL).astype(np.float32) if (size_B2 > 0).all() else None

    def take(self, owners: Ints) -> Halves:
        """The maps (B,C,H,W) of owners that share one grid."""
        grid = (int(self.grid_K2[owners[0], 0]), int(self.grid_K2[owners[0], 1]))
        assert (self.grid_K2[owners] == grid).all(), "maps of different grids cannot be stacked"
        places = self._place_K[owners]
        if (places >= 0).all():
            return self._held[grid][places]
        maps_BCHW = self._scratch.get((len(owners), self.channels() or 0, *grid))
        self._fetch(owners, maps_BCHW)
        return maps_BCHW

    def _fetch(self, owners: Ints, out_BCHW: Halves) -> None:
        """Maps of one grid from their files, neighbours of one file together."""
        source_B = np.searchsorted(self._first, owners, side="right") - 1
        cuts = (np.flatnonzero(np.diff(source_B)) + 1).tolist()
        for first, last in zip([0, *cuts], [*cuts, len(owners)], strict=True):
            source = int(source_B[first])
            self._sources[source].fill(owners[first:last] - self._first[source], out_BCHW[first:last])


def by_grid(grid_K2: NDArray[np.generic], rows: Ints) -> list[tuple[tuple[int, int], Ints]]:
    """The given rows, in their order, by grid; grids ascend."""
    found = sorted({(int(height), int(width)) for height, width in grid_K2[rows]})
    return [(grid, rows[(grid_K2[rows] == grid).all(axis=1)]) for grid in found]

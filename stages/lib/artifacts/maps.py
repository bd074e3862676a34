"""Maps of different grid sizes: one dataset per grid, one map per chunk, and the (grid, row) of each owner.

S stored maps, C channels, h x w grid.
"""

from __future__ import annotations

from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from stages.lib.artifacts.reader import Artifact
from stages.lib.artifacts.writer import Stream, Writer
from stages.lib.errors import StageError


class MapWriter:
    """Appends maps (C,h,w) of any grid below `prefix`; owners without a map get grid 0 0 and row -1."""

    def __init__(self, writer: Writer, prefix: str = "") -> None:
        self._writer, self._prefix = writer, prefix
        self._streams: dict[str, Stream] = {}
        self._grid: list[tuple[int, int]] = []
        self._row: list[int] = []

    def append(self, map_Chw: NDArray[Any] | None) -> None:
        """Add the next owner's map, stored as float16.

        Raises:
            StageError: a value is not finite or too large for float16.
        """
        if map_Chw is None:
            self._grid.append((0, 0))
            self._row.append(-1)
            return
        with np.errstate(over="ignore"):
            half = map_Chw.astype(np.float16)
        if not np.isfinite(half).all():
            raise StageError(
                "a feature map holds values that float16 cannot", self._prefix, "check the backbone's weights"
            )
        grid = (map_Chw.shape[1], map_Chw.shape[2])
        name = f"{self._prefix}maps/{grid[0]}x{grid[1]}"
        if name not in self._streams:
            self._streams[name] = self._writer.stream(name, map_Chw.shape)
        self._grid.append(grid)
        self._row.append(self._streams[name].rows)
        self._streams[name].append(half[None])

    def finish(self) -> None:
        """Write the owners' grids and rows."""
        self._writer.put(f"{self._prefix}grid", np.array(self._grid, np.int32).reshape(-1, 2))
        self._writer.put(f"{self._prefix}row", np.array(self._row, np.int64))


class MapReader:
    """Reads the maps below `prefix`: their `grid` and `row` (K), the `size` of their frames where the file tells it.

    size: height and width in pixels (K,2), zeros in a file without; channels: None where no owner has a map.
    """

    def __init__(self, artifact: Artifact, prefix: str = "") -> None:
        self._artifact = artifact
        self.grid: NDArray[np.int32] = artifact.read(f"{prefix}grid")
        self.row: NDArray[np.int64] = artifact.read(f"{prefix}row")
        told = f"{prefix}size" in artifact
        self.size: NDArray[np.int32] = artifact.read(f"{prefix}size") if told else np.zeros_like(self.grid)
        grids = {(int(height), int(width)) for height, width in self.grid[self.row >= 0]}
        # Opening a dataset by its name takes longer than reading a map from it.
        self._maps = {grid: artifact.dataset(f"{prefix}maps/{grid[0]}x{grid[1]}") for grid in sorted(grids)}
        sizes = {int(dataset.shape[1]) for dataset in self._maps.values()}
        if len(sizes) > 1:
            what = f"its maps have different numbers of channels: {', '.join(map(str, sorted(sizes)))}"
            raise StageError(what, str(artifact.path), "re-run its stage")
        self.channels: int | None = sizes.pop() if sizes else None

    def __len__(self) -> int:
        return len(self.row)

    def has(self, owner: int) -> bool:
        """Whether this owner has a map."""
        return bool(self.row[owner] >= 0)

    def read(self, owner: int) -> NDArray[np.float16]:
        """The map (C,h,w) of an owner that has one; StageError if a checksum does not hold."""
        height, width = (int(cells) for cells in self.grid[owner])
        map_1Chw = np.empty((1, self.channels or 0, height, width), np.float16)
        self.fill(np.array([owner]), map_1Chw)
        return map_1Chw[0]

    def fill(self, owners: NDArray[np.int64], out_BChw: NDArray[np.float16]) -> None:
        """Read the maps of owners of one grid into `out_BChw`, neighbours in the file with one request.

        Raises:
            StageError: a checksum does not hold.
        """
        (height, width), shape = out_BChw.shape[2:], out_BChw.shape[1:]
        dataset, rows = self._maps[height, width].id, self.row[owners]
        stored, cuts = dataset.get_space(), (np.flatnonzero(np.diff(rows) != 1) + 1).tolist()
        try:
            for first, last in zip([0, *cuts], [*cuts, len(rows)], strict=True):
                part = (last - first, *shape)
                stored.select_hyperslab((int(rows[first]), 0, 0, 0), part)
                dataset.read(h5py.h5s.create_simple(part), stored, out_BChw[first:last])
        except OSError as error:
            raise StageError(
                f"a map is damaged ({error})", str(self._artifact.path), "re-run its stage"
            ) from None

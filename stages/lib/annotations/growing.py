"""Columns of a table whose number of rows is not known before its file has been read."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray


class Column:
    """Rows of one kind, scalars or of `width` numbers, that grow at the end; room for as many again is taken when it is full."""

    def __init__(self, dtype: DTypeLike, *width: int) -> None:
        self._room: NDArray[Any] = np.empty((0, *width), dtype)
        self._count = 0

    def extend(self, rows: NDArray[Any]) -> None:
        """Append copies of rows."""
        end = self._count + len(rows)
        if end > len(self._room):
            grown = np.empty((max(end, 2 * len(self._room)), *self._room.shape[1:]), self._room.dtype)
            grown[: self._count] = self.rows()
            self._room = grown
        self._room[self._count : end] = rows
        self._count = end

    def rows(self) -> NDArray[Any]:
        """All rows so far, a view."""
        return self._room[: self._count]

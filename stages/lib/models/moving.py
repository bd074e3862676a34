"""Keys and values of archived maps while windows move through a video: each computed once, only the latest kept.

Shapes: S archived maps of the windows of one batch, ascending rows of the bank.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from stages.lib.models.inputs import RelationKeys

Ints = NDArray[np.int64]


class MovingKeys:
    """What `compute` makes of the archived maps that the latest windows hold.

    Keyframes in the order of (video, time) meet every archived map in consecutive batches, so that nothing is computed
    twice, and what is kept does not grow with the length of a video.
    """

    def __init__(self, compute: Callable[[Ints], RelationKeys]) -> None:
        self._compute = compute
        self._rows: Ints = np.zeros(0, np.int64)
        self._keys: RelationKeys | None = None

    def of(self, rows_S: Ints) -> RelationKeys | None:
        """Keys and values of these rows, ascending; the others are forgotten. None without rows."""
        kept = np.isin(self._rows, rows_S)
        fresh = rows_S[~np.isin(rows_S, self._rows)]
        held = np.concatenate([self._rows[kept], fresh])
        parts = []
        if self._keys is not None and kept.any():
            parts.append(self._keys.select(torch.from_numpy(np.flatnonzero(kept))))
        if len(fresh):
            parts.append(self._compute(fresh))
        order = np.argsort(held)
        self._rows, self._keys = held[order], _joined(parts, torch.from_numpy(order)) if parts else None
        return self._keys


def _joined(parts: list[RelationKeys], order_S: torch.Tensor) -> RelationKeys:
    if len(parts) == 1:
        return parts[0]
    layers = zip(*(part.pairs for part in parts), strict=True)
    joined = RelationKeys(
        tuple(
            (torch.cat([key for key, _ in pairs]), torch.cat([value for _, value in pairs]))
            for pairs in layers
        )
    )
    return joined.select(order_S)

"""The fusion itself: a weighted sum of probabilities per class.

Legend: M members, B boxes, R rows, C classes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_ROWS = 512  # boxes that are summed together: a block stays in the processor's cache


def mixture(
    scores: Sequence[NDArray[np.floating]], weights_MC: Floats, rows_R: NDArray[np.int64] | None = None
) -> NDArray[np.float32]:
    """Weighted sum (B, C) of the members' probabilities (B, C), or (R, C) of some of their rows.

    It is summed in float64, clipped to [0, 1] and kept in float32.
    """
    n_rows = len(scores[0]) if rows_R is None else len(rows_R)
    out = np.empty((n_rows, scores[0].shape[1]), dtype=np.float32)
    for begin in range(0, n_rows, _ROWS):
        block = slice(begin, begin + _ROWS)
        rows = block if rows_R is None else rows_R[block]
        total = scores[0][rows] * weights_MC[0]
        for one, weight_C in zip(scores[1:], weights_MC[1:], strict=True):
            if weight_C.any():
                total += one[rows] * weight_C
        out[block] = np.clip(total, 0.0, 1.0)
    return out

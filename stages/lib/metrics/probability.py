"""Logits to probabilities: a softmax over each group of classes of which a person has one, a sigmoid for every other class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def probabilities_numpy(logits: ArrayLike, groups: Sequence[Sequence[int]]) -> Floats:
    """Probabilities in float64 of logits (..., C): a softmax over each group of columns, a sigmoid for the rest."""
    values = np.asarray(logits, dtype=np.float64)
    out = np.exp(-np.abs(values))
    below = 1.0 + out
    np.copyto(out, 1.0, where=values >= 0)
    out /= below
    for group in map(list, groups):
        shifted = values[..., group] - values[..., group].max(axis=-1, keepdims=True)
        share = np.exp(shifted)
        out[..., group] = share / share.sum(axis=-1, keepdims=True)
    return out

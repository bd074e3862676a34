"""Logits to probabilities: a softmax over the poses, of which a person has one, and a sigmoid for every other class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def probabilities_numpy(logits: ArrayLike, pose_indices: Sequence[int]) -> Floats:
    """Probabilities in float64 of logits (..., C): softmax over `pose_indices` together, sigmoid for the rest."""
    values = np.asarray(logits, dtype=np.float64)
    out = np.exp(-np.abs(values))
    below = 1.0 + out
    np.copyto(out, 1.0, where=values >= 0)
    out /= below
    poses = list(pose_indices)
    if poses:
        shifted = values[..., poses] - values[..., poses].max(axis=-1, keepdims=True)
        share = np.exp(shifted)
        out[..., poses] = share / share.sum(axis=-1, keepdims=True)
    return out

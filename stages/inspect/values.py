"""Where two files of the same shape differ in their values: how many, by how much, and the first place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from stages.lib.artifacts.reader import open_artifact


def compare_values(first: Path, second: Path, names: list[str]) -> list[str]:
    """One line per dataset of two artifacts: how many values differ, by how much, and where first."""
    with open_artifact(first) as one, open_artifact(second) as other:
        return [_compare(name, one.dataset(name), other.dataset(name)) for name in names]


def _compare(name: str, one: h5py.Dataset, other: h5py.Dataset) -> str:
    count, largest, place = 0, 0.0, -1
    step = one.chunks[0] * 16 if one.chunks else 1024
    for start in range(0, one.shape[0], step):
        a, b = one[start : start + step], other[start : start + step]
        unequal = _unequal(a, b)
        count += int(unequal.sum())
        if unequal.any() and a.dtype.kind in "iuf":
            largest = max(largest, float(np.abs(a[unequal].astype(np.float64) - b[unequal]).max()))
        if unequal.any() and place < 0:
            place = start + int(np.argwhere(unequal)[0][0])
    total = int(np.prod(one.shape, dtype=np.int64))
    gap = f", by at most {largest:.6g}" if one.dtype.kind in "iuf" else ""
    return f"array {name}: {count:,} of {total:,} values differ{gap}, first in row {place}"


def _unequal(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.bool_]:
    if a.dtype.kind == "f":
        return np.asarray((a != b) & ~(np.isnan(a) & np.isnan(b)))
    return np.asarray(a != b)

"""The order of training: which keyframes make up each step, shuffled anew in every epoch from counters alone.

Shapes: K keyframes, B keyframes of a step.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stages.lib.models.mapstore import by_grid

Ints = NDArray[np.int64]

RUN: Final = 8
"""Consecutive keyframes of one video that stay together when a bank is read: they share archived seconds."""

ORDER, JITTER, DROPOUT, MIXTURE = 1, 2, 3, 4


def keyed_rng(*key: int) -> np.random.Generator:
    """A generator whose numbers depend on the key alone."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(key)))


@dataclass(frozen=True)
class Mixture:
    """The data set of each keyframe (K,), by number, and how many passes over each data set make one epoch."""

    dataset_K: Ints
    passes: tuple[float, ...]

    def rows(self, seed: int, epoch: int) -> Ints:
        """Keyframes of an epoch, pass after pass; a broken pass is a share drawn anew for each epoch.

        Their number is the same in every epoch.
        """
        parts = [np.zeros(0, np.int64)]
        for number, passes in enumerate(self.passes):
            own = np.flatnonzero(self.dataset_K == number)
            parts += [own] * int(passes)
            share = round((passes - int(passes)) * len(own))
            parts.append(np.sort(keyed_rng(seed, MIXTURE, epoch, number).permutation(own)[:share]))
        return np.concatenate(parts)


def steps_per_epoch(keyframes: int, batch: int) -> int:
    """Steps of one pass; the last may be smaller."""
    return math.ceil(keyframes / batch)


def epoch_batches(
    grid_K2: NDArray[np.int64],
    video_K: Ints,
    *,
    batch: int,
    seed: int,
    epoch: int,
    runs: str,
    mixture: Mixture | None = None,
) -> Iterator[Ints]:
    """Rows of the keyframes of each step of one epoch; without a mixture every keyframe stands in exactly one.

    Keyframes are shuffled within their grid, one by one (`runs` "single") or as runs of neighbours of one video
    ("video"); pieces of `batch` keyframes of one grid are shuffled in turn, so that most steps need one forward pass.
    """
    rng = keyed_rng(seed, ORDER, epoch)
    pieces: list[Ints] = []
    chosen = np.arange(len(video_K)) if mixture is None else mixture.rows(seed, epoch)
    for _, rows in by_grid(grid_K2, chosen):
        shuffled = (
            _shuffle_runs(rows, video_K, min(RUN, max(1, batch // 2)), rng)
            if runs == "video"
            else rng.permutation(rows)
        )
        pieces += [shuffled[first : first + batch] for first in range(0, len(shuffled), batch)]
    ordered = [pieces[place] for place in rng.permutation(len(pieces))]
    sequence = np.concatenate([np.zeros(0, np.int64), *ordered])
    for first in range(0, len(sequence), batch):
        yield sequence[first : first + batch]


def _shuffle_runs(rows: Ints, video_K: Ints, length: int, rng: np.random.Generator) -> Ints:
    """The rows as shuffled runs: each video is cut every `length` keyframes from a random first cut on."""
    runs: list[Ints] = []
    for video in np.split(rows, np.flatnonzero(np.diff(video_K[rows])) + 1):
        offset = int(rng.integers(length))
        runs += [run for run in np.split(video, np.arange(offset, len(video), length)) if len(run)]
    return np.concatenate([np.zeros(0, np.int64), *(runs[place] for place in rng.permutation(len(runs)))])

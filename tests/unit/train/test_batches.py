"""The order of training: every keyframe once per epoch, few grids per step, runs that stay together."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from stages.train.batches import RUN, epoch_batches, steps_per_epoch

GRIDS = np.array([[8, 16]] * 37 + [[8, 10]] * 11, np.int64)
VIDEOS = np.array([0] * 20 + [1] * 10 + [2, 3, 4, 5, 6, 7, 8] + [9] * 11)


@pytest.mark.parametrize("runs", ["single", "video"])
def test_every_keyframe_once(runs: str) -> None:
    batches = list(epoch_batches(GRIDS, VIDEOS, batch=8, seed=1, epoch=0, runs=runs))
    assert len(batches) == steps_per_epoch(48, 8) == 6
    assert sorted(np.concatenate(batches).tolist()) == list(range(48))
    assert sum(len({tuple(GRIDS[row]) for row in batch}) > 1 for batch in batches) <= 3


def test_order_is_a_function_of_seed_and_epoch() -> None:
    def order(seed: int, epoch: int) -> list[int]:
        return np.concatenate(
            list(epoch_batches(GRIDS, VIDEOS, batch=8, seed=seed, epoch=epoch, runs="video"))
        ).tolist()

    assert order(1, 0) == order(1, 0)
    assert len({tuple(order(seed, epoch)) for seed in range(2) for epoch in range(2)}) == 4


def test_runs_keep_neighbours_together() -> None:
    grid, video = np.tile([[8, 16]], (640, 1)), np.repeat(np.arange(10), 64)
    sequence = np.concatenate(list(epoch_batches(grid, video, batch=16, seed=0, epoch=0, runs="video")))
    together = np.mean([b == a + 1 and video[a] == video[b] for a, b in itertools.pairwise(sequence)])
    assert together > 1 - 1.5 / RUN
    batches = sequence.reshape(-1, 16)
    assert np.mean([len(set(video[batch])) for batch in batches]) > 1.5, "a step mixes several videos"


def test_no_keyframes_no_steps() -> None:
    none = np.zeros(0, np.int64)
    assert list(epoch_batches(none.reshape(0, 2), none, batch=4, seed=0, epoch=0, runs="single")) == []

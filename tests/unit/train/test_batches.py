"""The order of training: every keyframe once per epoch, few grids per step, runs that stay together."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.train.batches import RUN, Mixture, epoch_batches, steps_per_epoch

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


@given(
    st.lists(st.integers(0, 2), min_size=1, max_size=60),
    st.tuples(*[st.floats(0.01, 3.5)] * 3),
    st.integers(0, 5),
    st.sampled_from(["single", "video"]),
)
@settings(deadline=None, max_examples=50)
def test_an_epoch_makes_the_passes_of_its_ratio(
    datasets: list[int], passes: tuple[float, ...], epoch: int, runs: str
) -> None:
    """Every keyframe of a data set as often as whole passes say, and a share of them once more."""
    mixture = Mixture(np.array(datasets), passes)
    grids, videos = np.tile([[8, 16]], (len(datasets), 1)), np.sort(np.arange(len(datasets)) % 7)
    steps = list(epoch_batches(grids, videos, batch=8, seed=1, epoch=epoch, runs=runs, mixture=mixture))
    times = np.bincount(np.concatenate([np.zeros(0, np.int64), *steps]), minlength=len(datasets))
    for number, wanted in enumerate(passes):
        own = times[np.array(datasets) == number]
        whole = int(wanted)
        assert set(own.tolist()) <= {whole, whole + 1}
        assert (own > whole).sum() == round((wanted - whole) * len(own))
    assert len(steps) == steps_per_epoch(len(mixture.rows(1, 0)), 8), "every epoch is as long"


def test_the_share_of_a_broken_pass_is_another_in_each_epoch_and_seed() -> None:
    mixture = Mixture(np.zeros(200, np.int64), (0.5,))
    drawn = {(seed, epoch): tuple(mixture.rows(seed, epoch)) for seed in range(2) for epoch in range(4)}
    assert len(set(drawn.values())) == 8
    assert drawn[1, 3] == tuple(mixture.rows(1, 3))
    seen = np.bincount(np.concatenate([mixture.rows(0, epoch) for epoch in range(400)]), minlength=200)
    assert abs(seen / 400 - 0.5).max() < 5 * (0.25 / 400) ** 0.5, "no keyframe is preferred"


def test_one_pass_over_everything_is_the_plain_order() -> None:
    plain, mixed = (
        [
            rows.tolist()
            for rows in epoch_batches(GRIDS, VIDEOS, batch=8, seed=3, epoch=2, runs="video", mixture=mixture)
        ]
        for mixture in (None, Mixture(np.zeros(48, np.int64), (1.0,)))
    )
    assert plain == mixed

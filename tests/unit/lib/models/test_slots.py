"""Slots of a memory window: bounds, masks, choice by score and by counter-based chance."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.lib.models.slots import (
    EMPTY,
    Archive,
    choose_slots,
    gather_windows,
    random_order,
    score_order,
    video_words,
    window_bounds,
)


def make_archive(counts: list[int], videos: list[int], times: list[int], seed: int = 0) -> Archive:
    splits = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    scores = np.random.default_rng(seed).permutation(np.linspace(0.5, 1, int(splits[-1]))).astype(np.float32)
    return Archive(np.array(videos, np.int64), np.array(times, np.int64), splits, scores)


ARCHIVE = make_archive([2, 0, 4, 1, 3], [0, 0, 0, 1, 1], [1000, 2000, 3500, 0, 10_000])
WORDS = video_words(["a", "b"])


def test_best_scored_slots() -> None:
    chosen = choose_slots(ARCHIVE, 2, score_order(ARCHIVE))
    for second in range(5):
        rows = np.arange(ARCHIVE.row_splits[second], ARCHIVE.row_splits[second + 1])
        best = rows[np.argsort(-ARCHIVE.scores_N[rows])][:2]
        assert chosen[second].tolist() == best.tolist() + [EMPTY] * (2 - len(best))


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 30), st.integers(0, 3)), max_size=12),
    st.integers(0, 2),
    st.integers(0, 30_000),
    st.floats(0, 12),
)
def test_window_equals_brute_force(
    entries: list[tuple[int, int, int]], video: int, time: int, window: float
) -> None:
    seconds = sorted({(v, 1000 * t): count for v, t, count in entries}.items())
    archive = make_archive([c for _, c in seconds], [k[0] for k, _ in seconds], [k[1] for k, _ in seconds])
    chosen = choose_slots(archive, 5, score_order(archive))
    windows = gather_windows(archive, chosen, np.array([video]), np.array([time]), window)
    found = set(windows.rows_KL[windows.mask_KL].tolist())
    second = archive.second_of_actor()
    reach = round(window * 1000)
    expected = {
        row
        for row in range(len(second))
        if archive.video_M[second[row]] == video and abs(int(archive.time_M[second[row]]) - time) <= reach
    }
    assert found == expected
    assert windows.rows_KL.shape[1] >= 1


def test_random_slots_depend_on_the_key_alone() -> None:
    whole = choose_slots(ARCHIVE, 2, random_order(ARCHIVE, WORDS, 7, 3))
    assert np.array_equal(whole, choose_slots(ARCHIVE, 2, random_order(ARCHIVE, WORDS, 7, 3)))
    alone = make_archive([4], [0], [3500])
    picked = choose_slots(alone, 2, random_order(alone, WORDS, 7, 3))[0] + 2
    assert np.array_equal(picked, whole[2]), "other seconds and videos have no influence"
    draws = {
        tuple(choose_slots(ARCHIVE, 2, random_order(ARCHIVE, WORDS, 7, epoch))[2]) for epoch in range(60)
    }
    assert len(draws) > 8
    assert {row for pair in draws for row in pair} == {2, 3, 4, 5}
    seeds = {tuple(choose_slots(ARCHIVE, 2, random_order(ARCHIVE, WORDS, seed, 0))[2]) for seed in range(20)}
    assert len(seeds) > 3


def test_every_second_and_every_video_has_draws_of_its_own() -> None:
    """Four actors in each of three places: another second, and the same second of another video."""
    archive = make_archive([4, 4, 4], [0, 0, 1], [1000, 2000, 1000])
    places = [
        tuple(tuple(row % 4) for row in choose_slots(archive, 2, random_order(archive, WORDS, 0, epoch)))
        for epoch in range(20)
    ]
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert sum(draw[one] == draw[other] for draw in places) < 10


def test_random_slots_are_uniform() -> None:
    archive = make_archive([4], [0], [0])
    first = [
        int(choose_slots(archive, 1, random_order(archive, WORDS, 0, epoch))[0, 0]) for epoch in range(4000)
    ]
    assert np.abs(np.bincount(first, minlength=4) / 4000 - 0.25).max() < 0.03


def test_compact_lists_each_item_once() -> None:
    chosen = choose_slots(ARCHIVE, 5, score_order(ARCHIVE))
    windows = gather_windows(ARCHIVE, chosen, np.array([0, 0]), np.array([1000, 3500]), 10)
    used, local = windows.compact()
    assert used.tolist() == [0, 1, 2, 3, 4, 5]
    assert np.array_equal(used[local][windows.mask_KL], windows.rows_KL[windows.mask_KL])


def test_empty_archive_has_empty_windows() -> None:
    archive = make_archive([], [], [])
    windows = gather_windows(
        archive, choose_slots(archive, 3, score_order(archive)), np.array([0]), np.array([5]), 10
    )
    assert windows.mask_KL.shape == (1, 3)
    assert not windows.mask_KL.any()
    assert [len(part) for part in window_bounds(archive, np.array([0]), np.array([5]), 1.0)] == [1, 1]

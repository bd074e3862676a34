"""Which archived actors a keyframe's memory window holds: pure index arithmetic, random in training, best scored in testing.

Shapes: M archived seconds, N archived actors over all of them, K keyframes, P slots per second, L slots of a window.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Words = NDArray[np.uint64]

EMPTY: Final = -1
_SPAN: Final = 1 << 40
_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)
_MIX: Final = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))


@dataclass(frozen=True)
class Archive:
    """A bank's contents: seconds sorted by (video, time), second m has actors `row_splits[m]:row_splits[m+1]`.

    video_M: number of each second's video; time_M: integer milliseconds (M,); scores_N: detection scores.
    """

    video_M: Ints
    time_M: Ints
    row_splits: Ints
    scores_N: NDArray[np.float32]

    def second_of_actor(self) -> Ints:
        """Second (row of the archive) of each actor, (N,)."""
        return np.repeat(np.arange(len(self.video_M)), np.diff(self.row_splits))


@dataclass(frozen=True)
class Windows:
    """Slots (K,L) of each keyframe: row of the archived actor, and whether the slot is filled."""

    rows_KL: Ints
    mask_KL: NDArray[np.bool_]

    def compact(self) -> tuple[Ints, Ints]:
        """The distinct rows that any slot holds, ascending (S,), and the slots as places in that list (K,L)."""
        used_S, place = np.unique(self.rows_KL[self.mask_KL], return_inverse=True)
        local_KL = np.zeros_like(self.rows_KL)
        local_KL[self.mask_KL] = place
        return used_S, local_KL


def video_words(video_ids: Sequence[str]) -> Words:
    """A 64-bit word per video id, the same on every machine."""
    digests = [hashlib.sha256(name.encode()).digest()[:8] for name in video_ids]
    return np.frombuffer(b"".join(digests), "<u8").astype(np.uint64)


def mix(words: Words, number: int | Words) -> Words:
    """The next state of a counter-based generator (SplitMix64's finaliser) after absorbing `number`."""
    added = np.uint64(number % (1 << 64)) if isinstance(number, int) else number
    with np.errstate(over="ignore"):
        state = (words ^ added) + _GOLDEN
        state = (state ^ (state >> np.uint64(30))) * _MIX[0]
        state = (state ^ (state >> np.uint64(27))) * _MIX[1]
    return state ^ (state >> np.uint64(31))


def random_order(archive: Archive, words: Words, seed: int, epoch: int) -> Words:
    """A random priority per actor (N,), smallest first, keyed by (seed, epoch, video, second, place in the second).

    `words` are the `video_words` of the archive's video numbers.
    """
    second_N = archive.second_of_actor()
    place_N = np.arange(len(second_N)) - archive.row_splits[second_N]
    state = mix(mix(words[archive.video_M], seed), epoch)
    state = mix(state, archive.time_M.astype(np.uint64))
    return mix(state[second_N], place_N.astype(np.uint64))


def score_order(archive: Archive) -> NDArray[np.float32]:
    """A priority per actor (N,), smallest first: the best score; equal scores keep their order."""
    return -archive.scores_N


def choose_slots(archive: Archive, slots: int, priority_N: NDArray[np.generic]) -> Ints:
    """The `slots` actors of each second that come first by priority, (M,P), EMPTY where a second has fewer."""
    second_N = archive.second_of_actor()
    order = np.lexsort((np.arange(len(second_N)), priority_N, second_N))
    rank = np.arange(len(order)) - archive.row_splits[second_N[order]]
    kept = rank < slots
    chosen_MP = np.full((len(archive.video_M), slots), EMPTY, np.int64)
    chosen_MP[second_N[order[kept]], rank[kept]] = order[kept]
    return chosen_MP


def gather_windows(archive: Archive, chosen_MP: Ints, video_K: Ints, time_K: Ints, window: float) -> Windows:
    """Slots of the seconds of the same video within `window` seconds before and after each keyframe, ends included.

    There is always at least one slot, so that an empty window is a row of empty slots.
    """
    low, high = window_bounds(archive, video_K, time_K, window)
    length = int((high - low).max(initial=1))
    second_KT = low[:, None] + np.arange(length)
    inside_KT = second_KT < high[:, None]
    rows_KTP = np.full((len(video_K), length, chosen_MP.shape[1]), EMPTY, np.int64)
    rows_KTP[inside_KT] = chosen_MP[second_KT[inside_KT]]
    rows_KL = rows_KTP.reshape(len(video_K), -1)
    mask_KL = rows_KL != EMPTY
    return Windows(np.where(mask_KL, rows_KL, 0), mask_KL)


def window_bounds(archive: Archive, video_K: Ints, time_K: Ints, window: float) -> tuple[Ints, Ints]:
    """First and one past the last second (rows of the archive) of each keyframe's window."""
    reach = round(window * 1000)
    keys_M = archive.video_M * _SPAN + archive.time_M
    first, last = np.clip(time_K - reach, 0, _SPAN - 1), np.clip(time_K + reach, 0, _SPAN - 1)
    low = np.searchsorted(keys_M, video_K * _SPAN + first, side="left")
    high = np.searchsorted(keys_M, video_K * _SPAN + last, side="right")
    return low.astype(np.int64), high.astype(np.int64)

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.lib.video.sampling import (
    beyond_end,
    centre_frames,
    clamp,
    clip_windows,
    frame_count,
    nearest_source,
)


def test_worked_example_of_the_8x8_sampling() -> None:
    centre = centre_frames(902 - 900, 30.0)
    assert centre == 60
    assert clip_windows(centre, 32, 2).tolist() == list(range(28, 92, 2))


def test_worked_example_of_the_16x8_sampling_is_clamped_at_the_start() -> None:
    window = clip_windows(60, 64, 2)
    assert window[:3].tolist() == [-4, -2, 0]
    assert window[-1] == 122
    assert clamp(window, 27001)[:4].tolist() == [0, 0, 0, 2]


def test_worked_example_at_the_end_of_a_movie() -> None:
    window = clip_windows(centre_frames(1798 - 900, 30.0), 64, 2)
    assert (window[0], window[-1]) == (26876, 27002)
    assert clamp(window, 27001)[-1] == 27000


@pytest.mark.parametrize(("frames", "stride", "clamped"), [(32, 2, 5), (64, 2, 37)])
def test_a_keyframe_at_0_9_seconds_clamps_this_many_raw_frames(
    frames: int, stride: int, clamped: int
) -> None:
    window = clip_windows(centre_frames(0.9, 30.0), frames, stride)
    assert -window[0] == clamped


def test_the_centre_is_element_half() -> None:
    assert clip_windows(100, 16, 3)[8] == 100


def test_halves_go_up_in_spite_of_rounding() -> None:
    assert centre_frames([0.05, 5.017, 0.0], 30.0).tolist() == [2, 151, 0]
    assert centre_frames(0.1 + 0.2 + 0.05, 30.0) == 11


def test_frame_count_is_the_rounded_duration() -> None:
    assert [frame_count(d, 30.0) for d in (10.0, 2.5667, 0.0, 0.016, 2 / 24, 3 / 24)] == [300, 77, 1, 1, 3, 4]


def test_ties_go_to_the_earlier_frame_at_25_hz_and_with_millisecond_stamps() -> None:
    exact = np.arange(50) / 25
    expected = [nearest_fraction(Fraction(k, 30), [Fraction(j, 25) for j in range(50)]) for k in range(60)]
    assert nearest_source(exact, 60, 30.0).tolist() == expected
    noisy = (exact.astype(np.float32) + np.float32(1800)).astype(np.float64) - 1800
    assert nearest_source(noisy, 60, 30.0).tolist() == expected


def nearest_fraction(time: Fraction, stamps: list[Fraction]) -> int:
    return min(range(len(stamps)), key=lambda j: (abs(stamps[j] - time), j))


@given(st.lists(st.integers(5, 300), min_size=1, max_size=60), st.sampled_from([5, 15, 24, 30]))
def test_nearest_source_is_never_farther_than_any_other_frame(gaps: list[int], rate: int) -> None:
    starts = np.cumsum([0, *gaps]) / 1000.0
    n = frame_count(float(starts[-1]) + 0.04, rate)
    chosen = nearest_source(starts, n, rate)
    time = np.arange(n) / rate
    distance = np.abs(starts[None, :] - time[:, None])
    assert (np.abs(starts[chosen] - time) <= distance.min(axis=1) + 1e-3 + 1e-9).all()
    assert (np.diff(chosen) >= 0).all()


def test_only_keyframes_well_past_the_end_lie_outside() -> None:
    assert beyond_end(np.array([299, 300, 314, 315]), 300, 30.0).tolist() == [False, False, False, True]

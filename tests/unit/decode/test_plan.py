from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stages.decode.plan import plan_video
from stages.lib.config.backbones import SamplingConfig
from stages.lib.video.source import VideoInfo

BOTH = (SamplingConfig(fast_frames=32, stride=2), SamplingConfig(fast_frames=64, stride=2))


def info(frames: int, rate: float) -> VideoInfo:
    return VideoInfo(64, 48, np.arange(frames) / rate, frames / rate)


def test_whole_second_keyframes_need_every_second_frame() -> None:
    plan = plan_video(info(1800, 30.0), np.arange(10.0, 50.0), 30.0, BOTH[:1])
    assert plan.frames.tolist() == list(range(300 - 32, 49 * 30 + 31, 2))
    np.testing.assert_array_equal(plan.source, plan.frames)
    assert plan.key_source.tolist() == list(range(300, 1500, 30))
    assert plan.deadline.tolist() == list(range(330, 1530, 30))


def test_windows_past_the_ends_take_the_end_frames() -> None:
    plan = plan_video(info(300, 30.0), np.array([0.9, 9.1]), 30.0, BOTH[1:])
    assert plan.frames[0] == 0
    assert plan.frames[-1] == 299
    assert plan.deadline.tolist() == [27 + 62, 299]


def test_a_slow_video_repeats_source_frames() -> None:
    plan = plan_video(info(60, 6.0), np.array([5.0]), 30.0, BOTH[:1])
    np.testing.assert_array_equal(plan.source, np.round(plan.frames / 5).astype(int))
    assert len(plan.wanted) == 13


def test_keyframes_after_the_end_are_marked_and_still_give_the_last_frame() -> None:
    plan = plan_video(info(300, 30.0), np.array([9.0, 10.4, 12.0]), 30.0, BOTH[:1])
    assert plan.key_source.tolist() == [270, 299, -1]
    assert plan.deadline.tolist() == [299, 299, -1]
    assert plan.frames[-1] == 299


def test_without_keyframes_nothing_is_wanted() -> None:
    plan = plan_video(info(300, 30.0), np.zeros(0), 30.0, BOTH)
    assert len(plan.frames) == len(plan.wanted) == len(plan.deadline) == 0


@given(
    st.lists(st.floats(0, 12), max_size=6).map(sorted),
    st.integers(1, 200),
    st.sampled_from([6.0, 24.0, 29.97, 60.0]),
    st.sampled_from([15.0, 30.0]),
)
def test_the_plan_is_the_union_of_the_clamped_windows(
    times: list[float], frames: int, native: float, rate: float
) -> None:
    video = info(frames, native)
    plan = plan_video(video, np.array(times), rate, BOTH)
    n = max(1, int((frames / native + 1e-3) * rate + 0.5))
    expected = {
        min(max(int(t * rate + 0.5 + 1e-6) + 2 * (k - half), 0), n - 1)
        for t in times
        for half in (16, 32)
        for k in range(2 * half)
    }
    assert plan.frames.tolist() == sorted(expected)
    assert set(plan.source.tolist()) <= set(plan.wanted.tolist())
    assert (np.diff(plan.wanted) > 0).all()
    assert plan.wanted.max(initial=0) < frames

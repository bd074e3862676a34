"""Faults of videos that decode: whether they are cut, too short, or of another rate than they claim."""

from __future__ import annotations

import numpy as np
import pytest

from stages.decode.faults import CUT_OFF, OTHER_RATE, TOO_SHORT, faults, is_cut, rate_shift
from stages.decode.plan import plan_video
from stages.lib.config.backbones import SamplingConfig
from stages.lib.video.source import DamagedVideoError, VideoInfo

SAMPLINGS = (SamplingConfig(fast_frames=8, stride=2),)


def video(
    rate: float = 25.0, frames: int = 250, declared: float | None = None, claimed: float | None = None
) -> VideoInfo:
    return VideoInfo(64, 48, np.arange(frames) / rate, frames / rate, declared, claimed)


def states(info: VideoInfo, seconds: list[float], damage: DamagedVideoError | None = None) -> list[str]:
    times = np.array(seconds)
    return [state for state, _ in faults(info, plan_video(info, times, 30.0, SAMPLINGS), times, damage, 0)]


def test_keyframes_past_the_end_of_a_whole_file_and_of_one_that_claims_more() -> None:
    assert states(video(), [1.0, 9.0]) == []
    assert states(video(), [1.0, 12.0]) == [TOO_SHORT]
    assert states(video(declared=10.4), [1.0, 12.0]) == [TOO_SHORT], "sound may last a little longer"
    assert states(video(declared=15.0), [1.0, 12.0]) == [CUT_OFF]
    assert states(video(declared=15.0), [1.0, 9.0]) == [], "no keyframe needs what is not there"
    assert not is_cut(video()) and is_cut(video(declared=10.6))


def test_damage_comes_first() -> None:
    damage = DamagedVideoError(100, "bad data")
    assert states(video(), [1.0, 5.0], damage) == [CUT_OFF]
    assert states(video(claimed=12.5), [1.0, 12.0], damage) == [CUT_OFF, TOO_SHORT, OTHER_RATE]


@pytest.mark.parametrize(
    ("rate", "seconds", "claimed", "other"),
    [
        (25.0, 10, 25.0, False),
        (25.0, 10, None, False),
        (30000 / 1001, 10, 30.0, False),
        (30000 / 1001, 900, 30.0, True),
        (12.5, 10, 25.0, True),
        (50.0, 10, 25.0, True),
        (6.0, 2, 6.4, False),
        (25.0, 0.2, 50.0, False),
    ],
)
def test_a_rate_is_another_where_frames_lie_a_quarter_of_a_second_off(
    rate: float, seconds: float, claimed: float | None, other: bool
) -> None:
    """Counted in frames at the claimed rate, the end of a constant-rate video of n frames is off by n / claimed - n / rate."""
    info = video(rate, max(1, round(seconds * rate)), claimed=claimed)
    last = info.frames - 1
    expected = abs(last / claimed - last / rate) if claimed else 0.0
    assert rate_shift(info) == pytest.approx(expected)
    assert (states(info, []) == [OTHER_RATE]) == other


def test_a_pause_makes_a_variable_rate() -> None:
    """Twice as fast, then twice as slow: the mean rate is right, and the middle lies elsewhere."""
    starts = np.concatenate([np.arange(100) / 50, 2 + np.arange(50) / 12.5])
    info = VideoInfo(64, 48, starts, 6.0, None, 25.0)
    assert info.rate == 25.0
    assert rate_shift(info) == pytest.approx(2.0, abs=0.05)
    assert states(info, []) == [OTHER_RATE]

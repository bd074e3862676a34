"""Every kind of source through decode_video: each cached frame is the one that the rule of timestamps asks for.

The rule: grid frame k stands for the time k / 30 s after the file's first frame, and is the source frame whose timestamp is
nearest; of two that are equally near (within a millisecond, to which containers round) the earlier. Windows are clamped to
the grid, which has floor(30 * duration + 1/2) frames.

Each drawn frame bears its number in big blocks, which survive the codec, the scaling and JPEG: which frame was cached is read
from its picture. Expected numbers come from PyAV's exact fractions in a plain sequential decode, one distance at a time.
"""

from __future__ import annotations

import io
import math
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from stages.decode.core import decode_video
from stages.decode.trees import open_source
from stages.lib.config.backbones import SamplingConfig
from stages.lib.config.decode import DecodeConfig
from stages.lib.video.av_source import AvPicture
from tests.unit.decode.memory import Memory
from tests.unit.lib.video.drawn import all_frames, number_of, numbered_frame, turned, write_video

RATE, TIE = 30, Fraction(1, 1000)
EIGHT = SamplingConfig(fast_frames=32, stride=2)
SIXTEEN = SamplingConfig(fast_frames=64, stride=2)
VFR = np.cumsum([0, *np.random.default_rng(5).integers(5, 90, 99)]).tolist()
TOLERANCE = 1.0
"""Mean difference of the cached picture from the decoded one that JPEG at quality 95 may make."""
SOURCES: dict[str, dict[str, Any]] = {
    "vfr.mp4": {"stamps": VFR, "base": Fraction(1, 1000)},
    "vfr-bframes.mkv": {"stamps": VFR, "base": Fraction(1, 1000), "bf": "3"},
    "six.mp4": {"stamps": range(24), "base": Fraction(1, 6)},
    "ntsc.mp4": {"stamps": range(0, 120 * 1001, 1001), "base": Fraction(1, 30000)},
    "2160-77.mp4": {"stamps": range(0, 110 * 77, 77), "base": Fraction(1, 2160)},
    "sixty.mp4": {"stamps": range(200), "base": Fraction(1, 60)},
    "odd.mp4": {"stamps": range(90), "size": (341, 257), "pixels": "yuv444p"},
    "ten-bit.mp4": {"stamps": range(90), "pixels": "yuv420p10le"},
    "444.mp4": {"stamps": range(90), "pixels": "yuv444p"},
    "grey.mp4": {"stamps": range(90), "pixels": "gray"},
    "wide-pixels.mp4": {"stamps": range(90), "aspect": Fraction(4, 3)},
    "mpeg4.avi": {"stamps": range(90), "codec": "mpeg4", "bf": "2"},
    "no-stamps.h264": {"stamps": range(90), "bf": "2"},
    "vp9.webm": {"stamps": range(60), "codec": "libvpx-vp9", "deadline": "realtime", "cpu-used": "8"},
}


def cached(
    path: Path, times: list[float], samplings: tuple[SamplingConfig, ...], short_side: int
) -> tuple[dict[int, np.ndarray], list[np.ndarray]]:
    """Clip frames by their grid number, and keyframes, of a decoded file."""
    sink = Memory()
    cfg = DecodeConfig(rate=RATE, short_side=short_side)
    opener = partial(open_source, path, np.array(times), short_side, 30.0)
    with ThreadPoolExecutor(2) as pool:
        result = decode_video(opener, np.array(times), cfg, samplings, sink, pool)
    assert (result.status, result.usable) == ("ok", len(times)), result.reason
    return {k: pixels(jpeg) for k, jpeg in sink.clips}, [pixels(jpeg) for jpeg in sink.keys]


def pixels(jpeg: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(jpeg)))


def exact_times(path: Path) -> tuple[list[Fraction], Fraction]:
    """Fractions of a second of each frame after the first, and the end of the last, in the order of a sequential decode."""
    with av.open(str(path)) as file:
        stream = file.streams.video[0]
        frames = list(file.decode(stream))
        if path.suffix in (
            ".avi",
            ".h264",
        ):  # stamps of packets, not of frames, or none: the nominal rate counts
            return [k / stream.average_rate for k in range(len(frames))], len(frames) / stream.average_rate
        stamps = [Fraction(frame.pts) * frame.time_base for frame in frames]
        last = Fraction(frames[-1].duration) * frames[-1].time_base
    return [stamp - stamps[0] for stamp in stamps], stamps[-1] - stamps[0] + last


def nearest(times: list[Fraction], moment: Fraction) -> int:
    best = 0
    for number, time in enumerate(times):
        if abs(time - moment) < abs(times[best] - moment) - TIE:
            best = number
    return best


def expected_numbers(
    path: Path, seconds: list[float], samplings: tuple[SamplingConfig, ...]
) -> dict[int, int]:
    """Grid frame -> source frame for the windows of all keyframes, one by one."""
    times, end = exact_times(path)
    n = max(1, math.floor((end + TIE) * RATE + Fraction(1, 2)))
    wanted = {}
    for second in seconds:
        centre = math.floor(Fraction(second) * RATE + Fraction(1, 2))
        for sampling in samplings:
            for step in range(sampling.fast_frames):
                k = centre + sampling.stride * (step - sampling.fast_frames // 2)
                k = min(max(k, 0), n - 1)
                wanted[k] = nearest(times, Fraction(k, RATE))
    return wanted


@pytest.mark.parametrize("short_side", [340, 36], ids=["stored-size", "scaled"])
@pytest.mark.parametrize("name", SOURCES)
def test_the_cached_frames_are_those_of_the_rule(tmp_path: Path, name: str, short_side: int) -> None:
    path = write_video(tmp_path / name, draw=numbered_frame, **SOURCES[name])
    times = [1.0, 2.0]
    clips, keys = cached(path, times, (EIGHT,), short_side)
    expected = expected_numbers(path, times, (EIGHT,))
    assert {k: number_of(frame) for k, frame in clips.items()} == expected
    assert [number_of(key) for key in keys] == [expected[30], expected[60]]
    if short_side == 340:
        frames = all_frames(path)[1]
        for k, frame in clips.items():
            assert np.abs(frame.astype(int) - frames[expected[k]]).mean() < TOLERANCE


@pytest.mark.parametrize("degrees", [90, 180, 270])
@pytest.mark.parametrize("short_side", [340, 36], ids=["stored-size", "scaled"])
def test_turned_sources_are_upright_and_their_frames_those_of_the_rule(
    tmp_path: Path, degrees: int, short_side: int
) -> None:
    plain = write_video(tmp_path / "plain.mp4", range(75), size=(96, 72), draw=numbered_frame)
    path = turned(plain, tmp_path / "turned.mp4", degrees)
    clips, _ = cached(path, [1.0, 2.0], (EIGHT,), short_side)
    upright = {k: np.rot90(frame, degrees // 90) for k, frame in clips.items()}
    assert {k: number_of(frame) for k, frame in upright.items()} == expected_numbers(
        plain, [1.0, 2.0], (EIGHT,)
    )


def test_windows_past_the_ends_are_clamped_and_times_off_the_seconds_are_met(tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.mp4", range(100), draw=numbered_frame)
    times = [0.017, 1.483, 3.97]
    clips, keys = cached(path, times, (EIGHT, SIXTEEN), 340)
    expected = expected_numbers(path, times, (EIGHT, SIXTEEN))
    assert {k: number_of(frame) for k, frame in clips.items()} == expected
    assert (min(clips), max(clips)) == (0, 119)
    assert [number_of(key) for key in keys] == [1, 37, 99]


def test_whole_seconds_need_every_second_frame_and_no_other_is_converted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_video(tmp_path / "v.mp4", range(450), base=Fraction(1, 30), draw=numbered_frame)
    converted, convert = [], AvPicture.rgb

    def counted(picture: AvPicture, size: tuple[int, int] | None = None) -> np.ndarray:
        converted.append(size)
        return convert(picture, size)

    monkeypatch.setattr(AvPicture, "rgb", counted)
    clips, _ = cached(path, [4.0, 5.0, 6.0], (EIGHT, SIXTEEN), 36)
    assert sorted(clips) == list(range(120 - 64, 180 + 64, 2))
    assert sorted(converted) == [(48, 36)] * len(clips) + [(64, 48)] * 3, (
        "each clip frame once, each keyframe once"
    )

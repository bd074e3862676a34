from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from stages.decode.core import VideoResult, decode_video
from stages.lib.config.backbones import SamplingConfig
from stages.lib.config.decode import DecodeConfig
from stages.lib.video.jpeg import encode_jpeg, resize_rgb
from stages.lib.video.picture import Pixels
from stages.lib.video.source import DamagedVideoError, Engine, VideoInfo, open_video
from tests.unit.decode.memory import Memory
from tests.unit.lib.video.drawn import all_frames, fast_start, numbered_frame, write_video

SAMPLING = (SamplingConfig(fast_frames=8, stride=2),)
CONFIG = DecodeConfig(rate=30.0, short_side=340)


def decode(path: Path, times: list[float], cfg: DecodeConfig = CONFIG) -> tuple[VideoResult, Memory]:
    sink = Memory()
    with ThreadPoolExecutor(2) as pool:
        result = decode_video(partial(open_video, path), np.array(times), cfg, SAMPLING, sink, pool)
    assert len(sink.keys) == len(times)
    return result, sink


def test_the_cache_holds_the_jpegs_of_a_direct_decode(tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.mp4", range(75), bf="2")
    frames = all_frames(path)[1]
    result, sink = decode(path, [1.0, 2.0])
    assert (result.status, result.reason, result.usable, result.frames) == ("ok", "", 2, 75)
    assert [number for number, _ in sink.clips] == [*range(22, 38, 2), *range(52, 68, 2)]
    for number, jpeg in sink.clips:
        distance = [abs(25 * number - 30 * source) for source in range(75)]
        assert jpeg == encode_jpeg(frames[distance.index(min(distance))], 95)
    assert sink.keys == [encode_jpeg(frames[25], 95), encode_jpeg(frames[50], 95)]


def test_clip_frames_are_small_and_keyframes_large(tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.mp4", range(50), size=(160, 120))
    cfg = DecodeConfig(rate=25.0, short_side=48, key_short_side=90, key_long_side=1000)
    result, sink = decode(path, [1.0], cfg)
    assert (result.clip_size, result.key_size, result.size) == ((64, 48), (120, 90), (160, 120))
    centre = all_frames(path)[1][25]
    assert dict(sink.clips)[25] == encode_jpeg(resize_rgb(centre, (64, 48)), 95)
    assert sink.keys[0] == encode_jpeg(resize_rgb(centre, (120, 90)), 95)


def test_a_keyframe_after_the_end_has_no_picture_but_a_reason(tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.mp4", range(250))
    result, sink = decode(path, [5.0, 12.0])
    assert (result.status, result.usable) == ("ok", 1)
    assert result.reason == "keyframe at 12.0 s lies after the end (10.0 s)"
    assert [bool(key) for key in sink.keys] == [True, False]


def test_a_file_cut_short_keeps_the_keyframes_with_whole_windows(tmp_path: Path) -> None:
    whole = fast_start(
        write_video(tmp_path / "v.mp4", range(250), size=(96, 64), g="25"), tmp_path / "whole.mp4"
    )
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    times = [float(second) for second in range(1, 10)]
    complete, full = decode(whole, times)
    assert complete.reason == ""
    result, sink = decode(cut, times)
    assert result.status == "ok"
    assert 0 < result.usable < 9
    assert "damaged or cut off after" in result.reason or "after the end" in result.reason
    assert sink.keys == full.keys[: result.usable] + [b""] * (9 - result.usable)
    assert set(sink.clips[:-1]) <= set(full.clips)


class Failing:
    """A source of blank frames that breaks at a given frame, after decord gave up on it."""

    note = ""

    def __init__(self, engine: Engine, last: int) -> None:
        self.engine, self._last = engine, last
        self.info = VideoInfo(32, 16, np.arange(100) / 25, 4.0, 4.0)

    def read(self, wanted: np.ndarray) -> Iterator[tuple[int, Pixels]]:
        for number in wanted.tolist():
            if number > self._last:
                raise DamagedVideoError(self._last + 1, "bad data")
            yield number, Pixels(np.full((16, 32, 3), number, np.uint8))

    def close(self) -> None:
        pass


@pytest.mark.parametrize(
    ("last", "status", "usable"), [(10, "broken", 0), (30, "ok", 1), (60, "ok", 2), (99, "ok", 3)]
)
def test_salvage(last: int, status: str, usable: int) -> None:
    opened: list[Engine] = []

    @contextmanager
    def opener(engine: Engine) -> Iterator[Failing]:
        opened.append(engine)
        yield Failing(engine, last)

    sink = Memory()
    with ThreadPoolExecutor(2) as pool:
        result = decode_video(opener, np.array([1.0, 2.0, 3.0]), CONFIG, SAMPLING, sink, pool)  # type: ignore[arg-type]
    assert (result.status, result.usable) == (status, usable)
    assert [bool(key) for key in sink.keys] == [k < usable for k in range(3)]
    assert opened == (["decord"] if last == 99 else ["decord", "pyav"])
    assert len(set(sink.clips)) == len(sink.clips), "what decord gave before it failed is dropped"
    if status == "broken":
        assert sink.clips == []
        assert result.reason == "damaged or cut off after 0.4 s of 4.0 s (bad data), 3 of 3 keyframes lost"


def test_a_broken_file_gives_empty_keyframes(tmp_path: Path) -> None:
    (tmp_path / "v.mp4").touch()
    result, sink = decode(tmp_path / "v.mp4", [1.0, 2.0])
    assert result == VideoResult("broken", "the file is empty (0 bytes)")
    assert sink.keys == [b"", b""]
    assert sink.clips == []


@pytest.mark.parametrize("name", ["v.mp4", "v.avi"])
def test_two_frames(tmp_path: Path, name: str) -> None:
    path = write_video(tmp_path / name, range(2), draw=numbered_frame, codec="mpeg4")
    result, sink = decode(path, [0.04])
    assert (result.status, result.reason, result.usable, result.frames) == ("ok", "", 1, 2)
    assert [number for number, _ in sink.clips] == [0, 1]


def test_one_frame_and_no_keyframes(tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.mp4", range(1))
    result, sink = decode(path, [0.02])
    assert (result.status, result.usable, len(sink.clips)) == ("ok", 1, 1)
    result, sink = decode(path, [])
    assert (result.status, result.size, sink.clips) == ("ok", (64, 48), [])

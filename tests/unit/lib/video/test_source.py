from __future__ import annotations

import contextlib
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from stages.lib.video import source
from stages.lib.video.sampling import frame_count, nearest_source
from stages.lib.video.source import DamagedVideoError, Engine, VideoError, open_video
from tests.unit.lib.video.drawn import MEDIA, all_frames, fast_start, turned, write_sound, write_video

RATE = 30.0
VFR = np.cumsum([0, *np.random.default_rng(3).integers(10, 120, 49)]).tolist()
CASES = {
    "vfr.mp4": {"stamps": VFR, "base": Fraction(1, 1000)},
    "ntsc.mp4": {"stamps": [1001 * k for k in range(60)], "base": Fraction(1, 30000)},
    "six.mp4": {"stamps": range(12), "base": Fraction(1, 6)},
    "28.05.mp4": {"stamps": [77 * k for k in range(60)], "base": Fraction(1, 2160)},
    "odd.mp4": {"stamps": range(20), "size": (65, 49), "pixels": "yuv444p"},
    "narrow.mp4": {"stamps": range(20), "size": (48, 36)},
    "bframes.mp4": {"stamps": range(60), "bf": "3", "g": "250"},
    "open-gop.mkv": {"stamps": range(60), "bf": "3", "g": "20", "x264-params": "open-gop=1:scenecut=0"},
    "mpeg4.avi": {"stamps": range(40), "codec": "mpeg4", "bf": "2", "g": "12"},
    "late-start.mp4": {"stamps": range(50, 80)},
    "stream.ts": {"stamps": range(40), "bf": "2", "g": "20"},
    "vp9.webm": {"stamps": range(20), "codec": "libvpx-vp9"},
}
ENGINES: tuple[Engine, ...] = ("decord", "pyav")


def read_all(path: Path, prefer: Engine = "decord") -> tuple[list[np.ndarray], source.VideoInfo, str]:
    with open_video(path, prefer) as video:
        wanted = np.arange(video.info.frames)
        return [picture.rgb() for _, picture in video.read(wanted)], video.info, video.engine


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", CASES)
def test_times_frames_and_grid_are_those_of_a_sequential_decode(
    tmp_path: Path, name: str, engine: Engine
) -> None:
    path = write_video(tmp_path / name, **CASES[name])  # type: ignore[arg-type]
    times, frames = all_frames(path)
    found, info, used = read_all(path, engine)
    assert used == ("pyav" if name.endswith(".ts") else engine)
    assert len(found) == len(frames) == len(CASES[name]["stamps"])  # type: ignore[arg-type]
    np.testing.assert_allclose(info.starts, times, atol=1e-5)
    for mine, theirs in zip(found, frames, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    n = frame_count(info.end, RATE)
    np.testing.assert_array_equal(nearest_source(info.starts, n, RATE), nearest_source(times, n, RATE))


def test_ten_bit_frames_are_the_same_up_to_dithering(tmp_path: Path) -> None:
    path = write_video(tmp_path / "ten.mp4", range(10), pixels="yuv420p10le")
    for mine, theirs in zip(read_all(path)[0], all_frames(path)[1], strict=True):
        assert np.abs(mine.astype(int) - theirs).max() <= 4


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("degrees", "turns"), [(90, 3), (180, 2), (270, 1)])
def test_the_display_matrix_is_applied(tmp_path: Path, degrees: int, turns: int, engine: Engine) -> None:
    plain = write_video(tmp_path / "plain.mp4", range(6), size=(96, 64))
    path = turned(plain, tmp_path / "turned.mp4", degrees)
    frames, info, _ = read_all(path, engine)
    assert (info.width, info.height) == ((64, 96) if degrees != 180 else (96, 64))
    for mine, stored in zip(frames, all_frames(plain)[1], strict=True):
        expected = np.rot90(stored, turns).astype(int)
        assert np.abs(mine - expected).mean() < 3
        assert np.abs(mine - np.rot90(stored, turns + 2).astype(int)).mean() > 10


def test_wanted_frames_alone_are_given(tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.mp4", range(30), bf="2")
    frames = all_frames(path)[1]
    for engine in ENGINES:
        with open_video(path, engine) as video:
            got = list(video.read(np.array([0, 4, 5, 29])))
        assert [number for number, _ in got] == [0, 4, 5, 29]
        for number, picture in got:
            np.testing.assert_array_equal(picture.rgb(), frames[number])


def test_a_file_too_large_to_be_read_ahead_goes_to_pyav(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_video(tmp_path / "v.mp4", range(30))
    monkeypatch.setattr("stages.lib.video.decord_source.READ_AHEAD_BYTES", 30 * 64 * 48 * 3 - 1)
    frames, _, engine = read_all(path)
    assert engine == "pyav"
    for mine, theirs in zip(frames, all_frames(path)[1], strict=True):
        np.testing.assert_array_equal(mine, theirs)


def broken_files(folder: Path) -> dict[str, Path]:
    good = write_video(folder / "good.mp4", range(50), size=(160, 120))
    files = {
        name: folder / f"{name}.mp4" for name in ("empty", "text", "no-index", "folder", "absent", "loop")
    }
    files["empty"].touch()
    files["text"].write_text("this is a shopping list\n" * 50)
    files["no-index"].write_bytes(good.read_bytes()[: good.stat().st_size // 2])
    files["folder"].mkdir()
    files["loop"].symlink_to(files["loop"])
    return {**files, "sound": write_sound(folder / "sound.mp4")}


def test_each_kind_of_bad_file_has_its_reason(tmp_path: Path) -> None:
    reasons, states = {}, {}
    for name, path in broken_files(tmp_path).items():
        with pytest.raises(VideoError) as caught, open_video(path):
            pass
        reasons[name], states[name] = caught.value.reason, caught.value.status
    invalid = "it cannot be opened as a video (Invalid data found when processing input)"
    assert reasons == {
        "empty": "the file is empty (0 bytes)",
        "text": invalid,
        "no-index": invalid,
        "folder": "it is a folder without frames (image_000001.jpg or <video>_000001.jpg)",
        "absent": "file not found",
        "loop": "a link that leads to itself",
        "sound": "no video stream in it (sound only?)",
    }
    assert [name for name, state in states.items() if state == "missing"] == ["absent"]
    with pytest.raises(VideoError, match="names no file"), open_video(None):
        pass


@pytest.mark.parametrize("seed", range(8))
def test_two_threads_give_what_one_gives_whatever_is_damaged(tmp_path: Path, seed: int) -> None:
    """Against a decode by one thread that is not strict, up to the same last frame, with damage of 1 to 2000 bytes."""
    whole = write_video(tmp_path / "v.mp4", range(120), size=(160, 120), bf="3", g="40")
    data = bytearray(fast_start(whole, tmp_path / "f.mp4").read_bytes())
    rng = np.random.default_rng(seed)
    place, length = int(rng.integers(len(data) // 4, len(data))), (1, 2, 40, 2000)[seed % 4]
    data[place : place + length] = rng.bytes(len(data[place : place + length]))
    damaged = tmp_path / "damaged.mp4"
    damaged.write_bytes(data)
    expected: list[np.ndarray] = []
    with av.open(str(damaged)) as file, contextlib.suppress(av.FFmpegError):
        file.streams.video[0].thread_type = "NONE"
        expected.extend(frame.to_ndarray(format="rgb24") for frame in file.decode(video=0))
    got: list[np.ndarray] = []
    with open_video(damaged, "pyav") as video, contextlib.suppress(DamagedVideoError):
        got.extend(picture.rgb() for _, picture in video.read(np.arange(video.info.frames)))
    assert len(got) == len(expected) > 20
    for mine, theirs in zip(got, expected, strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_file_cut_in_half_gives_its_first_frames_and_says_where_it_ends(
    tmp_path: Path, engine: Engine
) -> None:
    whole = fast_start(
        write_video(tmp_path / "v.mp4", range(100), size=(160, 120), g="10"), tmp_path / "f.mp4"
    )
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    frames = all_frames(whole)[1]
    got: list[np.ndarray] = []
    with open_video(cut, engine) as video:
        assert video.note == ""
        with pytest.raises(DamagedVideoError) as caught:
            got.extend(picture.rgb() for _, picture in video.read(np.arange(100)))
    assert caught.value.frame == len(got)
    for mine, theirs in zip(got, frames, strict=False):
        np.testing.assert_array_equal(mine, theirs)
    if engine == "pyav":
        assert 30 < len(got) < 70


@pytest.mark.parametrize(
    ("name", "size", "frames", "end"),
    [
        ("arm-wrestling.mp4", (340, 256), 280, 10.0),
        ("basketball.mp4", (340, 256), 300, 10.0),
        ("hug-1080p-28fps.mp4", (1920, 1080), 72, 2.5667),
        ("mpeg4.avi", (320, 240), 164, 6.56),
    ],
)
def test_real_files(name: str, size: tuple[int, int], frames: int, end: float) -> None:
    if not (MEDIA / name).exists():
        pytest.skip("the sample videos are not here")
    times, stored = all_frames(MEDIA / name)
    with open_video(MEDIA / name) as video:
        assert ((video.info.width, video.info.height), video.info.frames) == (size, frames)
        assert video.info.end == pytest.approx(end, abs=1e-3)
        np.testing.assert_allclose(
            video.info.starts, np.sort(times), atol=1e-5
        )  # avi stamps follow the packets' order
        for number, picture in video.read(np.arange(0, frames, 7)):
            np.testing.assert_array_equal(picture.rgb(), stored[number])

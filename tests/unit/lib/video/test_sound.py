"""The sound of a file beside new frames: where it lies, how long it is, and what it sounds like."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from stages.lib.video.sound import add_sound
from stages.lib.video.writer import VideoWriter

RATE, BEEP = 44_100, 1.5


def with_beep(path: Path, codec: str, sound_from: float = 0.0, frames_from: float = 0.0) -> Path:
    """Three seconds of frames and sound; a tone of 1 kHz from 1.5 s of the sound on."""
    count = 3 * RATE
    time = np.arange(count) / RATE
    wave = (0.5 * np.sin(2 * np.pi * 1000 * time) * (time >= BEEP)).astype(np.float32)
    with av.open(str(path), "w") as file:
        video = file.add_stream("mpeg4", rate=20)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        video.codec_context.time_base = Fraction(1, 1000)
        audio = file.add_stream(codec, rate=RATE)
        audio.layout = "mono"
        kind = "s16" if codec == "pcm_s16le" else "fltp" if codec in ("aac", "libmp3lame") else "s16"
        values = wave if kind == "fltp" else (wave * 32767).astype(np.int16)
        for k in range(60):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), k, np.uint8), format="rgb24")
            frame.pts, frame.time_base = round(1000 * (frames_from + k / 20)), Fraction(1, 1000)
            file.mux(video.encode(frame))
        file.mux(video.encode(None))
        for begin in range(0, count, 1024):
            part = av.AudioFrame.from_ndarray(values[None, begin : begin + 1024], format=kind, layout="mono")
            part.rate, part.pts = RATE, begin + round(sound_from * RATE)
            part.time_base = Fraction(1, RATE)
            file.mux(audio.encode(part))
        file.mux(audio.encode(None))
    return path


def silent(path: Path, seconds: float = 3.0) -> Path:
    with VideoWriter(path, 20.0) as writer:
        for k in range(round(seconds * 20)):
            writer.write(np.full((48, 64, 3), 3 * k % 255, np.uint8), k / 20)
    return path


def heard(path: Path) -> tuple[str, float, float]:
    """Codec, time of the first loud sample, and length of the sound, seconds."""
    with av.open(str(path)) as file:
        stream = file.streams.audio[0]
        parts = [
            (frame.time, frame.to_ndarray().astype(float), frame.format.name) for frame in file.decode(stream)
        ]
        name = stream.codec_context.name
    scale = 1.0 if parts[0][2].startswith("flt") else 32768.0
    loud = [
        time + int(np.flatnonzero(np.abs(values[0]) > 0.25 * scale)[0]) / RATE
        for time, values, _ in parts
        if (np.abs(values[0]) > 0.25 * scale).any()
    ]
    return name, loud[0], parts[-1][0] + parts[-1][1].shape[1] / RATE


@pytest.mark.parametrize(
    ("suffix", "codec", "kept"),
    [(".mp4", "aac", "aac"), (".avi", "pcm_s16le", "aac"), (".mkv", "flac", "aac")],
)
def test_sound_stays_where_it_was(tmp_path: Path, suffix: str, codec: str, kept: str) -> None:
    source = with_beep(tmp_path / f"a{suffix}", codec)
    assert add_sound(silent(tmp_path / "s.mp4"), source, tmp_path / "o.mp4") == ""
    name, beep, length = heard(tmp_path / "o.mp4")
    assert name == kept
    assert beep == pytest.approx(BEEP, abs=0.05)
    assert length == pytest.approx(3.0, abs=0.1)
    with av.open(str(tmp_path / "o.mp4")) as file, av.open(str(tmp_path / "s.mp4")) as before:
        assert [p.pts for p in file.demux(video=0)] == [p.pts for p in before.demux(video=0)]


def test_time_counts_from_the_first_frame(tmp_path: Path) -> None:
    """Frames that begin half a second after the sound: what was heard before them is cut off."""
    source = with_beep(tmp_path / "a.mkv", "aac", frames_from=0.5)
    assert add_sound(silent(tmp_path / "s.mp4"), source, tmp_path / "o.mp4") == ""
    assert heard(tmp_path / "o.mp4")[1] == pytest.approx(BEEP - 0.5, abs=0.05)


def test_sound_ends_with_the_frames(tmp_path: Path) -> None:
    source = with_beep(tmp_path / "a.mp4", "aac")
    assert add_sound(silent(tmp_path / "s.mp4", 2.0), source, tmp_path / "o.mp4") == ""
    assert heard(tmp_path / "o.mp4")[2] == pytest.approx(2.0, abs=0.1)


def test_without_sound_nothing_is_written(tmp_path: Path) -> None:
    source = silent(tmp_path / "a.mp4")
    assert add_sound(silent(tmp_path / "s.mp4"), source, tmp_path / "o.mp4") is None
    assert not (tmp_path / "o.mp4").exists()

"""Small videos for tests, whose frames differ, and what PyAV decodes from them."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

MEDIA = Path(__file__).resolve().parents[5] / "shared" / "media"


def write_video(
    path: Path,
    stamps: Sequence[int],
    base: Fraction = Fraction(1, 25),
    size: tuple[int, int] = (64, 48),
    codec: str = "libx264",
    pixels: str = "yuv420p",
    **options: str,
) -> Path:
    """One frame per time stamp (in units of `base`), each of another colour and pattern."""
    width, height = size
    y, x = np.mgrid[0:height, 0:width]
    with av.open(str(path), "w") as file:
        stream: Any = file.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt, stream.options = width, height, pixels, options
        stream.time_base = stream.codec_context.time_base = base
        for number, stamp in enumerate(stamps):
            pattern = [(x + 5 * number) % 256, (2 * y + number) % 256, np.full_like(x, (11 * number) % 256)]
            frame = av.VideoFrame.from_ndarray(np.stack(pattern, -1).astype(np.uint8), format="rgb24")
            frame.pts, frame.time_base = int(stamp), base
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
    return path


def write_sound(path: Path) -> Path:
    """A file with sound and no pictures."""
    with av.open(str(path), "w") as file:
        stream: Any = file.add_stream("aac", rate=16000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 16000), np.float32), format="fltp", layout="mono")
        frame.rate = 16000
        file.mux(stream.encode(frame))
        file.mux(stream.encode())
    return path


def fast_start(source: Path, path: Path) -> Path:
    """The same stream with its index at the front of the file."""
    with av.open(str(source)) as old, av.open(str(path), "w", options={"movflags": "faststart"}) as new:
        stream: Any = new.add_stream_from_template(old.streams.video[0])
        for packet in old.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                new.mux(packet)
    return path


def turned(source: Path, path: Path, degrees: int) -> Path:
    """The same mp4 with a display matrix that turns it."""
    one = 1 << 16
    matrix = {
        90: (0, one, 0, -one, 0, 0, 0, 0, 1 << 30),
        180: (-one, 0, 0, 0, -one, 0, 0, 0, 1 << 30),
        270: (0, -one, 0, one, 0, 0, 0, 0, 1 << 30),
    }[degrees]
    data = bytearray(source.read_bytes())
    place = data.index(b"tkhd") + 44
    data[place : place + 36] = struct.pack(">9i", *matrix)
    path.write_bytes(data)
    return path


def all_frames(path: Path) -> tuple[NDArray[np.float64], list[NDArray[np.uint8]]]:
    """Exact times from the first frame in seconds, and RGB frames as stored (not turned), by PyAV in order."""
    with av.open(str(path)) as file:
        found = [
            (Fraction(f.pts or 0) * f.time_base, f.to_ndarray(format="rgb24", src_colorspace=f.colorspace))
            for f in file.decode(video=0)
        ]
    return np.array([float(time - found[0][0]) for time, _ in found]), [frame for _, frame in found]

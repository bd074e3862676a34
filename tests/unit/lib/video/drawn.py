"""Small videos for tests, whose frames differ, and what PyAV decodes from them."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

MEDIA = Path(__file__).resolve().parents[5] / "shared" / "media"


BLOCKS = (4, 3)  # columns and rows of the numbered frames: the bits of a number, the lowest first
Draw = Callable[[int, int, int], NDArray[np.uint8]]


def patterned_frame(number: int, width: int, height: int) -> NDArray[np.uint8]:
    """A frame of a colour and a pattern that no other number has."""
    y, x = np.mgrid[0:height, 0:width]
    pattern = [(x + 5 * number) % 256, (2 * y + number) % 256, np.full_like(x, (11 * number) % 256)]
    return np.stack(pattern, -1).astype(np.uint8)


def numbered_frame(number: int, width: int, height: int) -> NDArray[np.uint8]:
    """A frame that shows its number (below 4096) as light and dark blocks, one for each bit."""
    columns, rows = BLOCKS
    y, x = np.mgrid[0:height, 0:width]
    bit = columns * (y * rows // height) + x * columns // width
    return np.repeat(np.where(number >> bit & 1, 210, 45).astype(np.uint8)[..., None], 3, axis=2)


def number_of(frame_HW3: NDArray[np.uint8]) -> int:
    """The number that a frame shows, read from the middle of each block; AssertionError where one is neither light nor dark."""
    columns, rows = BLOCKS
    height, width = frame_HW3.shape[:2]
    number = 0
    for bit in range(columns * rows):
        row, column = divmod(bit, columns)
        y, x = (2 * row + 1) * height // (2 * rows), (2 * column + 1) * width // (2 * columns)
        light = frame_HW3[y - 1 : y + 2, x - 1 : x + 2].mean()
        assert not 100 < light < 155, f"block {bit} is {light:.0f}"
        number |= int(light > 127) << bit
    return number


def write_video(
    path: Path,
    stamps: Sequence[int],
    base: Fraction = Fraction(1, 25),
    size: tuple[int, int] = (64, 48),
    codec: str = "libx264",
    pixels: str = "yuv420p",
    draw: Draw = patterned_frame,
    aspect: Fraction | None = None,
    **options: str,
) -> Path:
    """One frame per time stamp (in units of `base`), drawn by `draw`; `aspect` is that of a pixel."""
    width, height = size
    with av.open(str(path), "w") as file:
        stream: Any = file.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt, stream.options = width, height, pixels, options
        stream.time_base = stream.codec_context.time_base = base
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        for number, stamp in enumerate(stamps):
            frame = av.VideoFrame.from_ndarray(draw(number, width, height), format="rgb24")
            frame.pts, frame.time_base = int(stamp), base
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
    return path


def write_tree(
    folder: Path,
    numbers: Sequence[int],
    pattern: str = "image_%06d.jpg",
    first: int = 1,
    size: tuple[int, int] = (64, 48),
) -> Path:
    """A frame tree: an image for each number to show, counted from `first` in their names."""
    folder.mkdir(parents=True, exist_ok=True)
    for place, number in enumerate(numbers):
        Image.fromarray(numbered_frame(number, *size)).save(folder / (pattern % (first + place)), quality=95)
    return folder


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

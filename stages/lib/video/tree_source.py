"""A folder of numbered images behind the FrameSource interface: frames that were extracted at a constant rate.

ACAR-Net's `<video>/image_%06d.jpg`, PySlowFast's `<video>/<video>_%06d.jpg`, mmaction2's `img_%05d.jpg`; all were extracted
at 30 frames a second (spec 1.6). The first image, number 1 or 0, is time 0; image k of a tree lies k / rate after it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stages.lib.video.jpeg import Image
from stages.lib.video.picture import Pixels
from stages.lib.video.source import DamagedVideoError, Engine, VideoError, VideoInfo

_NUMBERED: Final = re.compile(
    r"(?P<prefix>.*\D)(?P<number>\d{5,6})(?P<suffix>\.(?:jpg|jpeg|png))", re.IGNORECASE
)
CONVENTIONS: Final = "image_000001.jpg or <video>_000001.jpg"


class Numbered(NamedTuple):
    """An image's name taken apart."""

    prefix: str
    number: int
    suffix: str


def numbered(name: str) -> Numbered | None:
    """The parts of an image's name that ends in five or six digits; None for other names."""
    match = _NUMBERED.fullmatch(name)
    return Numbered(match["prefix"], int(match["number"]), match["suffix"]) if match else None


def is_tree(names: Iterable[str], folder: str) -> bool:
    """Whether a folder with these file names holds the frames of one video: `image_`, `img_` or its own name before a number."""
    prefixes = {"image_", "img_", f"{folder}_"}
    return any(part is not None and part.prefix in prefixes for part in map(numbered, names))


def frame_files(folder: Path) -> list[Path]:
    """The images of a tree in the order of their numbers.

    Raises:
        VideoError: there are none, they have several names, or numbers are missing.
    """
    try:
        names = [entry.name for entry in folder.iterdir()]
    except OSError as error:
        raise VideoError(f"the folder cannot be read ({error.strerror})") from None
    found = sorted((part, name) for name in names if (part := numbered(name)) is not None)
    if not found:
        raise VideoError(f"it is a folder without frames ({CONVENTIONS})")
    kinds = sorted({part.prefix + "*" + part.suffix for part, _ in found})
    if len(kinds) > 1:
        raise VideoError(f"the folder holds images of several names: {', '.join(kinds[:3])}")
    numbers = np.array([part.number for part, _ in found], np.int64)
    _require_gapless(numbers, [name for _, name in found])
    return [folder / name for _, name in found]


def _require_gapless(numbers: NDArray[np.int64], names: list[str]) -> None:
    if numbers[0] > 1:
        raise VideoError(f"its first frame is {names[0]}: frames 1 to {numbers[0] - 1} are missing")
    steps = np.diff(numbers)
    if (steps == 0).any():
        raise VideoError(f"frame {numbers[int(np.argmin(steps))]} is there twice")
    gaps = np.flatnonzero(steps > 1)
    if len(gaps):
        missing, place = int(numbers[-1] - numbers[0] + 1 - len(numbers)), int(gaps[0])
        what = f"{missing} frame{'s are' if missing > 1 else ' is'} missing"
        raise VideoError(f"{what} among its {len(numbers)}, the first behind {names[place]}")


class TreeSource:
    """A folder of images; made by `open_tree`."""

    engine: Engine = "images"
    note = ""

    def __init__(self, folder: Path, rate: float) -> None:
        self._files = frame_files(folder)
        try:
            height, width = _read(self._files[0]).shape[:2]
        except _UNREADABLE as error:
            raise VideoError(f"its first frame {self._files[0].name} cannot be read ({error})") from None
        n = len(self._files)
        self.info = VideoInfo(width, height, np.arange(n) / rate, n / rate)

    def read(self, wanted: NDArray[np.int64]) -> Iterator[tuple[int, Pixels]]:
        """See FrameSource; an image of another size than the first is damage."""
        expected = (self.info.height, self.info.width)
        for number in wanted.tolist():
            file = self._files[number]
            try:
                pixels = _read(file)
            except _UNREADABLE as error:
                raise DamagedVideoError(number, f"{file.name} cannot be read: {error}") from None
            if pixels.shape[:2] != expected:
                height, width = pixels.shape[:2]
                what = f"{file.name} is {width}x{height}, {self._files[0].name} {expected[1]}x{expected[0]}"
                raise DamagedVideoError(number, what)
            yield number, Pixels(pixels)

    def close(self) -> None:
        """Nothing is open."""


_UNREADABLE: Final = (OSError, ValueError, SyntaxError)


def open_tree(folder: Path, rate: float) -> TreeSource:
    """Open the frames of a folder, extracted at `rate` Hz; VideoError where they are none, or some are missing."""
    return TreeSource(folder, rate)


def _read(file: Path) -> Image:
    """RGB pixels (H,W,3) of an image file; OSError, ValueError or SyntaxError (Pillow's) where it is none."""
    from PIL import Image as Pillow
    from PIL import UnidentifiedImageError

    try:
        with Pillow.open(file) as image:
            return np.asarray(image.convert("RGB"))
    except UnidentifiedImageError:
        raise ValueError("no image") from None

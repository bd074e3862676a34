"""Reading a video frame by frame as it is meant to be seen, and writing H.264 mp4 files, both with PyAV.

H, W frame size after rotation. Not to be imported in one process with decord.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av
import numpy as np
from av.error import FFmpegError
from numpy.typing import NDArray

from stages.lib.errors import StageError

Frame = NDArray[np.uint8]
TIME_BASE: Final = 90_000
_LARGEST_RATE: Final = 240


@dataclass(frozen=True)
class TimedFrame:
    """An upright RGB frame (H, W, 3) and its time in seconds from the file's first frame."""

    image: Frame
    seconds: float


@dataclass(frozen=True)
class VideoFacts:
    """Average frame rate, whether there is sound, and the declared number of frames (0: unknown)."""

    rate: Fraction
    has_audio: bool
    frames: int


class VideoFile:
    """An open video; made by `open_video`."""

    def __init__(self, container: Any, path: Path) -> None:
        self._container, self._path = container, path
        self._stream = container.streams.video[0]
        rate = self._stream.average_rate or self._stream.guessed_rate or Fraction(25)
        self.facts = VideoFacts(
            min(Fraction(rate), Fraction(_LARGEST_RATE)),
            bool(container.streams.audio),
            int(self._stream.frames),
        )

    def frames(self) -> Iterator[TimedFrame]:
        """All frames in order of time; frames without a time follow the last one at the average rate.

        Raises:
            StageError: no frame can be decoded. Damage after the first frame ends the video there.
        """
        start: float | None = None
        last, count = 0.0, 0
        step = 1.0 / float(self.facts.rate)
        try:
            for frame in self._container.decode(self._stream):
                time = float(frame.time) if frame.time is not None else (start or 0.0) + last + step
                start = time if start is None else start
                last = max(time - start, last + 1e-6 if count else 0.0)
                count += 1
                yield TimedFrame(_upright(frame), last)
        except FFmpegError as error:
            if count == 0:
                raise _broken(self._path, str(error)) from None
        if count == 0:
            raise _broken(self._path, "no frame")


@contextmanager
def open_video(path: Path) -> Iterator[VideoFile]:
    """Open a video for one sequential pass; StageError when it is missing, broken, or has no picture."""
    try:
        container = av.open(str(path))
    except (FFmpegError, OSError, ValueError) as error:
        raise _broken(path, str(error)) from None
    with container:
        if not container.streams.video:
            raise _broken(path, "no video stream")
        container.streams.video[0].thread_type = "AUTO"
        yield VideoFile(container, path)


class VideoWriter:
    """Writes RGB frames with their times into an mp4 (x264, one thread, yuv420p)."""

    def __init__(self, path: Path, rate: Fraction, crf: int = 20) -> None:
        self._container = av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"})
        self._rate, self._crf = Fraction(rate).limit_denominator(100_000), crf
        self._stream: Any = None
        self._last = -1

    def write(self, image_HW3: Frame, seconds: float) -> None:
        """Add a frame at `seconds` from the start; odd sizes lose their last row or column."""
        height, width = (size - size % 2 for size in image_HW3.shape[:2])
        if self._stream is None:
            self._stream = self._open(width, height)
        image = np.ascontiguousarray(image_HW3[: self._stream.height, : self._stream.width])
        frame = av.VideoFrame.from_ndarray(image, format="rgb24")
        self._last = max(round(seconds * TIME_BASE), self._last + 1)
        frame.pts, frame.time_base = self._last, Fraction(1, TIME_BASE)
        self._container.mux(self._stream.encode(frame))

    def close(self) -> None:
        """Flush the encoder and finish the file."""
        if self._stream is not None:
            self._container.mux(self._stream.encode(None))
        self._container.close()

    def _open(self, width: int, height: int) -> Any:
        options = {"crf": str(self._crf), "preset": "veryfast", "threads": "1"}
        stream = self._container.add_stream("libx264", rate=self._rate, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.time_base = Fraction(1, TIME_BASE)
        return stream


def _upright(frame: Any) -> Frame:
    """The frame as RGB, turned by the rotation that the file asks for, in steps of 90 degrees."""
    image = frame.to_ndarray(format="rgb24")
    turns = round(float(getattr(frame, "rotation", 0) or 0) / 90) % 4
    return np.rot90(image, turns) if turns else image


def _broken(path: Path, why: str) -> StageError:
    return StageError(
        f"cannot be read as a video ({why})", str(path), "check the file, or remove it from the folder"
    )

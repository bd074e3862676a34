"""Writing H.264 mp4 files with PyAV. Not to be imported in one process with decord.

H, W frame size.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av
import numpy as np
from numpy.typing import NDArray

TIME_BASE: Final = 90_000
_LARGEST_RATE: Final = 240.0


class VideoWriter:
    """Writes RGB frames with their times into an mp4 (x264, one thread, yuv420p); use as a context manager.

    Args:
        path: file to write, whatever its suffix.
        rate: average frame rate in Hz, kept in the file; each frame keeps its own time.
        crf: constant rate factor of x264; lower is better and larger.
    """

    def __init__(self, path: Path, rate: float, crf: int = 20) -> None:
        self._container = av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"})
        self._rate = Fraction(min(max(rate, 0.1), _LARGEST_RATE)).limit_denominator(1001)
        self._crf = crf
        self._stream: Any = None
        self._last = -1
        self.frames = 0

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def write(self, image_HW3: NDArray[np.uint8], seconds: float) -> None:
        """Add a frame at `seconds` from the start; odd sizes lose their last row or column."""
        if self._stream is None:
            height, width = (max(size - size % 2, 2) for size in image_HW3.shape[:2])
            self._stream = self._open(width, height)
        image = np.ascontiguousarray(image_HW3[: self._stream.height, : self._stream.width])
        frame = av.VideoFrame.from_ndarray(image, format="rgb24")
        self._last = max(round(seconds * TIME_BASE), self._last + 1)
        frame.pts, frame.time_base = self._last, Fraction(1, TIME_BASE)
        frame.duration = round(TIME_BASE / self._rate)
        self._container.mux(self._stream.encode(frame))
        self.frames += 1

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

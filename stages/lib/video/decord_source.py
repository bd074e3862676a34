"""decord behind the FrameSource interface: the only module that imports it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from stages.lib.video.picture import Pixels
from stages.lib.video.source import (
    READ_AHEAD_BYTES,
    DamagedVideoError,
    Engine,
    UnfitError,
    VideoError,
    VideoInfo,
)

_QUIET: Final = -8
_LATEST: Final = 1e9  # seconds; decord gives huge negative numbers for packets without a timestamp


class DecordSource:
    """A file open in decord; made by `open_decord`."""

    engine: Engine = "decord"
    note = ""

    def __init__(self, reader: Any, errors: tuple[type[Exception], ...]) -> None:
        self._reader, self._errors = reader, errors
        first = _rgb(reader.next())
        self._first: NDArray[np.uint8] | None = first
        height, width = first.shape[:2]
        starts, end = _timestamps(reader)
        self.info = VideoInfo(width, height, starts, end, claimed=float(reader.get_avg_fps()) or None)

    def read(self, wanted: NDArray[np.int64]) -> Iterator[tuple[int, Pixels]]:
        """See FrameSource; may be called once."""
        position, frame, self._first = 0, self._first, None
        assert frame is not None, "a source is read once"
        for target in wanted.tolist():
            while position < target:
                frame = self._next(position + 1, keep=position + 1 == target)
                position += 1
            assert frame is not None
            yield target, Pixels(frame)

    def _next(self, number: int, *, keep: bool) -> NDArray[np.uint8] | None:
        try:
            frame = self._reader.next()
            return _rgb(frame) if keep else None
        except self._errors:
            raise DamagedVideoError(number, "decord stopped") from None

    def close(self) -> None:
        """Delete the reader: one that lives until the interpreter ends can abort the process."""
        self._reader = None
        self._first = None


def open_decord(path: Path, unscaled_side: int | None = None) -> DecordSource:
    """Open a file in decord.

    Raises:
        UnfitError: its decoded frames would not fit into the memory that read-ahead may take, its shorter side is above
            `unscaled_side`, or its first frame is damaged.
        VideoError: decord cannot open it.
    """
    import decord

    decord.logging.set_level(_QUIET)
    errors = (StopIteration, RuntimeError, decord.DECORDError, OSError, IndexError)
    try:
        reader = decord.VideoReader(str(path), num_threads=1)
    except errors:
        raise VideoError("decord cannot open it") from None
    try:
        source = DecordSource(reader, errors)
    except errors:
        raise UnfitError("decord stopped at the first frame") from None
    info = source.info
    scaled = unscaled_side is not None and min(info.width, info.height) > unscaled_side
    if scaled or info.decoded_bytes > READ_AHEAD_BYTES:
        source.close()
        raise UnfitError("too large for decord")
    return source


def _rgb(frame: Any) -> NDArray[np.uint8]:
    """RGB pixels (H,W,3); of frames below 64 pixels in width decord shows the padding of the rows as a fourth channel."""
    pixels: NDArray[np.uint8] = frame.asnumpy()
    height, width, channels = pixels.shape
    if channels == 3:
        return pixels
    return np.ascontiguousarray(pixels.reshape(height, -1)[:, : 3 * width]).reshape(height, width, 3)


def _timestamps(reader: Any) -> tuple[NDArray[np.float64], float]:
    """Timestamps from the first frame (M,) and the end of the last; by the nominal rate where the file has none (avi)."""
    pairs = np.asarray(reader.get_frame_timestamp(range(len(reader))), np.float64).reshape(-1, 2)
    starts = pairs[:, 0] - pairs[0, 0]
    if np.isfinite(starts).all() and abs(pairs[0, 0]) < _LATEST and (np.diff(starts) >= 0).all():
        return starts, float(max(pairs[-1, 1] - pairs[0, 0], starts[-1]))
    rate = float(reader.get_avg_fps())
    return np.arange(len(pairs)) / rate, len(pairs) / rate

"""PyAV behind the FrameSource interface: for files that decord is unfit for; decodes on demand, in bounded memory."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from stages.lib.video.jpeg import Image
from stages.lib.video.picture import Size
from stages.lib.video.source import DamagedVideoError, Engine, VideoError, VideoInfo

THREADS: Final = 2
HELD: Final = 16
"""Frames that a codec may show before one that they refer to."""
_local = threading.local()


@dataclass(frozen=True)
class AvPicture:
    """A frame as FFmpeg decoded it; `turns` quarter turns counter-clockwise make it upright."""

    frame: Any
    turns: int

    def rgb(self, size: Size | None = None) -> Image:
        """See Picture; scaled (bicubic, antialiased) and converted in one step, as FFmpeg's scale filter does."""
        frame, turned = self.frame, self.turns % 2
        stored = (frame.height, frame.width) if turned else (frame.width, frame.height)
        if size is None or size == stored:
            pixels = frame.to_ndarray(format="rgb24", src_colorspace=frame.colorspace, threads=1)
        else:
            width, height = reversed(size) if turned else size
            pixels = (
                _scaler()
                .reformat(
                    frame,
                    width,
                    height,
                    "rgb24",
                    src_colorspace=frame.colorspace,
                    interpolation="BICUBIC",
                    threads=1,
                )
                .to_ndarray()
            )
        return np.ascontiguousarray(np.rot90(pixels, self.turns)) if self.turns else pixels


class AvSource:
    """A file open in PyAV; made by `open_av`."""

    engine: Engine = "pyav"

    def __init__(self, path: Path, note: str) -> None:
        self._path, self.note = path, note
        starts, end, declared, claimed = _scan(path)
        self._frames = self._decoded()
        first = _next(self._frames, 0)
        self._first: AvPicture | None = first
        frame, turned = first.frame, first.turns % 2
        width, height = (frame.height, frame.width) if turned else (frame.width, frame.height)
        self.info = VideoInfo(width, height, starts, end, declared, claimed)

    def read(self, wanted: NDArray[np.int64]) -> Iterator[tuple[int, AvPicture]]:
        """See FrameSource; may be called once."""
        position, picture, self._first = 0, self._first, None
        assert picture is not None, "a source is read once"
        for target in wanted.tolist():
            while position < target:
                position += 1
                picture = _next(self._frames, position)
            yield target, picture

    def _decoded(self) -> Generator[AvPicture]:
        """All frames in order: by two threads up to the first fault that FFmpeg finds, by one from there on.

        What threads make of damage differs from run to run. A frame is given out when HELD more are sound, since those that
        refer to a damaged one may be shown before it.
        """
        import av

        given = 0
        held: deque[AvPicture] = deque()
        try:
            for picture in _pictures(self._path, THREADS, strict=True):
                if picture.frame.is_corrupt:
                    break
                held.append(picture)
                if len(held) > HELD:
                    yield held.popleft()
                    given += 1
            else:
                yield from held
                return
        except (av.FFmpegError, OSError, ValueError):
            pass  # one thread meets the same fault, and says what it is
        held.clear()
        yield from islice(_pictures(self._path, 1, strict=False), given, None)

    def close(self) -> None:
        """Close the file."""
        self._first = None
        self._frames.close()


def _pictures(path: Path, threads: int, *, strict: bool) -> Iterator[AvPicture]:
    """Decode a file; `strict` makes errors of faults that FFmpeg would conceal."""
    import av

    with av.open(str(path)) as file:
        stream = file.streams.video[0]
        stream.thread_type = "AUTO" if threads > 1 else "NONE"
        stream.codec_context.thread_count = threads
        if strict:
            stream.codec_context.options = {"err_detect": "explode"}
        for frame in file.decode(stream):
            yield AvPicture(frame, round(frame.rotation / 90) % 4)


def _scaler() -> Any:
    """The scaler of the calling thread; it keeps its tables from frame to frame."""
    from av.video.reformatter import VideoReformatter

    if not hasattr(_local, "scaler"):
        _local.scaler = VideoReformatter()
    return _local.scaler


def open_av(path: Path, note: str = "") -> AvSource:
    """Open a file in PyAV; VideoError with FFmpeg's own words when it cannot be."""
    import av

    try:
        return AvSource(path, note)
    except DamagedVideoError as fault:
        raise VideoError(f"its first frame cannot be decoded ({fault.reason})") from None
    except (av.FFmpegError, OSError, ValueError) as error:
        raise VideoError(f"it cannot be opened as a video ({_words(error)})") from None


def _next(frames: Iterator[AvPicture], number: int) -> AvPicture:
    import av

    try:
        return next(frames)
    except StopIteration:
        raise DamagedVideoError(number, "the file ends") from None
    except (av.FFmpegError, OSError, ValueError) as error:
        raise DamagedVideoError(number, _words(error)) from None


def _scan(path: Path) -> tuple[NDArray[np.float64], float, float | None, float | None]:
    """Timestamps from the first frame (M,), the end of the last, declared length and rate; reads packets only."""
    import av

    with av.open(str(path)) as file:
        if not file.streams.video:
            raise VideoError("no video stream in it (sound only?)")
        stream = file.streams.video[0]
        times, last, unstamped = [], 0, 0
        try:
            for packet in file.demux(stream):
                stamp = packet.pts if packet.pts is not None else packet.dts
                if packet.is_discard or not packet.size:
                    continue
                if stamp is None:
                    unstamped += 1
                    continue
                times.append(stamp)
                last = max(last, stamp + (packet.duration or 0))
        except (av.FFmpegError, OSError):
            pass  # the packets before the damage count; decoding stops there as well
        base = float(stream.time_base or 0)
        rate = float(stream.average_rate or stream.base_rate or 25)
        claimed = float(stream.average_rate) if stream.average_rate else None
        declared = float(stream.duration * stream.time_base) if stream.duration and stream.time_base else None
        declared = declared or (file.duration / av.time_base if file.duration else None)
    if not times:  # a bare stream knows no times: the nominal rate counts
        times, last, base = list(range(unstamped)), unstamped, 1 / rate
    if not times:
        raise VideoError("no frames in it")
    starts = np.sort(np.array(times, np.float64) - min(times)) * base
    end = (last - min(times)) * base
    return starts, float(max(end, starts[-1] + (1 / rate if end <= starts[-1] else 0))), declared, claimed


def _words(error: BaseException) -> str:
    return str(getattr(error, "strerror", None) or type(error).__name__)

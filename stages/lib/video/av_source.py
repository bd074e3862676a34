"""PyAV behind the FrameSource interface: for files that decord is unfit for; decodes on demand, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.lib.video.source import DamagedVideoError, Engine, VideoError, VideoInfo


class AvSource:
    """A file open in PyAV; made by `open_av`."""

    engine: Engine = "pyav"

    def __init__(self, path: Path, note: str) -> None:
        import av

        self.note = note
        starts, end, declared, claimed = _scan(path)
        self._container = av.open(str(path))
        stream = self._container.streams.video[0]
        stream.thread_type, stream.codec_context.thread_count = (
            "NONE",
            1,
        )  # threads lose a varying number of frames at damage
        self._frames = self._container.decode(stream)
        self._first = _next(self._frames, 0)
        height, width = _rgb(self._first).shape[:2]
        self.info = VideoInfo(width, height, starts, end, declared, claimed)

    def read(self, wanted: NDArray[np.int64]) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """See FrameSource; may be called once."""
        position, frame, self._first = 0, self._first, None
        assert frame is not None, "a source is read once"
        for target in wanted.tolist():
            while position < target:
                position += 1
                frame = _next(self._frames, position)
            yield target, _rgb(frame)

    def close(self) -> None:
        """Close the file."""
        self._first = None
        self._container.close()


def open_av(path: Path, note: str = "") -> AvSource:
    """Open a file in PyAV; VideoError with FFmpeg's own words when it cannot be."""
    import av

    try:
        return AvSource(path, note)
    except DamagedVideoError as fault:
        raise VideoError(f"its first frame cannot be decoded ({fault.reason})") from None
    except (av.FFmpegError, OSError, ValueError) as error:
        raise VideoError(f"it cannot be opened as a video ({_words(error)})") from None


def _next(frames: Iterator[Any], number: int) -> Any:
    import av

    try:
        return next(frames)
    except StopIteration:
        raise DamagedVideoError(number, "the file ends") from None
    except (av.FFmpegError, OSError, ValueError) as error:
        raise DamagedVideoError(number, _words(error)) from None


def _rgb(frame: Any) -> NDArray[np.uint8]:
    """RGB pixels (H,W,3), turned as the display matrix says (degrees counter-clockwise)."""
    pixels = frame.to_ndarray(format="rgb24", src_colorspace=frame.colorspace)
    turns = round(frame.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(pixels, turns)) if turns else pixels


def _scan(path: Path) -> tuple[NDArray[np.float64], float, float | None, float | None]:
    """Timestamps from the first frame (M,), the end of the last, declared length and rate; reads packets only."""
    import av

    with av.open(str(path)) as file:
        if not file.streams.video:
            raise VideoError("no video stream in it (sound only?)")
        stream = file.streams.video[0]
        times, last, untimed = [], 0, 0
        try:
            for packet in file.demux(stream):
                stamp = packet.pts if packet.pts is not None else packet.dts
                if packet.is_discard or not packet.size:
                    continue
                if stamp is None:
                    untimed += 1
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
    if not times:
        raise VideoError("its frames have no timestamps" if untimed else "no frames in it")
    starts = np.sort(np.array(times, np.float64) - min(times)) * base
    end = (last - min(times)) * base
    return starts, float(max(end, starts[-1] + (1 / rate if end <= starts[-1] else 0))), declared, claimed


def _words(error: BaseException) -> str:
    return str(getattr(error, "strerror", None) or type(error).__name__)

"""One video file as a source of frames in order, whichever decoder reads it.

decord reads mp4, matroska and avi files. It never seeks here: with B-frames around open groups of pictures its seeks
return other frames (measured). Its decoder runs ahead of the reader without bound, up to the whole file in memory: files
of more than READ_AHEAD_BYTES of decoded frames (or LARGEST_FILE bytes), other containers, and files that decord refuses
are read with PyAV, which decodes on demand. Both return the same pixels at the stored size; PyAV scales while it converts
to RGB, which is why the caller may keep decord to files that are not scaled.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from stages.lib.video.picture import Picture

READ_AHEAD_BYTES: Final = 1 << 30
LARGEST_FILE: Final = 1 << 27
MISSING, BROKEN, OK = "missing", "broken", "ok"
Engine = Literal["decord", "pyav", "images"]
TREE_RATE: Final = 30.0
"""Hz at which frame trees are extracted unless somebody says otherwise (spec 1.6)."""


class VideoError(Exception):
    """A file that cannot be read as a video; `reason` is for the user and the same on every run."""

    def __init__(self, reason: str, status: str = BROKEN) -> None:
        super().__init__(reason)
        self.reason, self.status = reason, status


class DamagedVideoError(VideoError):
    """Decoding stopped at source frame `frame`; the frames before it are good."""

    def __init__(self, frame: int, reason: str) -> None:
        super().__init__(reason)
        self.frame = frame


class UnfitError(VideoError):
    """decord opens the file but should not read it: too many or too large frames, or damage (met at a random frame)."""


@dataclass(frozen=True)
class VideoInfo:
    """Size after rotation in pixels, and the timestamp of each frame from the first, in seconds.

    `end` is the end of the last frame; `declared` the length and `claimed` the frame rate in Hz that the container
    claims (None where unknown).
    """

    width: int
    height: int
    starts: NDArray[np.float64]
    end: float
    declared: float | None = None
    claimed: float | None = None

    @property
    def frames(self) -> int:
        """Number of source frames."""
        return len(self.starts)

    @property
    def rate(self) -> float:
        """Average frame rate in Hz."""
        return self.frames / self.end if self.end > 0 else 0.0

    @property
    def decoded_bytes(self) -> int:
        """Bytes of all frames in RGB."""
        return self.frames * self.width * self.height * 3


class FrameSource(Protocol):
    """An open video; `note` says what is unusual about how it is read."""

    info: VideoInfo
    engine: Engine
    note: str

    def read(self, wanted: NDArray[np.int64]) -> Iterator[tuple[int, Picture]]:
        """Yield (source frame, its picture) of `wanted` (ascending, unique) in one pass; DamagedVideoError on a fault."""
        ...

    def close(self) -> None:
        """Let go of the file and the decoder."""
        ...


@contextmanager
def open_video(
    path: Path | None,
    prefer: Engine = "decord",
    *,
    unscaled_side: int | None = None,
    tree_rate: float = TREE_RATE,
) -> Iterator[FrameSource]:
    """Open a video with decord where it is fit for it, else with PyAV; the reader never outlives the block.

    Files whose shorter side is above `unscaled_side` pixels are left to PyAV. A folder is a frame tree of `tree_rate` Hz.

    Raises:
        VideoError: nothing there, no video, or no decoder that can open it.
    """
    source = _open(check_file(path), prefer, unscaled_side, tree_rate)
    try:
        yield source
    finally:
        source.close()


def _open(path: Path, prefer: Engine, unscaled_side: int | None, tree_rate: float) -> FrameSource:
    if path.is_dir():
        from stages.lib.video.tree_source import open_tree

        return open_tree(path, tree_rate)
    refused = False
    if prefer == "decord" and container(path) is not None and path.stat().st_size <= LARGEST_FILE:
        from stages.lib.video.decord_source import open_decord

        try:
            return open_decord(path, unscaled_side)
        except UnfitError:
            refused = False
        except VideoError:
            refused = True
    from stages.lib.video.av_source import open_av

    return open_av(path, "decord cannot open it, decoded with PyAV" if refused else "")


def check_file(path: Path | None) -> Path:
    """The path, if a readable folder or a readable, non-empty regular file stands there; VideoError otherwise."""
    if path is None or not str(path):
        raise VideoError("the sheet names no file for it", MISSING)
    try:
        with path.open("rb") as handle:
            size = os.fstat(handle.fileno()).st_size
    except FileNotFoundError:
        raise VideoError("file not found", MISSING) from None
    except IsADirectoryError:
        return path
    except OSError as error:
        texts = {
            errno.EACCES: "no permission to read it",
            errno.ELOOP: "a link that leads to itself",
        }
        raise VideoError(texts.get(error.errno or 0, f"it cannot be read ({error.strerror})")) from None
    if size == 0:
        raise VideoError("the file is empty (0 bytes)")
    return path


def container(path: Path) -> str | None:
    """mp4, matroska or avi by the file's first bytes; None for anything else."""
    with path.open("rb") as handle:
        head = handle.read(12)
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"free", b"wide", b"skip"):
        return "mp4"
    if head[:4] == b"\x1a\x45\xdf\xa3":
        return "matroska"
    return "avi" if head[:4] == b"RIFF" and head[8:12] == b"AVI " else None

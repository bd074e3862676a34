"""Decoding the labelled videos once, at the fast pathway's rate, into memory; broken ones are skipped with a reason.

Shapes: V videos, T stored frames, F chosen frames, H W pixels.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stages.lib.progress import track
from stages.lib.video.jpeg import clip_size, resize_rgb
from stages.lib.video.sampling import frame_count, nearest_source
from stages.lib.video.source import VideoError, open_video
from stages.pretrain.clips import ClipSet, StoredVideo

Frames = NDArray[np.uint8]
Ints = NDArray[np.int64]

HELD_BYTES: Final = 3 << 30
WORKERS: Final = 2


@dataclass(frozen=True)
class Skipped:
    """A video that is not used: file name, missing or broken, and why."""

    name: str
    status: str
    reason: str


Attempt = tuple[StoredVideo, int] | Skipped
"""A usable video and the bytes it holds in memory, or why it is not used."""


@dataclass(frozen=True)
class VideoFile:
    """A file read at `rate` frames per second, its shorter side at most `short_side` pixels."""

    path: Path
    rate: float
    short_side: int

    def read(self, numbers: Ints | None = None) -> Frames:
        """Frames (F,H,W,3) of the constant-rate grid, all of them when None; numbers beyond the end give the last.

        Raises:
            VideoError: the file is missing, is no video, or is damaged before the last frame that is wanted.
        """
        with open_video(self.path) as source:
            info = source.info
            grid = nearest_source(info.starts, frame_count(info.end, self.rate), self.rate)
            wanted = grid if numbers is None else grid[np.minimum(numbers, len(grid) - 1)]
            distinct, place = np.unique(wanted, return_inverse=True)
            size = clip_size(info.width, info.height, self.short_side)
            frames = [resize_rgb(picture.rgb(), size) for _, picture in source.read(distinct)]
        return np.stack(frames)[place]

    def count(self) -> int:
        """Number of frames on the constant-rate grid."""
        with open_video(self.path) as source:
            return frame_count(source.info.end, self.rate)


def read_videos(
    files: Sequence[VideoFile], labels: Ints, held_bytes: int = HELD_BYTES
) -> tuple[ClipSet, list[Skipped]]:
    """All videos that decode, in their order; those beyond `held_bytes` of frames are read again at every use."""
    videos: list[StoredVideo] = []
    kept: list[int] = []
    skipped: list[Skipped] = []
    budget = _Budget(held_bytes)
    for place, result in enumerate(track(_attempts(files, budget), len(files), "read clips")):
        if isinstance(result, Skipped):
            skipped.append(result)
            continue
        video, size = result
        budget.free -= size
        videos.append(video)
        kept.append(place)
    return ClipSet(tuple(videos), labels[np.array(kept, np.int64)]), skipped


@dataclass
class _Budget:
    """Bytes of frames that may still be held."""

    free: int


def _attempts(files: Sequence[VideoFile], budget: _Budget) -> Iterator[Attempt]:
    """The outcome of each file in order, a few files ahead of the consumer."""
    waiting: deque[Future[Attempt]] = deque()
    with ThreadPoolExecutor(WORKERS) as pool:
        for file in files:
            waiting.append(pool.submit(_hold if budget.free > 0 else _probe, file))
            if len(waiting) > WORKERS:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _hold(file: VideoFile) -> Attempt:
    try:
        frames = file.read()
    except VideoError as fault:
        return Skipped(file.path.name, fault.status, fault.reason)
    return StoredVideo.held(frames), frames.nbytes


def _probe(file: VideoFile) -> Attempt:
    try:
        return StoredVideo(file.count(), file.read), 0
    except VideoError as fault:
        return Skipped(file.path.name, fault.status, fault.reason)

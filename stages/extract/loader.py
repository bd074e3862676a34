"""Cached JPEG bytes to stacked clips, one batch ahead of the network, each frame of a video decoded once per batch.

Shapes: B clips, F frames, H W pixels, C colours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Frames = NDArray[np.uint8]
AHEAD = 2


class ClipSource(Protocol):
    """Where cached frames come from: JPEG bytes of the given frame numbers of a video."""

    def clip(self, video: int, frames: Ints) -> list[bytes]:
        """Numbers past either end give the end frame."""
        ...


@dataclass(frozen=True)
class Request:
    """One clip: the video's row and its frame numbers (F,) at the constant rate."""

    video: int
    frames: Ints


def load_batches(
    batches: Iterable[Sequence[Request]], source: ClipSource, decode: Callable[[bytes], Frames]
) -> Iterator[Frames]:
    """Decoded clips (B,F,H,W,C) of each batch in order; decoding runs in a thread beside the consumer."""
    waiting: list[Future[Frames]] = []
    with ThreadPoolExecutor(1) as pool:
        for batch in batches:
            waiting.append(pool.submit(_load, batch, source, decode))
            if len(waiting) > AHEAD:
                yield waiting.pop(0).result()
        while waiting:
            yield waiting.pop(0).result()


def _load(batch: Sequence[Request], source: ClipSource, decode: Callable[[bytes], Frames]) -> Frames:
    wanted: dict[int, set[int]] = {}
    for request in batch:
        wanted.setdefault(request.video, set()).update(request.frames.tolist())
    decoded: dict[tuple[int, int], Frames] = {}
    for video, frames in wanted.items():
        numbers = np.array(sorted(frames), np.int64)
        images = source.clip(video, numbers)
        known: dict[bytes, Frames] = {}
        for number, image in zip(numbers.tolist(), images, strict=True):
            if image not in known:
                known[image] = decode(image)
            decoded[video, number] = known[image]
    return np.stack(
        [
            np.stack([decoded[request.video, number] for number in request.frames.tolist()])
            for request in batch
        ]
    )

"""Batches of clips, assembled one ahead of the network; what is drawn depends on (seed, epoch, place) alone.

Shapes: B clips, F frames, S side of the square crop, V videos.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stages.lib.config.backbones import PretrainConfig
from stages.pretrain.clips import ClipSet, Cut, centred_cut, cut_clip, random_cut

Frames = NDArray[np.uint8]
Ints = NDArray[np.int64]
AHEAD = 3


@dataclass(frozen=True)
class Batch:
    """Clips (B,F,S,S,3) uint8 RGB and their classes (B,)."""

    clips_BFSSC: Frames
    labels_B: Ints


def steps_per_epoch(videos: int, config: PretrainConfig) -> int:
    """Whole batches in one pass; a single smaller one when there are fewer clips than a batch."""
    return max(1, videos * config.clips_per_video // config.batch)


def training_batches(
    data: ClipSet, config: PretrainConfig, fast_frames: int, *, first_step: int, last_step: int
) -> Iterator[Batch]:
    """The batches of the steps from `first_step` up to (not including) `last_step`."""
    per_epoch = steps_per_epoch(len(data), config)

    def work(step: int) -> Batch:
        epoch, place = divmod(step, per_epoch)
        order = _rng(config.seed, 0, epoch).permutation(
            np.repeat(np.arange(len(data)), config.clips_per_video)
        )
        rows = order[place * config.batch : (place + 1) * config.batch]
        rng = _rng(config.seed, 1, epoch, place)
        cuts = [random_cut(rng, data.videos[row].count, fast_frames, config) for row in rows]
        return _assemble(data, rows, cuts, fast_frames, config.crop)

    yield from _ahead(work, range(first_step, last_step))


def centred_batches(data: ClipSet, config: PretrainConfig, fast_frames: int) -> Iterator[Batch]:
    """One centred clip of every video, in order."""

    def work(first: int) -> Batch:
        rows = np.arange(first, min(first + config.batch, len(data)))
        cuts = [centred_cut(data.videos[row].count, fast_frames, config) for row in rows]
        return _assemble(data, rows, cuts, fast_frames, config.crop)

    yield from _ahead(work, range(0, len(data), config.batch))


def _assemble(data: ClipSet, rows: Ints, cuts: Sequence[Cut], fast_frames: int, crop: int) -> Batch:
    clips = [cut_clip(data.videos[row], cut, fast_frames, crop) for row, cut in zip(rows, cuts, strict=True)]
    return Batch(np.stack(clips), data.labels[rows])


def _ahead(work: Callable[[int], Batch], items: Sequence[int]) -> Iterator[Batch]:
    waiting: list[Future[Batch]] = []
    with ThreadPoolExecutor(1) as pool:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) > AHEAD:
                yield waiting.pop(0).result()
        while waiting:
            yield waiting.pop(0).result()


def _rng(*key: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(key)))

"""The labelled keyframes of some shards as a detector's training data; pictures are read one at a time.

Shapes: K keyframes, N boxes over all of them, H x W picture.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from stages.lib.artifacts.frames import FrameReader
from stages.lib.artifacts.reader import open_artifact
from stages.lib.artifacts.schemas import DECODE, INDEX
from stages.lib.artifacts.tables import ROLE_EVAL, ROLE_TRAIN, Index, splits_of
from stages.lib.errors import StageError
from stages.lib.video.jpeg import decode_jpeg
from stages.train_detector.samples import LabelledFrames


@dataclass(frozen=True)
class FrameShard:
    """One shard: its index, its cached keyframes, which keyframes have a picture (K,), and both fingerprints."""

    index: Index
    frames: FrameReader
    has_picture_K: NDArray[np.bool_]
    fingerprints: tuple[str, str]


def open_shards(stack: ExitStack, indexes: Sequence[Path], decodes: Sequence[Path]) -> list[FrameShard]:
    """Open the files of all shards, two lists in one order; StageError when they do not belong together."""
    if len(indexes) != len(decodes):
        fix = "give one file per --index, in the same order"
        raise StageError(f"{len(decodes)} files for {len(indexes)} of --index", "--decode", fix)
    shards = []
    for index_path, decode_path in zip(indexes, decodes, strict=True):
        index_file = stack.enter_context(open_artifact(index_path, INDEX))
        frame_file = stack.enter_context(open_artifact(decode_path, DECODE, near=True))
        index, frames = Index.read(index_file), FrameReader(frame_file)
        frames.keyframes.require_same(index.keyframes, str(decode_path), str(index_path))
        has_picture = np.diff(frame_file.read("key/offsets")) > 0
        shards.append(
            FrameShard(index, frames, has_picture, (index_file.fingerprint, frame_file.fingerprint))
        )
    return shards


def select(shards: Sequence[FrameShard], use: Literal["train", "val"]) -> LabelledFrames:
    """Keyframes of one split with truth boxes and a picture: of the train role for `train`, of the eval role for `val`."""
    role = ROLE_TRAIN if use == "train" else ROLE_EVAL
    pictures: list[Callable[[], NDArray[np.uint8]]] = []
    boxes = [np.zeros((0, 4), np.float32)]
    counts: list[int] = []
    for shard in shards:
        index = shard.index
        wanted = index.in_splits([use]) & ((index.roles & role) > 0)
        for row in np.flatnonzero(wanted & shard.has_picture_K & (np.diff(index.truth_splits) > 0)).tolist():
            pictures.append(partial(_picture, shard.frames, row))
            boxes.append(index.truth_boxes[index.truth_splits[row] : index.truth_splits[row + 1]])
            counts.append(len(boxes[-1]))
    return LabelledFrames(pictures, np.concatenate(boxes), splits_of(np.array(counts, np.int64)))


def _picture(frames: FrameReader, row: int) -> NDArray[np.uint8]:
    return decode_jpeg(frames.key(row))

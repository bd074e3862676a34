"""Person boxes on keyframes, from a detector or from ground truth.

Shapes: H x W frame, K keyframes, N boxes.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:  # boxes from a csv need neither torch nor mmdet
    from stages.lib.detectors.detector import Detections, PersonDetector


@dataclass(frozen=True)
class KeyframeBoxes:
    """Ragged boxes of K keyframes: boxes_N4 float32 xyxy in [0, 1], scores_N float32, row_splits (K + 1,) int64."""

    boxes: np.ndarray
    scores: np.ndarray
    row_splits: np.ndarray


def detect_people(frames: Iterable[np.ndarray], detector: PersonDetector, batch: int) -> KeyframeBoxes:
    """Boxes of RGB uint8 frames (H, W, 3), in their order, best first within each; `batch` frames are held at a time."""
    found: list[Detections] = []
    for chunk in _batched(frames, batch):
        found.extend(detector.detect(chunk))
    return join([item.boxes for item in found], [item.scores for item in found])


def join(boxes: Sequence[np.ndarray], scores: Sequence[np.ndarray]) -> KeyframeBoxes:
    """One ragged structure of per-keyframe arrays; zero keyframes and zero boxes are normal."""
    splits = np.cumsum([0, *(len(rows) for rows in boxes)]).astype(np.int64)
    flat_N4 = np.concatenate([np.zeros((0, 4)), *boxes]).astype(np.float32)
    return KeyframeBoxes(flat_N4, np.concatenate([np.zeros(0), *scores]).astype(np.float32), splits)


def _batched(frames: Iterable[np.ndarray], batch: int) -> Iterator[tuple[np.ndarray, ...]]:
    iterator = iter(frames)
    while chunk := tuple(itertools.islice(iterator, batch)):
        yield chunk

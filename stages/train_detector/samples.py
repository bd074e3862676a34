"""Training samples of a detector: labelled keyframes, unique boxes, flips and scales as a function of the position.

Shapes: H x W image, C channels, N boxes, K keyframes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from stages.lib.config.detectors import DetectorConfig
from stages.lib.detectors.faster_rcnn import SIZE_DIVISOR
from stages.lib.detectors.letterbox import fit, resize
from stages.lib.errors import StageError

Frame = bytes | Callable[[], np.ndarray]
"""A keyframe's picture: JPEG bytes, or a function that returns it as RGB uint8 (H, W, 3)."""


@dataclass(frozen=True)
class LabelledFrames:
    """Keyframes with ground truth: K frames, boxes_N4 float32 xyxy in [0, 1], row_splits (K + 1,) int64."""

    frames: Sequence[Frame]
    boxes: np.ndarray
    row_splits: np.ndarray

    def __post_init__(self) -> None:
        assert self.boxes.ndim == 2
        assert self.boxes.shape[1] == 4
        assert len(self.row_splits) == len(self.frames) + 1
        assert self.row_splits[-1] == len(self.boxes)


def labelled_only(data: LabelledFrames) -> LabelledFrames:
    """The keyframes that have a box, each box once (a person with three actions is one person).

    Ground truth is incomplete, so a keyframe without a box does not show that nobody is there: it is left out.
    """
    frames: list[Frame] = []
    boxes: list[np.ndarray] = []
    for k, frame in enumerate(data.frames):
        rows_N4 = unique_rows(data.boxes[data.row_splits[k] : data.row_splits[k + 1]])
        if len(rows_N4):
            frames.append(frame)
            boxes.append(rows_N4)
    splits = np.concatenate([[0], np.cumsum([len(rows) for rows in boxes])]).astype(np.int64)
    flat = np.concatenate(boxes) if boxes else np.zeros((0, 4))
    return LabelledFrames(frames, flat.astype(np.float32), splits)


def unique_rows(boxes_N4: np.ndarray) -> np.ndarray:
    """Distinct boxes in order of first appearance."""
    _, first = np.unique(boxes_N4, axis=0, return_index=True)
    return boxes_N4[np.sort(first)]


def decode(frame: Frame, where: str) -> np.ndarray:
    """RGB uint8 (H, W, 3) of a frame; StageError names `where` when its JPEG is broken."""
    if not isinstance(frame, bytes | bytearray | memoryview):
        return frame()
    image = cv2.imdecode(np.frombuffer(frame, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise StageError("is no readable JPEG", where=where, fix="make the frame cache again")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


class TrainingOrder:
    """What is drawn at each position: every keyframe once per pass in a shuffled order, flipped and scaled at random."""

    def __init__(self, data: LabelledFrames, cfg: DetectorConfig) -> None:
        assert len(data.frames) > 0
        self.data, self.cfg = data, cfg
        self._pass, self._order = -1, np.zeros(0, dtype=np.int64)

    def __call__(self, position: int) -> tuple[np.ndarray, np.ndarray]:
        """Image and boxes (N, 4) in its pixels at `position`, a function of (data, config, position) alone."""
        train = self.cfg.train
        k = self._keyframe(position)
        rng = np.random.default_rng((train.seed, 1, position))
        sides = train.short_sides or (self.cfg.short_side,)
        side = int(sides[rng.integers(len(sides))])
        flip = bool(rng.random() < train.flip)
        image_HWC = self._picture(k, side)
        boxes_N4 = self.data.boxes[self.data.row_splits[k] : self.data.row_splits[k + 1]]
        if flip:
            image_HWC, boxes_N4 = image_HWC[:, ::-1], _mirrored(boxes_N4)
        height, width = image_HWC.shape[:2]
        return image_HWC, boxes_N4 * np.array([width, height] * 2, dtype=np.float32)

    def _keyframe(self, position: int) -> int:
        number, place = divmod(position, len(self.data.frames))
        if number != self._pass:
            rng = np.random.default_rng((self.cfg.train.seed, 0, number))
            self._pass, self._order = number, rng.permutation(len(self.data.frames))
        return int(self._order[place])

    def _picture(self, k: int, side: int) -> np.ndarray:
        image_HWC = decode(self.data.frames[k], f"labelled keyframe {k}")
        height, width = image_HWC.shape[:2]
        return resize(image_HWC, fit(height, width, side, self.cfg.max_long_side, SIZE_DIVISOR))


def _mirrored(boxes_N4: np.ndarray) -> np.ndarray:
    x1, y1, x2, y2 = boxes_N4.T
    return np.stack([1.0 - x2, y1, 1.0 - x1, y2], axis=1)

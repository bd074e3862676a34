"""Labelled videos in memory and the clips cut from them: random in training, centred in testing.

Shapes: V videos, T stored frames of a video, F frames of a clip, B clips, H W stored pixels, S side of the square crop.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from stages.lib.config.backbones import PretrainConfig
from stages.lib.geometry.views import resized_size

Frames = NDArray[np.uint8]
Ints = NDArray[np.int64]

SMOOTHED: Final = 0.75
"""Frames that shrink below this factor are averaged over areas (five times the cost), the others interpolated."""


@dataclass(frozen=True)
class StoredVideo:
    """A video at the fast pathway's rate: number of frames T, and a function that returns chosen frames (F,H,W,3) RGB."""

    count: int
    take: Callable[[Ints], Frames]

    @staticmethod
    def held(frames_THWC: Frames) -> StoredVideo:
        """A video whose frames are in memory."""
        return StoredVideo(len(frames_THWC), lambda numbers: frames_THWC[numbers])


@dataclass(frozen=True)
class ClipSet:
    """Videos that decoded, and the class index of each (V,)."""

    videos: tuple[StoredVideo, ...]
    labels: Ints

    def __len__(self) -> int:
        return len(self.videos)


@dataclass(frozen=True)
class Cut:
    """Where a clip is cut: its first frame, the shorter side to resize to, the crop's place in [0, 1], and the flip."""

    start: int
    side: int
    top: float
    left: float
    flip: bool


def random_cut(rng: np.random.Generator, count: int, fast_frames: int, config: PretrainConfig) -> Cut:
    """A uniform draw of everything; a video shorter than a clip starts at its first frame."""
    low, high = config.short_side
    start = int(rng.integers(max(count - fast_frames, 0) + 1))
    side = int(rng.integers(low, high + 1))
    top, left, flip = rng.random(3)
    return Cut(start, side, float(top), float(left), config.flip and bool(flip < 0.5))


def centred_cut(count: int, fast_frames: int, config: PretrainConfig) -> Cut:
    """The middle of the video and of the frame, at the smallest training size."""
    return Cut(max(count - fast_frames, 0) // 2, config.short_side[0], 0.5, 0.5, flip=False)


def cut_clip(video: StoredVideo, cut: Cut, fast_frames: int, crop: int) -> Frames:
    """The clip (F,S,S,3); past the end of a short video its last frame is repeated."""
    numbers = np.minimum(cut.start + np.arange(fast_frames), video.count - 1)
    frames_FHWC = video.take(numbers)
    stored_height, stored_width = frames_FHWC.shape[1:3]
    height, width = resized_size(stored_height, stored_width, cut.side)
    top, left = round(cut.top * (height - crop)), round(cut.left * (width - crop))
    clip_FSSC = np.empty((fast_frames, crop, crop, 3), np.uint8)
    for place, frame in enumerate(frames_FHWC):
        sized = frame if frame.shape[:2] == (height, width) else _resize(frame, height, width)
        clip_FSSC[place] = sized[top : top + crop, left : left + crop]
    return clip_FSSC[:, :, ::-1] if cut.flip else clip_FSSC


def _resize(frame_HWC: Frames, height: int, width: int) -> Frames:
    shrinks_much = height < SMOOTHED * frame_HWC.shape[0]
    method = cv2.INTER_AREA if shrinks_much else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(frame_HWC, (width, height), interpolation=method), np.uint8)

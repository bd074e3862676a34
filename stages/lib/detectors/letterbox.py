"""Sizes of network inputs: aspect ratio kept, padding at the right and bottom only.

Shapes: H x W image, C channels.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np


@dataclass(frozen=True)
class Letterbox:
    """An image size (pixels) inside the padded size (pixels) that the network sees."""

    height: int
    width: int
    padded: tuple[int, int]


def fit(height: int, width: int, short_side: int, max_long_side: int, divisor: int) -> Letterbox:
    """The size with the shorter side at `short_side` unless the longer one would pass `max_long_side`, both in pixels."""
    assert height > 0
    assert width > 0
    scale = min(short_side / min(height, width), max_long_side / max(height, width))
    inner_h, inner_w = max(1, int(height * scale + 0.5)), max(1, int(width * scale + 0.5))
    padded = (-(-inner_h // divisor) * divisor, -(-inner_w // divisor) * divisor)
    return Letterbox(inner_h, inner_w, padded)


def resize(image_HWC: np.ndarray, box: Letterbox) -> np.ndarray:
    """`image_HWC` (uint8) at the size of `box`, bilinear, not padded."""
    if image_HWC.shape[:2] == (box.height, box.width):
        return image_HWC
    return cv2.resize(image_HWC, (box.width, box.height), interpolation=cv2.INTER_LINEAR)

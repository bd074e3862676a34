"""JPEG bytes from and to RGB arrays, and the sizes frames are cached at. H, W pixels."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray

from stages.lib.errors import StageError

Image = NDArray[np.uint8]


def encode_jpeg(frame_HW3: Image, quality: int) -> bytes:
    """JPEG bytes (4:2:0, baseline) of an RGB frame; equal frames give equal bytes."""
    from PIL import Image as Pillow

    buffer = io.BytesIO()
    Pillow.fromarray(frame_HW3).save(buffer, "JPEG", quality=quality, subsampling=2)
    return buffer.getvalue()


def decode_jpeg(data: bytes) -> Image:
    """The RGB frame (H, W, 3) of JPEG bytes; bytes that are no JPEG are a StageError."""
    import cv2

    found = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB) if data else None
    if found is None:
        raise StageError(
            "a cached frame is no readable JPEG", "decode artifact", "remove the file and run decode again"
        )
    return np.ascontiguousarray(found)


def resize_rgb(frame_HW3: Image, size: tuple[int, int]) -> Image:
    """The frame at `size` (width, height): bilinear with antialiasing, after a box reduction by the whole factor."""
    if (frame_HW3.shape[1], frame_HW3.shape[0]) == size:
        return frame_HW3
    from PIL import Image as Pillow

    resized = Pillow.fromarray(frame_HW3).resize(size, Pillow.Resampling.BILINEAR, reducing_gap=1.0)
    return np.asarray(resized)


def clip_size(width: int, height: int, short_side: int) -> tuple[int, int]:
    """Width and height with the shorter side at `short_side`, the longer one truncated (spec 3.1); never upscaled."""
    short, long = min(width, height), max(width, height)
    if short <= short_side:
        return width, height
    scaled = short_side * long // short
    return (scaled, short_side) if width >= height else (short_side, scaled)


def capped_size(width: int, height: int, short_side: int, long_side: int) -> tuple[int, int]:
    """The largest size of the same shape within `short_side` x `long_side` pixels; never upscaled."""
    short, long = min(width, height), max(width, height)
    if short <= short_side and long <= long_side:
        return width, height
    factor = (short_side, short) if short * long_side >= long * short_side else (long_side, long)
    scaled = [max(1, side * factor[0] // factor[1]) for side in (width, height)]
    return scaled[0], scaled[1]

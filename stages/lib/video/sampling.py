"""Which frames a clip is made of: pure index arithmetic on the constant-rate grid of a file.

Grid frame k stands for the time k / rate, counted from the file's first frame; it is the source frame whose timestamp
is nearest. K keyframes, F frames of the fast pathway, M source frames, n grid frames.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

TIE: Final = 1e-3
"""Seconds: two source frames whose distances differ by less are equally near (containers round to milliseconds)."""
_ROUNDING: Final = 1e-6


def frame_count(duration: float, rate: float) -> int:
    """Grid frames n of a file that lasts `duration` seconds: floor(duration * rate + 0.5), at least one.

    A duration that is less than TIE short of the next frame counts as reaching it.
    """
    return max(1, math.floor((duration + TIE) * rate + 0.5))


def centre_frames(relative: ArrayLike, rate: float) -> Ints:
    """Grid frame nearest to each time `relative` (seconds from the file's first frame), halves up; may lie outside."""
    return np.floor(np.asarray(relative, np.float64) * rate + 0.5 + _ROUNDING).astype(np.int64)


def clip_windows(centre: ArrayLike, frames: int, stride: int) -> Ints:
    """Grid frames (..., F) of the clip around each centre, not yet clamped; element F // 2 is the centre.

    The first frame lies (F * stride) // 2 before the centre, so the window is longer before it by one step (spec 2.1).
    """
    first = np.asarray(centre, np.int64) - (frames * stride) // 2
    return first[..., None] + stride * np.arange(frames, dtype=np.int64)


def clamp(frames: Ints, n: int) -> Ints:
    """Frames before the first or after the last grid frame become that frame (edge replication)."""
    return np.clip(frames, 0, n - 1)


def nearest_source(starts: Floats, n: int, rate: float) -> Ints:
    """Source frame (n,) of each grid frame: the one whose timestamp is nearest to k / rate; a tie goes to the earlier.

    `starts` (M,) are timestamps in seconds from the first frame, ascending.
    """
    time = np.arange(n) / rate
    later = np.searchsorted(starts, time)
    earlier = np.maximum(later - 1, 0)
    later = np.minimum(later, len(starts) - 1)
    closer = np.abs(starts[later] - time) < np.abs(time - starts[earlier]) - TIE
    return np.where(closer, later, earlier).astype(np.int64)


def beyond_end(centre: Ints, n: int, rate: float) -> NDArray[np.bool_]:
    """Where a keyframe lies more than half a second after the last grid frame: outside the video."""
    return centre >= n + rate / 2

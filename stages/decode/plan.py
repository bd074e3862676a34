"""Which frames of a video are cached: pure arithmetic on timestamps.

K keyframes, F stored grid frames, S distinct source frames that have to be decoded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stages.lib.config.backbones import SamplingConfig
from stages.lib.video.sampling import (
    beyond_end,
    centre_frames,
    clamp,
    clip_windows,
    frame_count,
    nearest_source,
)
from stages.lib.video.source import VideoInfo

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class VideoPlan:
    """The union of all windows, clamped to the video, and what each keyframe needs.

    `frames` (F,) are grid frames, `source` (F,) their source frames, `wanted` (S,) the distinct ones. `key_source` (K,)
    is the source frame of each keyframe and `deadline` (K,) the last one its windows need; both are -1 where the
    keyframe lies after the end of the video.
    """

    frames: Ints
    source: Ints
    wanted: Ints
    key_source: Ints
    deadline: Ints


def plan_video(
    info: VideoInfo, relative: NDArray[np.float64], rate: float, samplings: Sequence[SamplingConfig]
) -> VideoPlan:
    """Plan one video for keyframes at `relative` (K,) seconds from its first frame, ascending."""
    n = frame_count(info.end, rate)
    centre = centre_frames(relative, rate)
    outside = beyond_end(centre, n, rate)
    windows = [clip_windows(centre, s.fast_frames, s.stride) for s in samplings]
    touched = clamp(np.concatenate([centre[:, None], *windows], axis=1), n)
    frames = np.unique(np.concatenate([np.zeros(0, np.int64), *(clamp(w, n).ravel() for w in windows)]))
    of_grid = nearest_source(info.starts, n, rate)
    key_source = np.where(outside, -1, of_grid[touched[:, 0]])
    deadline = np.where(outside, -1, of_grid[touched.max(axis=1)])
    source = of_grid[frames]
    wanted = np.unique(np.concatenate([source, key_source[~outside]]))
    return VideoPlan(frames, source, wanted, key_source, deadline)

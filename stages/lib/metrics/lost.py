"""Truth and detections without the keyframes whose frames are missing.

N rows, K keyframes.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from stages.lib.metrics.tables import DetectionsTable, Truth

Lost = Collection[tuple[str, int]]
"""(video, milliseconds): artifacts keep milliseconds, and of a csv file the keyframes of one millisecond are meant."""


def truth_without(truth: Truth, lost: Lost) -> Truth:
    """The truth without the lost keyframes and the boxes on them, over the same videos."""
    keys = ~_are_lost(truth.videos, truth.key_video, truth.key_ms, lost)
    rows = ~_are_lost(truth.videos, truth.video, truth.timestamp_ms, lost)
    return replace(
        truth,
        key_video=truth.key_video[keys],
        key_us=truth.key_us[keys],
        **{
            name: vars(truth)[name][rows]
            for name in ("video", "timestamp_us", "boxes", "class_id", "person_id")
        },
    )


def detections_without(detections: DetectionsTable, lost: Lost) -> DetectionsTable:
    """The detections that are not on a lost keyframe, in their order."""
    gone = _are_lost(detections.videos, detections.video, detections.timestamp_ms, lost)
    return detections.take(np.flatnonzero(~gone)) if gone.any() else detections


def _are_lost(
    videos: Sequence[str], video_N: NDArray[np.int32], ms_N: NDArray[np.int64], lost: Lost
) -> NDArray[np.bool_]:
    place = {name: position for position, name in enumerate(videos)}
    span = int(ms_N.max(initial=0)) + 1
    codes = [place[name] * span + ms for name, ms in lost if name in place and ms < span]
    return np.isin(video_N.astype(np.int64) * span + ms_N, np.array(codes, np.int64))

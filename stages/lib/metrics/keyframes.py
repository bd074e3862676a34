"""Numbers keyframes of a truth and of detections alike: by video name, then time, whatever order the tables have.

Legend: N rows, K keyframes.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stages.lib.metrics.dialects import Dialect
from stages.lib.metrics.tables import DetectionsTable, Truth, merge_names

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Keyframes:
    """The keyframe of each row, -1 where it is none of the K keyframes, and the videos over which they run.

    Keyframes ascend by (video name, time). `video_of` (K,) indexes `videos`, which are sorted by name.
    """

    videos: tuple[str, ...]
    video_of: NDArray[np.int32]
    excluded: NDArray[np.bool_]
    truth: Ints
    detection: Ints


def number_keyframes(
    truth: Truth,
    detections: DetectionsTable,
    exclusions: Collection[tuple[str, int]],
    *,
    whole_seconds: bool,
    truth_only: bool,
) -> Keyframes:
    """Numbers the keyframes of the truth, and with `truth_only` false those that only detections have as well.

    Times, also those of the exclusions, are microseconds; whole seconds are truncated ones.
    """
    step = 1_000_000 if whole_seconds else 1
    videos, (truth_map, detection_map) = merge_names([truth.videos, detections.videos])
    times = [truth.key_us, truth.timestamp_us, detections.timestamp_us]
    span = 1 + max((int(time.max()) // step for time in times if len(time)), default=0)
    assert len(videos) * span < 2**62, "too many videos and seconds for one integer"

    def code(video: NDArray[np.int32], microseconds: Ints) -> Ints:
        return video.astype(np.int64) * span + microseconds // step

    truth_codes = code(truth_map[truth.video], truth.timestamp_us)
    run_codes, run_length = _runs(code(detection_map[detections.video], detections.timestamp_us))
    keys = np.unique(np.concatenate([code(truth_map[truth.key_video], truth.key_us), truth_codes]))
    if not truth_only:
        keys = np.union1d(keys, run_codes)
    place = {name: position for position, name in enumerate(videos)}
    out = [place[name] * span + us // step for name, us in exclusions if name in place and us // step < span]
    return Keyframes(
        videos=videos,
        video_of=(keys // span).astype(np.int32),
        excluded=np.isin(keys, np.array(out, dtype=np.int64)),
        truth=np.searchsorted(keys, truth_codes),
        detection=np.repeat(_find(keys, run_codes), run_length),
    )


def keyframes_under(
    rules: Dialect, truth: Truth, detections: DetectionsTable, exclusions: Collection[tuple[str, int]]
) -> Keyframes:
    """Numbers the keyframes that count under a dialect; `exclusions` are (video, microseconds)."""
    return number_keyframes(
        truth,
        detections,
        exclusions if rules.use_exclusions else (),
        whole_seconds=rules.whole_seconds,
        truth_only=rules.ignore_unlisted_keyframes,
    )


def _runs(codes_N: Ints) -> tuple[Ints, Ints]:
    """Values and lengths of the runs of equal values: tables mostly list a keyframe's rows side by side."""
    changed = np.ones(len(codes_N), dtype=bool)
    changed[1:] = codes_N[1:] != codes_N[:-1]
    start = np.flatnonzero(changed)
    return codes_N[start], np.diff(np.append(start, len(codes_N)))


def _find(keys_K: Ints, codes: Ints) -> Ints:
    """Position of each code among the sorted keys, -1 where it is not among them."""
    if not len(keys_K):
        return np.full(len(codes), -1, dtype=np.int64)
    place = np.minimum(np.searchsorted(keys_K, codes), len(keys_K) - 1)
    return np.where(keys_K[place] == codes, place, -1)

"""Which file of a shard holds each annotated keyframe.

K keyframes of the csv that lie in this shard, N rows of the csv.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stages.lib.config.sheets import Video
from stages.lib.metrics.tables import Truth

CLIP_SECONDS: Final = 10.0
MARGIN_MS: Final = 500
"""Milliseconds that what a bank archives stays away from either end of a ten-second clip (spec 6.2, point 8)."""
SLACK: Final = 0.5
"""Seconds that a keyframe may lie past the nominal end of a ten-second clip (clips are cut at whole frames)."""


class OutsideError(Exception):
    """A keyframe that lies in none of its video's files."""

    def __init__(self, video: str, ms: int, what: str) -> None:
        super().__init__(what)
        self.video, self.ms, self.what = video, ms, what


@dataclass(frozen=True)
class Found:
    """Keyframes of a split in this shard: row in the shard's list (K,), milliseconds (K,), and its place in the csv (K,).

    `elsewhere` counts annotated videos that the shard does not list.
    """

    video: NDArray[np.int64]
    ms: NDArray[np.int64]
    place: NDArray[np.int64]
    elsewhere: int

    def rows_of(
        self, truth: Truth, key_rows: Mapping[tuple[int, int], int]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows of the csv that belong to these keyframes, in order, and the keyframe (row of the index) of each."""
        span = int(max(truth.key_ms.max(initial=0), truth.timestamp_ms.max(initial=0))) + 1
        codes = truth.key_video[self.place].astype(np.int64) * span + truth.key_ms[self.place]
        of_row = truth.video.astype(np.int64) * span + truth.timestamp_ms
        rows = np.flatnonzero(np.isin(of_row, codes))
        order = np.argsort(codes)
        target = np.array(
            [key_rows[pair] for pair in zip(self.video.tolist(), self.ms.tolist(), strict=True)], np.int64
        )
        keyframe = (
            target[order][np.searchsorted(codes[order], of_row[rows])] if len(rows) else np.zeros(0, np.int64)
        )
        return rows, keyframe


def locate(videos: Sequence[Video], split: str, truth: Truth, dialect: str) -> Found:
    """The keyframes of a split that lie in these videos; OutsideError where a video is listed but none of its files holds it."""
    files: dict[str, list[int]] = defaultdict(list)
    for row, video in enumerate(videos):
        if video.split == split:
            files[video.video].append(row)
    listed = np.array([name in files for name in truth.videos], bool)
    fresh = np.ones(
        len(truth.key_us), dtype=bool
    )  # keyframes of one millisecond are one keyframe of the artifacts
    fresh[1:] = (np.diff(truth.key_video) != 0) | (np.diff(truth.key_ms) != 0)
    place = np.flatnonzero(listed[truth.key_video] & fresh)
    rows = [
        _file_of(videos, files[truth.videos[truth.key_video[p]]], int(truth.key_ms[p]), dialect)
        for p in place.tolist()
    ]
    return Found(np.array(rows, np.int64), truth.key_ms[place], place, len(truth.videos) - int(listed.sum()))


def _file_of(videos: Sequence[Video], rows: Sequence[int], ms: int, dialect: str) -> int:
    """Row of the file that holds a time: with several the one whose middle is nearest (spec 1.3)."""
    time = ms / 1000.0
    length = CLIP_SECONDS + SLACK if dialect == "ava-kinetics" else float("inf")
    holding = [row for row in rows if videos[row].start <= time <= videos[row].start + length]
    if holding:
        return min(holding, key=lambda row: (abs(videos[row].start + CLIP_SECONDS / 2 - time), row))
    starts = ", ".join(f"{videos[row].start:g}" for row in rows)
    span = "its file starts" if length == float("inf") else f"its {CLIP_SECONDS:.0f}-second clips start"
    raise OutsideError(
        videos[rows[0]].video,
        ms,
        f"the keyframe at {time:.3f} s of {videos[rows[0]].video} lies outside: {span} at {starts} s",
    )


def require_inside(video: Video, ms: int) -> None:
    """Raise an OutsideError where an included second lies before a movie's file."""
    if ms / 1000.0 < video.start:
        what = f"the included second {ms / 1000.0:g} lies before the file of {video.video} starts, at {video.start:g} s"
        raise OutsideError(video.video, ms, what)


def unlabelled_seconds(
    video: NDArray[np.int64], ms: NDArray[np.int64], included: Sequence[int] | None = None
) -> list[tuple[int, int]]:
    """(video row, milliseconds) of the annotated times of each video that are no keyframes yet.

    They are the included ones, or else the whole seconds between its first and last keyframe.
    """
    empty = []
    for row in np.unique(video).tolist():
        own = ms[video == row]
        whole = np.arange(int(own.min()), int(own.max()) + 1, 1000)
        grid = whole if included is None else np.array(included, np.int64)
        empty += [(row, int(moment)) for moment in np.setdiff1d(grid, own)]
    return empty


def clip_seconds(start: float, ms: int) -> list[int]:
    """Moments (ms) of a ten-second clip from `start` (s) that lie whole seconds from a keyframe, which is none of them."""
    first, last = round(1000 * start) + MARGIN_MS, round(1000 * (start + CLIP_SECONDS)) - MARGIN_MS
    before, after = range(ms - 1000, first - 1, -1000), range(ms + 1000, last + 1, 1000)
    return [*reversed(before), *after]

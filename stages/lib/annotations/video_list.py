"""Official files of a split: rows of ground truth, or the mere list of videos whose labels are withheld (AVA's test)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, Literal

import numpy as np

from stages.lib.annotations.ava_csv import ReadCounts, read_truth
from stages.lib.annotations.columns import VIDEO_ID
from stages.lib.annotations.labelmap import LabelMap
from stages.lib.errors import StageError
from stages.lib.metrics.tables import Truth, to_milliseconds

_TIME: Final = re.compile(r"\d{1,7}(\.\d+)?")
SECONDS: Final = range(902, 1799)
"""The annotated seconds of an AVA movie: 897 keyframes (spec 1.1)."""


def read_annotations(
    path: Path, classes: LabelMap | None = None, *, outside: Literal["clip", "keep"] = "clip"
) -> tuple[Truth, ReadCounts]:
    """Read a ground-truth csv, or a list of videos, one id a line: then every second from 902 to 1798 is a keyframe.

    Raises:
        StageError: what `read_truth` refuses; in a list, an id that is none, or one that stands twice.
    """
    try:
        with path.open(encoding="utf-8-sig") as handle:
            first = next((line for line in handle if line.strip()), ",")
    except (OSError, UnicodeDecodeError):
        first = ","
    return read_truth(path, classes, outside=outside) if "," in first else _read_list(path)


def read_included(path: Path) -> tuple[int, ...]:
    """Read the official list of included timestamps, a time in seconds a line; milliseconds in ascending order.

    Raises:
        StageError: a file without times, or a line that holds none, or one that stands twice.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise StageError(
            f"the file cannot be read ({error})", str(path), "check the path and its permissions"
        ) from None
    seen: dict[int, int] = {}
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if not text:
            continue
        if not _TIME.fullmatch(text):
            fix = "write one time in seconds a line, as 0902"
            raise StageError(f"{text[:60]!r} is no time in seconds", f"{path}:{number}", fix)
        moment = int(to_milliseconds([float(text)])[0])
        if seen.setdefault(moment, number) != number:
            what = f"the time {text} stands in line {seen[moment]} already"
            raise StageError(what, f"{path}:{number}", "remove one")
    if not seen:
        raise StageError("the file lists no times", str(path), "write one time in seconds a line, as 0902")
    return tuple(sorted(seen))


def _read_list(path: Path) -> tuple[Truth, ReadCounts]:
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    seen: dict[str, int] = {}
    for number, line in enumerate(lines, start=1):
        video = line.strip()
        if not video:
            continue
        if not VIDEO_ID.fullmatch(video):
            fix = "write one video id a line, or rows of 2, 7 or 8 columns throughout"
            raise StageError(f"{video[:60]!r} is no video id", f"{path}:{number}", fix)
        if seen.setdefault(video, number) != number:
            raise StageError(
                f"video {video} stands in line {seen[video]} already", f"{path}:{number}", "remove one"
            )
    videos = tuple(sorted(seen))
    key_us = np.tile(10**6 * np.array(SECONDS, np.int64), len(videos))
    truth = Truth(
        videos=videos,
        key_video=np.repeat(np.arange(len(videos), dtype=np.int32), len(SECONDS)),
        key_us=key_us,
        video=np.zeros(0, np.int32),
        timestamp_us=np.zeros(0, np.int64),
        boxes=np.zeros((0, 4)),
        class_id=np.zeros(0, np.int32),
        person_id=np.zeros(0, np.int32),
    )
    blank = sum(not line.strip() for line in lines)
    return truth, ReadCounts(rows=0, negatives=len(key_us), blank_lines=blank)

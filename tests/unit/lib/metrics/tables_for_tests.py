"""Small tables from rows, for tests: truth rows (video, seconds[, box, class]), detections (..., box, class, score)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stages.lib.metrics.tables import DetectionsTable, Truth, to_microseconds

LEFT = (0.1, 0.1, 0.4, 0.9)
RIGHT = (0.6, 0.1, 0.9, 0.9)


def truth_of(rows: Sequence[tuple]) -> Truth:
    videos = tuple(dict.fromkeys(row[0] for row in rows))
    keys = list(dict.fromkeys((row[0], row[1]) for row in rows))
    boxed = [row for row in rows if len(row) > 2]
    return Truth(
        videos=videos,
        key_video=np.array([videos.index(video) for video, _ in keys], np.int32),
        key_us=to_microseconds([seconds for _, seconds in keys]),
        video=np.array([videos.index(row[0]) for row in boxed], np.int32),
        timestamp_us=to_microseconds([row[1] for row in boxed]),
        boxes=np.array([row[2] for row in boxed], np.float64).reshape(-1, 4),
        class_id=np.array([row[3] for row in boxed], np.int32),
        person_id=np.full(len(boxed), -1, np.int32),
    )


def detections_of(rows: Sequence[tuple]) -> DetectionsTable:
    videos = tuple(dict.fromkeys(row[0] for row in rows))
    return DetectionsTable(
        videos=videos,
        video=np.array([videos.index(row[0]) for row in rows], np.int32),
        timestamp_us=to_microseconds([row[1] for row in rows]),
        boxes=np.array([row[2] for row in rows], np.float64).reshape(-1, 4),
        class_id=np.array([row[3] for row in rows], np.int32),
        score=np.array([row[4] for row in rows], np.float64),
    )

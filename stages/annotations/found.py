"""What an annotation file holds, whatever wrote it: labelled boxes at keyframes by action name, and what was left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from stages.lib.annotations.columns import VIDEO_ID
from stages.lib.annotations.labelmap import LabelMap, label_map
from stages.lib.errors import StageError
from stages.lib.metrics.tables import Truth, to_microseconds

Box = tuple[float, float, float, float]


class Row(NamedTuple):
    """One action of one person: box xyxy in [0, 1] of the frame, person -1 where there is no id."""

    video: str
    seconds: float
    box: Box
    action: str
    person: int


@dataclass
class Found:
    """Rows, annotated keyframes (with or without rows), excluded ones, class ids that the source gives, and what is left out."""

    rows: list[Row] = field(default_factory=list)
    keyframes: set[tuple[str, float]] = field(default_factory=set)
    excluded: set[tuple[str, float]] = field(default_factory=set)
    ids: dict[str, int] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)

    def add(self, other: Found) -> None:
        """Take in what another file of the same split holds; StageError where it numbers a class otherwise."""
        for name, number in other.ids.items():
            if self.ids.setdefault(name, number) != number:
                raise StageError(
                    f"class {name!r} has id {self.ids[name]} in one file and {number} in another",
                    "import",
                    "import them one by one, with --classes",
                )
        self.rows += other.rows
        self.keyframes |= other.keyframes
        self.excluded |= other.excluded
        self.left_out += other.left_out

    def add_box(
        self, video: str, seconds: float, box: Sequence[float], actions: Iterable[str], person: int
    ) -> None:
        """A person's box with its actions, clipped to the frame; without action, or without area there, it is left out."""
        inside = tuple(min(max(side, 0.0), 1.0) for side in box)
        x1, y1, x2, y2 = inside
        if not (x1 < x2 and y1 < y2):
            self.left_out["boxes without area inside the frame"] += 1
            return
        if inside != tuple(box):
            self.left_out["parts of boxes outside the frame (clipped)"] += 1
        named = list(dict.fromkeys(actions))
        if not named:
            self.left_out["boxes without an action (ground truth has no row for them)"] += 1
        self.rows += [Row(video, seconds, (x1, y1, x2, y2), action, person) for action in named]


def video_id(name: str, where: str) -> str:
    """The name of a video without folders and suffix; StageError unless it can stand in an annotation file."""
    stem = name.replace("\\", "/").rsplit("/", 1)[-1]
    stem = stem.rsplit(".", 1)[0] if "." in stem.strip(".") else stem
    return checked_id(stem, where)


def checked_id(name: str, where: str) -> str:
    """The name; StageError unless it can stand in an annotation file."""
    if not VIDEO_ID.fullmatch(name):
        raise StageError(
            f"the video name {name[:80]!r} does not make an id of 1 to 64 letters, digits, _ and -",
            where,
            "rename the video there and on disk, or give --video ID (one file at a time)",
        )
    return name


def class_map(found: Iterable[Found], given: LabelMap | None) -> LabelMap:
    """The given class list; else the ids of the sources; else all action names in alphabetical order from 1 on."""
    if given is not None:
        return given
    parts = list(found)
    ids = {name: number for part in parts for name, number in part.ids.items()}
    names = sorted({row.action for part in parts for row in part.rows})
    if not ids:
        ids = {name: place for place, name in enumerate(names, start=1)}
    if not ids:
        raise StageError("there is no action in any of the files", "import", "give the class list: --classes")
    return label_map(tuple(ids.values()), tuple(ids))


def truth_of(found: Found, labels: LabelMap) -> tuple[Truth, Counter[str]]:
    """The table of one split, and what it lacks: actions outside the class list and repeated rows."""
    ids: Mapping[str, int] = dict(zip(labels.names, labels.ids, strict=True))
    lacking = Counter(found.left_out)
    kept: dict[Row, int] = {}
    for row in found.rows:
        if row.action not in ids:
            lacking[f"labels of action {row.action!r}, which the class list lacks"] += 1
        elif row in kept:
            lacking["repeated rows"] += 1
        else:
            kept[row] = ids[row.action]
    moments = {(video, _us(seconds)) for video, seconds in found.keyframes}
    keys = sorted(moments | {(row.video, _us(row.seconds)) for row in kept})
    videos = tuple(sorted({video for video, _ in keys}))
    place = {video: number for number, video in enumerate(videos)}
    return Truth(
        videos=videos,
        key_video=np.array([place[video] for video, _ in keys], np.int32),
        key_us=np.array([us for _, us in keys], np.int64),
        video=np.array([place[row.video] for row in kept], np.int32),
        timestamp_us=np.array([_us(row.seconds) for row in kept], np.int64),
        boxes=np.array([row.box for row in kept], np.float64).reshape(-1, 4),
        class_id=np.array(list(kept.values()), np.int32),
        person_id=np.array([row.person for row in kept], np.int32),
    ), lacking


def _us(seconds: float) -> int:
    return int(to_microseconds([seconds])[0])

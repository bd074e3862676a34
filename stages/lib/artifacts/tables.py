"""The arrays that several artifacts share, as frozen dataclasses: keyframes, boxes, classes, the index.

K keyframes, N boxes, V videos, A classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from stages.lib.artifacts.reader import Artifact
from stages.lib.artifacts.writer import Writer
from stages.lib.config.splits import is_in
from stages.lib.errors import StageError

ROLE_TRAIN: Final = 1
ROLE_EVAL: Final = 2
ROLE_BANK: Final = 4
ROLE_EXCLUDED: Final = 8

Groups = tuple[tuple[int, ...], ...]
"""Groups of class indices that exclude each other."""


@dataclass(frozen=True)
class Keyframes:
    """Keyframes by (video, time): `video` (K,) indexes `video_ids`, `timestamp_ms` (K,) is original time."""

    video_ids: tuple[str, ...]
    video: NDArray[np.int32]
    timestamp_ms: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.video)

    def keys(self) -> list[tuple[str, int]]:
        """(video id, milliseconds) of each keyframe."""
        return [(self.video_ids[v], int(t)) for v, t in zip(self.video, self.timestamp_ms, strict=True)]

    def take(self, rows: NDArray[np.int64]) -> Keyframes:
        """The keyframes at `rows`, of the same videos."""
        return Keyframes(self.video_ids, self.video[rows], self.timestamp_ms[rows])

    def write(self, writer: Writer) -> None:
        """Write the three keyframe datasets."""
        writer.put("videos/id", np.array(self.video_ids, dtype=object))
        writer.put("keyframes/video", self.video)
        writer.put("keyframes/timestamp_ms", self.timestamp_ms)

    @staticmethod
    def read(artifact: Artifact) -> Keyframes:
        """Read the three keyframe datasets."""
        return Keyframes(
            tuple(artifact.read("videos/id").tolist()),
            artifact.read("keyframes/video"),
            artifact.read("keyframes/timestamp_ms"),
        )

    def require_same(self, other: Keyframes, here: str, there: str) -> None:
        """Raise a StageError unless `other` lists the same keyframes in the same order."""
        same = self.video_ids == other.video_ids and np.array_equal(self.video, other.video)
        if not (same and np.array_equal(self.timestamp_ms, other.timestamp_ms)):
            raise StageError(
                f"its keyframes are not those of {there}", here, "re-run the stage that wrote the older file"
            )


@dataclass(frozen=True)
class Boxes:
    """Ragged boxes: keyframe k has rows `row_splits[k]:row_splits[k+1]` of `boxes` (N,4) and `scores` (N,).

    Boxes are xyxy in [0,1] of the frame.
    """

    row_splits: NDArray[np.int64]
    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.boxes)

    def of(self, keyframe: int) -> slice:
        """Rows of one keyframe."""
        return slice(int(self.row_splits[keyframe]), int(self.row_splits[keyframe + 1]))

    def keyframe_of(self) -> NDArray[np.int64]:
        """Keyframe of each box, (N,)."""
        return np.repeat(np.arange(len(self.row_splits) - 1), np.diff(self.row_splits))

    def keep(self, mask: NDArray[np.bool_]) -> Boxes:
        """The boxes where `mask` (N,) holds."""
        counts = np.bincount(self.keyframe_of()[mask], minlength=len(self.row_splits) - 1)
        return Boxes(splits_of(counts), self.boxes[mask], self.scores[mask])

    def take(self, keyframes: NDArray[np.int64]) -> Boxes:
        """The boxes of the given keyframes, in their order."""
        rows = ragged_rows(self.row_splits, keyframes)
        counts = np.diff(self.row_splits)[keyframes]
        return Boxes(splits_of(counts), self.boxes[rows], self.scores[rows])

    def write(self, writer: Writer, prefix: str = "") -> None:
        """Write row_splits, boxes and scores below `prefix`."""
        writer.put(f"{prefix}row_splits", self.row_splits)
        writer.put(f"{prefix}boxes", self.boxes.reshape(-1, 4))
        writer.put(f"{prefix}scores", self.scores)

    @staticmethod
    def read(artifact: Artifact, prefix: str = "") -> Boxes:
        """Read row_splits, boxes and scores below `prefix`."""
        return Boxes(
            artifact.read(f"{prefix}row_splits"),
            artifact.read(f"{prefix}boxes"),
            artifact.read(f"{prefix}scores"),
        )

    @staticmethod
    def stack(per_keyframe: Sequence[tuple[NDArray[Any], NDArray[Any]]]) -> Boxes:
        """From one (boxes, scores) pair per keyframe."""
        counts = np.array([len(boxes) for boxes, _ in per_keyframe], np.int64)
        boxes = [np.asarray(b, np.float32).reshape(-1, 4) for b, _ in per_keyframe]
        scores = [np.asarray(s, np.float32).reshape(-1) for _, s in per_keyframe]
        return Boxes(
            splits_of(counts),
            np.concatenate([np.zeros((0, 4), np.float32), *boxes]),
            np.concatenate([np.zeros(0, np.float32), *scores]),
        )


def splits_of(counts: NDArray[Any]) -> NDArray[np.int64]:
    """Row splits (K+1,) of counts (K,)."""
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)


def ragged_rows(row_splits: NDArray[np.int64], keyframes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Rows of the given keyframes of a ragged table with `row_splits` (K+1,), in the order of `keyframes`."""
    places = np.asarray(keyframes, np.int64)
    counts = np.diff(row_splits)[places]
    ends = splits_of(counts)
    return np.arange(ends[-1]) + np.repeat(np.asarray(row_splits)[places] - ends[:-1], counts)


@dataclass(frozen=True)
class Classes:
    """The class map: official ids (A,) ascending, and names.

    `exclusive` are the groups of outputs of which a person has one: each shares a softmax; None follows AVA's numbering.
    It says how logits are meant, not which classes these are, and does not count in comparisons.
    """

    ids: tuple[int, ...]
    names: tuple[str, ...]
    exclusive: Groups | None = field(default=None, compare=False)

    def write(self, writer: Writer) -> None:
        """Write ids and names."""
        writer.put("classes/id", np.array(self.ids, np.int32))
        writer.put("classes/name", np.array(self.names, dtype=object))

    def write_groups(self, writer: Writer) -> None:
        """Write which classes share a softmax: the number of the group of each, 0 for none."""
        numbers = np.zeros(len(self.ids), np.uint8)
        for number, group in enumerate(self.groups(), start=1):
            numbers[list(group)] = number
        writer.put("classes/pose", numbers)

    @staticmethod
    def read(artifact: Artifact) -> Classes:
        """Read ids and names, and the groups where the artifact has them."""
        groups = _groups_of(artifact.read("classes/pose")) if "classes/pose" in artifact else None
        return Classes(
            tuple(artifact.read("classes/id").tolist()), tuple(artifact.read("classes/name").tolist()), groups
        )

    def groups(self) -> Groups:
        """Indices of the classes that exclude each other, by group: those given, else AVA's poses (ids up to 14)."""
        if self.exclusive is not None:
            return self.exclusive
        poses = tuple(index for index, number in enumerate(self.ids) if number <= 14)
        return (poses,) if poses else ()


def _groups_of(numbers_A: NDArray[np.uint8]) -> Groups:
    return tuple(
        tuple(np.flatnonzero(numbers_A == number).tolist())
        for number in range(1, numbers_A.max(initial=0) + 1)
    )


@dataclass(frozen=True)
class Index:
    """A shard's keyframes, roles and ground truth."""

    keyframes: Keyframes
    split: tuple[str, ...]
    start: NDArray[np.float64]
    name: tuple[str, ...]
    roles: NDArray[np.uint8]
    truth_splits: NDArray[np.int64]
    truth_boxes: NDArray[np.float32]
    truth_labels: NDArray[np.uint8]
    truth_person: NDArray[np.int32]
    classes: Classes

    def rows_with(self, role: int) -> NDArray[np.int64]:
        """Rows of the keyframes that have `role`."""
        return np.flatnonzero(self.roles & role)

    def in_splits(self, splits: Sequence[str]) -> NDArray[np.bool_]:
        """Which keyframes belong to a video of these splits or folds of val, (K,)."""
        videos = zip(self.split, self.keyframes.video_ids, strict=True)
        return np.array([is_in(split, video, splits) for split, video in videos], bool)[self.keyframes.video]

    def truth(self) -> Boxes:
        """The truth as boxes with score one."""
        return Boxes(self.truth_splits, self.truth_boxes, np.ones(len(self.truth_boxes), np.float32))

    def relative_seconds(self) -> NDArray[np.float64]:
        """Time of each keyframe from its file's first frame, seconds (K,)."""
        return self.keyframes.timestamp_ms / 1000.0 - self.start[self.keyframes.video]

    def write(self, writer: Writer) -> None:
        """Write the whole index."""
        self.keyframes.write(writer)
        writer.put("videos/split", np.array(self.split, dtype=object))
        writer.put("videos/start", self.start)
        writer.put("videos/name", np.array(self.name, dtype=object))
        writer.put("keyframes/roles", self.roles)
        writer.put("truth/row_splits", self.truth_splits)
        writer.put("truth/boxes", self.truth_boxes.reshape(-1, 4))
        writer.put("truth/labels", self.truth_labels.reshape(len(self.truth_boxes), len(self.classes.ids)))
        writer.put("truth/person", self.truth_person)
        self.classes.write(writer)
        if self.classes.exclusive is not None:
            self.classes.write_groups(writer)

    @staticmethod
    def read(artifact: Artifact) -> Index:
        """Read the whole index."""
        return Index(
            Keyframes.read(artifact),
            tuple(artifact.read("videos/split").tolist()),
            artifact.read("videos/start"),
            tuple(artifact.read("videos/name").tolist()),
            artifact.read("keyframes/roles"),
            artifact.read("truth/row_splits"),
            artifact.read("truth/boxes"),
            artifact.read("truth/labels"),
            artifact.read("truth/person"),
            Classes.read(artifact),
        )

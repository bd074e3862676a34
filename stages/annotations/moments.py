"""Keyframes with their people, as the exporters want them: from ground truth, or from detections above a score."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from stages.annotations.found import Box
from stages.lib.metrics.tables import DetectionsTable, Truth


@dataclass(frozen=True)
class Person:
    """One box, xyxy in [0, 1], with the ids of its classes (and their scores, for detections); person -1: no id."""

    box: Box
    person: int
    classes: dict[int, float | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Moment:
    """A keyframe: video, seconds in the original video, and the people in the order of their rows."""

    video: str
    seconds: float
    people: tuple[Person, ...]


def truth_moments(truth: Truth) -> list[Moment]:
    """All annotated keyframes by video and time; rows of equal person and box are one person."""
    people: dict[tuple[int, int], dict[tuple[int, Box], Person]] = {}
    for row, (video, us) in enumerate(zip(truth.video.tolist(), truth.timestamp_us.tolist(), strict=True)):
        x1, y1, x2, y2 = truth.boxes[row].tolist()
        identity = (int(truth.person_id[row]), (x1, y1, x2, y2))
        person = people.setdefault((video, us), {}).setdefault(identity, Person(identity[1], identity[0]))
        person.classes[int(truth.class_id[row])] = None
    keys = zip(truth.key_video.tolist(), truth.key_us.tolist(), truth.key_seconds.tolist(), strict=True)
    moments = [Moment(truth.videos[v], s, tuple(people.get((v, us), {}).values())) for v, us, s in keys]
    return sorted(moments, key=lambda moment: (moment.video, moment.seconds))


def detection_moments(table: DetectionsTable, least: float) -> list[Moment]:
    """The keyframes that have detections; a person keeps the classes of score `least` or more."""
    people: dict[tuple[int, int], dict[Box, Person]] = {}
    for row, (video, us) in enumerate(zip(table.video.tolist(), table.timestamp_us.tolist(), strict=True)):
        x1, y1, x2, y2 = table.boxes[row].tolist()
        box = (x1, y1, x2, y2)
        person = people.setdefault((video, us), {}).setdefault(box, Person(box, -1))
        if table.score[row] >= least:
            person.classes[int(table.class_id[row])] = float(table.score[row])
    named: Mapping[tuple[int, int], dict[Box, Person]] = people
    moments = [Moment(table.videos[v], us / 1e6, tuple(found.values())) for (v, us), found in named.items()]
    return sorted(moments, key=lambda moment: (moment.video, moment.seconds))

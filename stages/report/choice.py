"""Whose relations are shown: people who do what only others and the scene can tell, the surest first.

N predicted boxes, A classes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stages.lib.artifacts.scored import evaluated_rows
from stages.lib.artifacts.tables import Boxes, Index
from stages.lib.geometry.boxes import iou_matrix
from stages.report.pictures import MIN_IOU

OTHERS_NEEDED: Final = "c"


@dataclass(frozen=True)
class Shown:
    """One person: place of the keyframe among those given, row of the box, column of the class, probability."""

    place: int
    box: int
    column: int
    probability: float


def split_to_show(index: Index, split: str = "") -> NDArray[np.int64]:
    """Evaluated keyframes of a split; without a name of val, else of the first split that has any (rows may be none)."""
    splits = [split] if split else sorted(set(index.split), key=lambda found: found != "val")
    found = (evaluated_rows(index, one) for one in splits)
    return next((rows for rows in found if len(rows)), np.zeros(0, np.int64))


def people_to_show(
    index: Index,
    rows: NDArray[np.int64],
    boxes: Boxes,
    probabilities_NA: NDArray[np.float64],
    kinds: Mapping[int, str],
    count: int,
) -> list[Shown]:
    """Up to `count` people, each of another keyframe, with the class that is to be explained.

    `boxes` are those of the keyframes `rows` of the index; only keyframes with two people or more count. Where some class
    is of kind c, people whom the truth gives such a class, else whoever the head is surest of in a class that is no pose.
    The classes take turns, within a class the videos, each with its surest person first.
    """
    wanted = [column for column, number in enumerate(index.classes.ids) if kinds.get(number) == OTHERS_NEEDED]
    several = [
        place for place in range(len(rows)) if boxes.row_splits[place + 1] - boxes.row_splits[place] > 1
    ]
    found: list[tuple[int, int, int]] = []
    for place in several:
        found += _labelled(index, int(rows[place]), boxes, place, wanted)
    if not found:
        posed = [column for group in index.classes.groups() for column in group]
        free = np.delete(np.arange(len(index.classes.ids)), posed)
        found = [item for place in several for item in _surest(boxes, place, probabilities_NA, free)]
    people = [Shown(*item, float(probabilities_NA[item[1], item[2]])) for item in found]
    taken: dict[int, Shown] = {}
    for person in _in_turn(people, index, rows):
        if len(taken) < count:
            taken.setdefault(person.place, person)
    return sorted(taken.values(), key=lambda person: person.place)


def _labelled(
    index: Index, keyframe: int, boxes: Boxes, place: int, wanted: list[int]
) -> Iterator[tuple[int, int, int]]:
    """(place, box, column) of every label of the wanted classes whose person some box overlaps."""
    truth, own = index.truth().of(keyframe), boxes.of(place)
    overlap = iou_matrix(index.truth_boxes[truth], boxes.boxes[own])
    for person, labels_A in enumerate(index.truth_labels[truth]):
        nearest = int(overlap[person].argmax())
        if overlap[person, nearest] >= MIN_IOU:
            yield from ((place, own.start + nearest, column) for column in wanted if labels_A[column])


def _surest(
    boxes: Boxes, place: int, probabilities_NA: NDArray[np.float64], columns: NDArray[np.int64]
) -> Iterator[tuple[int, int, int]]:
    """(place, box, column) of the likeliest of some classes, for every box of a keyframe."""
    for box in range(*boxes.of(place).indices(len(boxes))):
        if len(columns):
            yield place, box, int(columns[probabilities_NA[box, columns].argmax()])


def _in_turn(people: list[Shown], index: Index, rows: NDArray[np.int64]) -> Iterator[Shown]:
    """Class after class, and within a class video after video, the surest person of each first."""
    by_class: dict[int, list[tuple[int, Shown]]] = {}
    earlier: dict[tuple[int, int], int] = {}
    for person in sorted(people, key=lambda one: (-one.probability, one.place, one.box, one.column)):
        key = (person.column, int(index.keyframes.video[rows[person.place]]))
        by_class.setdefault(person.column, []).append((earlier.get(key, 0), person))
        earlier[key] = earlier.get(key, 0) + 1
    queues = [sorted(queue, key=lambda pair: pair[0]) for _, queue in sorted(by_class.items())]
    for turn in zip_longest(*queues):
        yield from (pair[1] for pair in turn if pair is not None)

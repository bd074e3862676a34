"""Where the annotations of a truth disagree with themselves.

Flicker: on one person's track a label goes and comes back within WINDOW keyframes. Swaps: a person loses class A and gains
class B from one keyframe to the next, more often than chance would have it in either direction; classes that annotators use
for the same thing (carry and hold) stand out together with those that follow each other (sit and stand), from which the
number of swaps that are at once taken back tells them apart. Doubles: two boxes of one keyframe that are nearly one, with
different labels. A track links people by their id where the truth has ids, else by IoU (see `chains`).
Legend: P rows of the truth, B people, L links, C classes, K keyframes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stages.lib.metrics.errors.chains import Chains, link_boxes
from stages.lib.metrics.errors.people import People, people_of_truth
from stages.lib.metrics.keyframes import number_keyframes
from stages.lib.metrics.matching import iou_of_pairs
from stages.lib.metrics.selection import class_lookup
from stages.lib.metrics.tables import DetectionsTable, Truth

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

WINDOW = 3
"""Most keyframes from a label to the same label again that count as a flicker."""
DOUBLE_IOU = 0.9
"""Least IoU of two boxes of a keyframe that are nearly one."""


@dataclass(frozen=True)
class Flicker:
    """Labels that go and come back: rows of the truth (the person before and after), and the index of the class.

    `steady` (C,) is how often a label stands at the next keyframe of its track, too: the rate of a class is its flickers
    among both.
    """

    before: Ints
    after: Ints
    label: Ints
    steady: Ints

    def numbers(self) -> Ints:
        """Flickers by class (C,)."""
        return np.bincount(self.label, minlength=len(self.steady))


@dataclass(frozen=True)
class Swaps:
    """Swaps of classes from one keyframe to the next (C, C), from row to column.

    `expected` is symmetric: what both directions together would have if those who lose something and gain something
    did so by chance, each class keeping its number of losses and gains. `returned` (C, C), symmetric, counts swaps
    that are taken back at the very next keyframe: the label was A, then B, then A again, or the other way round.
    """

    changes: int
    swaps: Ints
    expected: Floats
    returned: Ints


@dataclass(frozen=True)
class Disagreement:
    """All of it: people, tracks of two keyframes or more, links between neighbours, flicker, swaps, and doubles.

    `doubles` (D, 2) are pairs of people (first rows in the truth) with nearly one box and different labels; `same` is the
    number of such pairs with the same labels.
    """

    people: int
    tracks: int
    links: int
    flicker: Flicker
    swaps: Swaps
    doubles: Ints
    same: int


def examine(truth: Truth, class_ids: Sequence[int]) -> Disagreement:
    """The disagreements of a truth among its listed classes; rows that repeat another in box and class count once."""
    nothing = DetectionsTable(
        (),
        np.zeros(0, np.int32),
        np.zeros(0, np.int64),
        np.zeros((0, 4)),
        np.zeros(0, np.int32),
        np.zeros(0),
    )
    keyframes = number_keyframes(truth, nothing, (), whole_seconds=False, truth_only=True)
    ms = np.zeros(len(keyframes.video_of), dtype=np.int64)
    ms[keyframes.truth] = truth.timestamp_ms
    class_of_row = class_lookup(class_ids, truth.class_id)[truth.class_id]
    people = people_of_truth(truth, keyframes, class_of_row, len(class_ids))
    identity = truth.person_id[people.row]
    chains = link_boxes(people.keyframe, people.boxes, keyframes.video_of, ms, identity)
    ends = np.lexsort((chains.place, chains.chain))
    linked = np.flatnonzero(chains.place[ends[1:]] > 0) if len(ends) else np.zeros(0, np.int64)
    pairs_L2 = np.stack([ends[linked], ends[linked + 1]], axis=1)
    doubles, same = _doubles(people)
    return Disagreement(
        people=len(people.boxes),
        tracks=int(((chains.place == 0) & (chains.length > 1)).sum()),
        links=len(pairs_L2),
        flicker=_flicker(people, chains),
        swaps=_swaps(people.labels, pairs_L2, chains),
        doubles=people.row[doubles],
        same=same,
    )


def _flicker(people: People, chains: Chains) -> Flicker:
    """Neighbours among the keyframes of a track that have a label: next to each other they are steady, else a flicker."""
    person, label = np.nonzero(people.labels)
    order = np.lexsort((chains.place[person], chains.chain[person], label))
    person, label = person[order], label[order]
    here, there = person[:-1], person[1:]
    same = (label[:-1] == label[1:]) & (chains.chain[here] == chains.chain[there])
    apart = chains.place[there] - chains.place[here]
    flickers = np.flatnonzero(same & (apart > 1) & (apart <= WINDOW))
    steady = np.bincount(label[:-1][same & (apart == 1)], minlength=people.labels.shape[1])
    return Flicker(people.row[here[flickers]], people.row[there[flickers]], label[flickers], steady)


def _swaps(labels_BC: Bools, pairs_L2: Ints, chains: Chains) -> Swaps:
    before, after = labels_BC[pairs_L2[:, 0]], labels_BC[pairs_L2[:, 1]]
    lost, gained = before & ~after, after & ~before
    both = lost.any(axis=1) & gained.any(axis=1)
    lost, gained = lost[both].astype(np.float64), gained[both].astype(np.float64)
    one_way = np.outer(lost.sum(axis=0), gained.sum(axis=0)) / max(len(lost), 1)
    expected = one_way + one_way.T
    np.fill_diagonal(expected, 0.0)  # nobody loses and gains the same class at once
    first, second = pairs_L2[both].T
    link_from = np.full(len(labels_BC), -1, dtype=np.int64)
    link_from[first] = np.arange(len(first))
    back = link_from[second]  # the change that follows this one
    rows = np.flatnonzero(back >= 0)
    returned = np.zeros_like(expected)
    for a in range(labels_BC.shape[1]):
        there = lost[rows, a] * gained[back[rows], a]  # a goes and is back
        returned[a] = there @ (gained[rows] * lost[back[rows]])
    swaps = np.rint(lost.T @ gained).astype(np.int64)
    return Swaps(len(lost), swaps, expected, np.rint(returned + returned.T).astype(np.int64))


def _doubles(people: People) -> tuple[Ints, int]:
    """Pairs of people (D, 2) of one keyframe with nearly one box and different labels; number of those with the same."""
    order = np.argsort(people.keyframe, kind="stable")
    found = [np.zeros((0, 2), dtype=np.int64)]
    for step in range(1, int(np.bincount(people.keyframe).max(initial=0))):
        pairs = np.stack([order[:-step], order[step:]], axis=1)
        pairs = pairs[people.keyframe[pairs[:, 0]] == people.keyframe[pairs[:, 1]]]
        with np.errstate(invalid="ignore"):  # boxes without area
            near = iou_of_pairs(people.boxes[pairs[:, 0]], people.boxes[pairs[:, 1]]) >= DOUBLE_IOU
        found.append(pairs[near])
    pairs = np.concatenate(found)
    pairs = pairs[np.lexsort(pairs.T[::-1])]
    differ = (people.labels[pairs[:, 0]] != people.labels[pairs[:, 1]]).any(axis=1)
    return pairs[differ], int((~differ).sum())

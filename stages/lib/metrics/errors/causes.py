"""Why entries are wrong and truths are missed: each error of a model has exactly one cause.

What counts as an error: of each class the N best scored entries are taken, N being its number of truths. There precision
equals recall (R-precision), so that a class has as many false entries as missed truths, whatever the scale of its scores,
and no threshold has to be chosen. Errors of a class are those false entries and the truths that no entry above this
operating point hits. A false entry of class c has the first of these causes that holds, IoU being that of its box:

  duplicate       IoU >= 0.5 with a truth of c, which another entry has
  wrong class     IoU >= 0.5 with a person who does not do c
  poor box        FAR <= IoU < 0.5 with a truth of c
  both            FAR <= IoU < 0.5 with a person who does not do c
  missing truth   on nobody, but in a chain of KEYFRAMES or more confident boxes on nobody: perhaps not annotated
  false person    on nobody
and a missed truth one of these:
  missed person   no box that counts has IoU >= 0.5 with it
  missed class    somebody was found there, but not said to do c

0.5 stands for the IoU of the metric; FAR is TIDE's (Bolya et al., ECCV 2020, section 3).
Legend: N detections, M entries that count, in rank order, P rows of the truth, B people, C classes, K keyframes.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stages.lib.metrics.ava import Result, frame_map
from stages.lib.metrics.dialects import Dialect, dialect_named
from stages.lib.metrics.errors.missing import Missing, missing_truth
from stages.lib.metrics.errors.people import People, distinct_boxes, nearest, people_of_truth
from stages.lib.metrics.keyframes import keyframes_under
from stages.lib.metrics.selection import class_lookup
from stages.lib.metrics.tables import DetectionsTable, Truth

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

FAR = 0.1
"""Least IoU of a box that is meant for somebody."""
CAUSES = (
    "wrong class",
    "poor box",
    "both",
    "duplicate",
    "missing truth",
    "false person",
    "missed person",
    "missed class",
)
WRONG_CLASS, POOR_BOX, BOTH, DUPLICATE, MISSING_TRUTH, FALSE_PERSON, MISSED_PERSON, MISSED_CLASS = range(8)
NO_ERROR = -1


@dataclass(frozen=True)
class Errors:
    """Every entry that counts and every truth with its cause.

    Entries (M,) stand in the rank order of `result.matches`: keyframe, class, whether above the operating point, cause (of
    all false entries, above or below), nearest truth row of its class (-1: none), nearest person (-1: none), IoU with both.
    Truth rows (P,): `truth_cause` at the operating point (-1: hit, or a row that does not count), `hit` by any entry.
    `found` (B,): people with a box of IoU >= 0.5. `result` is the metric of it all; `missing` are the chains on nobody.
    """

    result: Result
    people: People
    missing: Missing
    keyframe: Ints
    entry_class: Ints
    above: Bools
    cause: NDArray[np.int8]
    truth: Ints
    truth_iou: Floats
    person: Ints
    person_iou: Floats
    truth_class: Ints
    truth_cause: NDArray[np.int8]
    hit: Bools
    found: Bools

    def counts(self) -> Ints:
        """Number of errors at the operating point by class and cause (C, 8)."""
        n_classes = len(self.result.class_ids)
        entries = np.flatnonzero(self.above & (self.cause >= 0))
        truths = np.flatnonzero(self.truth_cause >= 0)
        classes = np.concatenate([self.entry_class[entries], self.truth_class[truths]])
        causes = np.concatenate([self.cause[entries], self.truth_cause[truths]])
        cells = classes * len(CAUSES) + causes
        return np.bincount(cells, minlength=n_classes * len(CAUSES)).reshape(n_classes, -1)

    def confusion(self) -> Floats:
        """Wrong-class entries above the operating point, by the class that was said and what the truth has instead (C, C+1).

        An entry is shared equally among its person's classes that no entry above the operating point hits; where all are
        hit (or none is listed) it is no confusion but an addition, and counts in the last column. Rows sum to the counts.
        """
        n_classes = len(self.result.class_ids)
        missed = self.people.labels.copy()
        rows = np.flatnonzero((self.truth_class >= 0) & (self.truth_cause == NO_ERROR))
        missed[self.people.of_row[rows], self.truth_class[rows]] = False
        table = np.zeros((n_classes, n_classes + 1))
        wrong = np.flatnonzero(self.above & (self.cause == WRONG_CLASS))
        for c in range(n_classes):
            instead = missed[self.person[wrong[self.entry_class[wrong] == c]]].astype(np.float64)
            number = instead.sum(axis=1)
            table[c, :-1] = (instead / np.maximum(number, 1)[:, None]).sum(axis=0)
            table[c, -1] = (number == 0).sum()
        return table


def explain(
    truth: Truth,
    detections: DetectionsTable,
    class_ids: Sequence[int],
    dialect: str | Dialect = "official",
    iou: float = 0.5,
    *,
    exclusions: Collection[tuple[str, int]] = (),
) -> Errors:
    """Causes of all errors of one model under a dialect; boxes are xyxy in [0, 1], `exclusions` (video, microseconds)."""
    rules = dialect_named(dialect) if isinstance(dialect, str) else dialect
    result = frame_map(truth, detections, class_ids, rules, iou, exclusions=exclusions)
    keyframes = keyframes_under(rules, truth, detections, exclusions)
    n_classes, n_keyframes = len(class_ids), len(keyframes.video_of)
    class_of_row = class_lookup(class_ids, truth.class_id)[truth.class_id]
    people = people_of_truth(truth, keyframes, class_of_row, n_classes)
    matches = result.matches
    keyframe, boxes = keyframes.detection[matches.row], detections.boxes[matches.row]
    classes = np.repeat(np.arange(n_classes), np.diff(matches.splits))
    above = np.arange(len(classes)) - matches.splits[classes] < result.truths[classes]
    counted = np.flatnonzero((class_of_row >= 0) & (people.of_row >= 0))
    same, same_iou = nearest(
        keyframe * n_classes + classes,
        boxes,
        keyframes.truth[counted] * n_classes + class_of_row[counted],
        truth.boxes[counted],
        n_classes * n_keyframes,
    )
    person, person_iou, found = _persons(matches.row, keyframe, boxes, people, iou, n_keyframes)
    missing = missing_truth(truth, detections, class_ids, rules, FAR, exclusions=exclusions)
    cause = np.select(
        [
            matches.hit,
            same_iou >= iou,
            person_iou >= iou,
            same_iou >= FAR,
            person_iou >= FAR,
            missing.of_row[matches.row] >= 0,
        ],
        [NO_ERROR, DUPLICATE, WRONG_CLASS, POOR_BOX, BOTH, MISSING_TRUTH],
        FALSE_PERSON,
    )
    truth_class = np.full(len(truth.video), -1, dtype=np.int64)
    truth_class[counted] = class_of_row[counted]
    claimed = np.zeros(len(truth.video), dtype=bool)
    claimed[matches.truth_row[matches.hit & above]] = True
    truth_cause = np.full(len(truth.video), NO_ERROR, dtype=np.int8)
    lost = counted[~claimed[counted]]
    truth_cause[lost] = np.where(found[people.of_row[lost]], MISSED_CLASS, MISSED_PERSON)
    hit = np.zeros(len(truth.video), dtype=bool)
    hit[matches.truth_row[matches.hit]] = True
    return Errors(
        result=result,
        people=people,
        missing=missing,
        keyframe=keyframe,
        entry_class=classes,
        above=above,
        cause=cause.astype(np.int8),
        truth=np.where(same >= 0, np.append(counted, -1)[same], -1),
        truth_iou=same_iou,
        person=person,
        person_iou=person_iou,
        truth_class=truth_class,
        truth_cause=truth_cause,
        hit=hit,
        found=found,
    )


def shares(counts: Ints) -> Floats:
    """Counts of errors by cause (..., 8) as shares that sum to one; NaN where there is no error."""
    total = counts.sum(axis=-1, keepdims=True)
    return np.divide(counts, total, out=np.full(counts.shape, np.nan), where=total > 0)


def _persons(
    row_M: Ints,
    keyframe_M: Ints,
    boxes_M4: NDArray[np.floating],
    people: People,
    iou: float,
    n_keyframes: int,
) -> tuple[Ints, Floats, Bools]:
    """Each entry's nearest person and their IoU (M,), and which people (B,) have a box with enough IoU."""
    listed = np.argsort(row_M)  # a box's classes side by side: each box is looked at once
    first, place = distinct_boxes(keyframe_M[listed], boxes_M4[listed])
    at, keyframe = listed[first], keyframe_M[listed[first]]
    boxes = np.asarray(boxes_M4[at], dtype=np.float64)
    nearest_B, iou_B = nearest(keyframe, boxes, people.keyframe, people.boxes, n_keyframes)
    person, overlap = np.empty(len(row_M), dtype=np.int64), np.empty(len(row_M))
    person[listed], overlap[listed] = nearest_B[place], iou_B[place]
    _, best = nearest(people.keyframe, people.boxes, keyframe, boxes, n_keyframes)
    return person, overlap, best >= iou

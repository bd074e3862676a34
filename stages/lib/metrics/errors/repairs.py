"""What each cause of error costs, and what perfect parts would give: the metric on repaired inputs.

Inputs are the entries that count (the cap has been applied, so the repaired ones are scored without a cap), and the truth.
Repairs of one cause follow TIDE (Bolya et al., ECCV 2020, section 3) for entries of every rank, not only those above the
operating point: a wrong class or a poor box is put right where that hits a truth which nothing else hits, the best scored
first, and withdrawn otherwise; other false entries are withdrawn; missed truths are forgotten.
Legend: N detections, M entries that count, P rows of the truth, B people, C classes.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from stages.lib.metrics.ava import Result, frame_map
from stages.lib.metrics.errors.causes import (
    CAUSES,
    FAR,
    MISSED_CLASS,
    MISSED_PERSON,
    POOR_BOX,
    WRONG_CLASS,
    Errors,
)
from stages.lib.metrics.errors.people import distinct_boxes
from stages.lib.metrics.frequency import frequency_groups
from stages.lib.metrics.tables import DetectionsTable, Truth, concat_detections

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
Tables = tuple[Truth, DetectionsTable]


@dataclass(frozen=True)
class Case:
    """A model's errors with the tables that they are about, and the excluded keyframes as (video, microseconds)."""

    truth: Truth
    detections: DetectionsTable
    errors: Errors
    exclusions: Collection[tuple[str, int]] = ()

    def score(self, tables: Tables) -> Result:
        """The metric of repaired tables, under the same rules without a cap."""
        result = self.errors.result
        rules = replace(result.dialect, cap=None)
        return frame_map(*tables, result.class_ids, rules, result.iou, exclusions=self.exclusions)

    def entries(self) -> tuple[Ints, DetectionsTable]:
        """Places (M,) in rank order of the entries that count, as the table lists them, and these as a table."""
        order = np.argsort(self.errors.result.matches.row)
        table = self.detections.take(self.errors.result.matches.row[order])
        return order, replace(table, boxes=np.array(table.boxes, dtype=np.float64))


def repaired(case: Case, cause: int) -> Tables:
    """Truth and entries with one cause of error repaired (an index of CAUSES)."""
    errors = case.errors
    order, table = case.entries()
    if cause in (MISSED_PERSON, MISSED_CLASS):
        lost = (errors.truth_class >= 0) & ~errors.hit
        found = np.append(errors.found, False)[errors.people.of_row]
        return _truth_rows(case.truth, ~(lost & (found == (cause == MISSED_CLASS)))), table
    guilty = errors.cause[order] == cause
    keep = ~guilty
    if cause == POOR_BOX:
        target = errors.truth[order]
        mended = _first_of_each(guilty & ~np.append(errors.hit, True)[target], target, table)
        table.boxes[mended] = case.truth.boxes[target[mended]]
        keep[mended] = True
    elif cause == WRONG_CLASS:
        mended, classes = _free_labels(case, guilty, errors.person[order], table)
        class_id = table.class_id.copy()
        class_id[mended] = np.array(errors.result.class_ids, dtype=np.int32)[classes]
        table, keep[mended] = replace(table, class_id=class_id), True
    return case.truth, table.take(np.flatnonzero(keep))


def repairs(case: Case) -> dict[str, Result]:
    """The metric with each cause alone repaired, by its name."""
    return {name: case.score(repaired(case, cause)) for cause, name in enumerate(CAUSES)}


def what_ifs(case: Case) -> dict[str, Result]:
    """The metric with perfect parts, by what is perfect; see the functions below for what each of them means."""
    groups = frequency_groups(case.errors.result.class_ids, case.errors.result.truths)
    tables = {
        "boxes in place": boxes_in_place(case),
        "perfect boxes": boxes_in_place(case, only=True),
        "perfect classification of found boxes": classified(case),
        "no missed persons": nobody_missed(case),
        **{f"perfect {name} classes": perfect_classes(case, groups, name) for name in ("tail", "middle")},
    }
    return {name: case.score(both) for name, both in tables.items()}


def boxes_in_place(case: Case, *, only: bool = False) -> Tables:
    """Each box with IoU >= FAR to somebody moved onto its nearest person, of whom the best entry of each class stays.

    With `only`, boxes on nobody are withdrawn: all boxes are perfect then, but people whom no box was near stay missed.
    """
    order, table = case.entries()
    person = np.where(case.errors.person_iou[order] >= FAR, case.errors.person[order], -1)
    moved = person >= 0
    n_classes = len(case.errors.result.class_ids)
    best = _first_of_each(moved, person * n_classes + case.errors.entry_class[order], table)
    table.boxes[moved] = case.errors.people.boxes[person[moved]]
    keep = np.zeros(len(order), dtype=bool) if only else ~moved
    keep[best] = True
    return case.truth, table.take(np.flatnonzero(keep))


def classified(case: Case) -> Tables:
    """Each box with enough IoU to somebody says exactly that person's classes, each with the box's best score."""
    errors = case.errors
    order, table = case.entries()
    found = np.flatnonzero(errors.person_iou[order] >= errors.result.iou)
    first, place = distinct_boxes(errors.keyframe[order[found]], table.boxes[found])
    best = np.full(len(first), -np.inf)
    np.maximum.at(best, place, table.score[found])
    box, classes = np.nonzero(errors.people.labels[errors.person[order[found[first]]]])
    said = table.take(found[first[box]])
    ids = np.array(errors.result.class_ids, dtype=np.int32)
    said = replace(said, class_id=ids[classes], score=best[box])
    return case.truth, concat_detections([table.take(np.delete(np.arange(len(order)), found)), said])


def nobody_missed(case: Case) -> Tables:
    """Everybody without a box gets one, with that person's classes at score one: an upper bound."""
    _, table = case.entries()
    missed = case.errors.people.labels & ~case.errors.found[:, None]
    return case.truth, concat_detections([table, _perfect(case, missed)])


def perfect_classes(case: Case, groups: dict[int, str], name: str) -> Tables:
    """The classes of one group by frequency are said exactly as the truth has them."""
    order, table = case.entries()
    chosen = np.array([groups.get(number) == name for number in case.errors.result.class_ids], dtype=bool)
    kept = table.take(np.flatnonzero(~chosen[case.errors.entry_class[order]]))
    return case.truth, concat_detections([kept, _perfect(case, case.errors.people.labels & chosen)])


def _perfect(case: Case, labels_BC: Bools) -> DetectionsTable:
    """Detections of score one of some classes of some people, over the videos of the detections and the truth."""
    person, classes = np.nonzero(labels_BC)
    rows = case.errors.people.row[person]
    return DetectionsTable(
        videos=case.truth.videos,
        video=case.truth.video[rows],
        timestamp_us=case.truth.timestamp_us[rows],
        boxes=case.truth.boxes[rows],
        class_id=np.array(case.errors.result.class_ids, dtype=np.int32)[classes],
        score=np.ones(len(rows)),
    )


def _first_of_each(chosen_M: Bools, group_M: Ints, table: DetectionsTable) -> Ints:
    """Of the chosen rows the best scored of each group; of equal scores the first listed."""
    rows = np.flatnonzero(chosen_M)
    rows = rows[np.argsort(-table.score[rows], kind="stable")]
    return rows[np.unique(group_M[rows], return_index=True)[1]]


def _free_labels(case: Case, guilty_M: Bools, person_M: Ints, table: DetectionsTable) -> tuple[Ints, Ints]:
    """Rows that take one of their person's classes which nothing hits, best scored first, and the index of that class."""
    errors = case.errors
    free = errors.people.labels.copy()
    rows = np.flatnonzero(errors.hit)
    free[errors.people.of_row[rows], errors.truth_class[rows]] = False
    rows = np.flatnonzero(guilty_M)
    rows = rows[np.lexsort((-table.score[rows], person_M[rows]))]
    starts = np.flatnonzero(np.diff(person_M[rows], prepend=-1))
    turn = np.arange(len(rows)) - np.repeat(starts, np.diff(np.append(starts, len(rows))))
    taking = turn < free.sum(axis=1)[person_M[rows]]
    rows, turn = rows[taking], turn[taking]
    ranked = np.argsort(~free[person_M[rows]], axis=1, kind="stable")
    return rows, ranked[np.arange(len(rows)), turn]


def _truth_rows(truth: Truth, keep_P: Bools) -> Truth:
    columns: Sequence[str] = ("video", "timestamp_us", "boxes", "class_id", "person_id")
    return replace(truth, **{name: vars(truth)[name][keep_P] for name in columns})

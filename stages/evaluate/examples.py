"""The worst examples of each cause of error, one row each: where it is, what the truth says there, what was said."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.evaluate.disagreement import corners, milliseconds_of
from stages.lib.annotations.labelmap import LabelMap
from stages.lib.geometry.boxes import areas
from stages.lib.metrics.errors.causes import (
    BOTH,
    CAUSES,
    DUPLICATE,
    MISSED_CLASS,
    MISSED_PERSON,
    POOR_BOX,
    WRONG_CLASS,
    Errors,
)
from stages.lib.metrics.errors.repairs import Case

Ints = NDArray[np.int64]
Example = dict[str, Any]


def examples(case: Case, classes: LabelMap, count: int, said: int = 4) -> dict[str, list[Example]]:
    """Up to `count` examples of each cause: of false entries the best scored, of missed persons the largest.

    Of missed classes those come first in whose place a wrong class was said with the highest score. Classes take turns,
    and no keyframe is shown twice for one cause. Boxes are xyxy in [0, 1]; `said` is the most claims that are listed.
    """
    errors = case.errors
    score = case.detections.score[errors.result.matches.row]
    found: dict[str, list[Example]] = {}
    for cause, name in enumerate(CAUSES):
        if cause in (MISSED_PERSON, MISSED_CLASS):
            rows = np.flatnonzero(errors.truth_cause == cause)
            keyframe = errors.people.keyframe[errors.people.of_row[rows]]
            weight = areas(case.truth.boxes[rows])
            if cause == MISSED_CLASS:
                weight += _surest_instead(errors, score)[errors.people.of_row[rows]]
            chosen = _in_turn(rows, errors.truth_class[rows], keyframe, weight, count)
            found[name] = [_of_truth(case, classes, row, said) for row in chosen]
        else:
            rows = np.flatnonzero(errors.above & (errors.cause == cause))
            chosen = _in_turn(rows, errors.entry_class[rows], errors.keyframe[rows], score[rows], count)
            found[name] = [_of_entry(case, classes, entry, said) for entry in chosen]
    return found


def _surest_instead(errors: Errors, score_M: NDArray[np.float64]) -> NDArray[np.float64]:
    """The best score of a wrong class above the operating point, for each person."""
    best = np.zeros(len(errors.people.boxes))
    wrong = np.flatnonzero(errors.above & (errors.cause == WRONG_CLASS))
    np.maximum.at(best, errors.person[wrong], score_M[wrong])
    return best


def _in_turn(
    rows: Ints, classes: Ints, keyframes: Ints, weight: NDArray[np.float64], count: int
) -> list[int]:
    """The rows of highest weight, class after class and then round again, each of another keyframe."""
    order = np.lexsort((np.arange(len(rows)), -weight))
    order = order[np.sort(np.unique(keyframes[order], return_index=True)[1])]  # the heaviest of each keyframe
    by_class = np.argsort(classes[order], kind="stable")
    sizes = np.unique(classes[order], return_counts=True)[1]
    turn = np.empty(len(order), dtype=np.int64)
    turn[by_class] = np.concatenate([np.zeros(0, np.int64), *(np.arange(size) for size in sizes)])
    return rows[order[np.argsort(turn, kind="stable")[:count]]].tolist()


def _of_entry(case: Case, classes: LabelMap, entry: int, said: int) -> Example:
    errors, row = case.errors, int(case.errors.result.matches.row[entry])
    box = case.detections.boxes[row]
    person = -1
    if errors.cause[entry] in (POOR_BOX, DUPLICATE):
        person = int(errors.people.of_row[errors.truth[entry]])
    elif errors.cause[entry] in (WRONG_CLASS, BOTH):
        person = int(errors.person[entry])
    return {
        "class": classes.names[errors.entry_class[entry]],
        "video": case.detections.videos[case.detections.video[row]],
        "ms": milliseconds_of(case.detections, row),
        "box": corners(box),
        **_truth_of(case, classes, person),
        "said": _claims(case, classes, int(errors.keyframe[entry]), box, person, said, first=entry),
    }


def _of_truth(case: Case, classes: LabelMap, row: int, said: int) -> Example:
    errors, truth = case.errors, case.truth
    person = int(errors.people.of_row[row])
    near = np.flatnonzero((errors.person == person) & (errors.person_iou >= errors.result.iou))
    found: Example = {"box": None, "said": []}
    if len(near):
        entry = near[errors.person_iou[near].argmax()]
        box = case.detections.boxes[errors.result.matches.row[entry]]
        claims = _claims(case, classes, int(errors.keyframe[entry]), box, person, said)
        found = {"box": corners(box), "said": claims}
    return {
        "class": classes.names[errors.truth_class[row]],
        "video": truth.videos[truth.video[row]],
        "ms": milliseconds_of(truth, row),
        **_truth_of(case, classes, person),
        **found,
    }


def _truth_of(case: Case, classes: LabelMap, person: int) -> Example:
    """Box and listed classes of a person, none for -1."""
    if person < 0:
        return {"truth": None, "gt": []}
    people = case.errors.people
    return {
        "truth": corners(people.boxes[person]),
        "gt": [classes.names[c] for c in np.flatnonzero(people.labels[person])],
    }


def _claims(
    case: Case,
    classes: LabelMap,
    keyframe: int,
    box: NDArray[np.floating],
    person: int,
    said: int,
    first: int = -1,
) -> list[list[object]]:
    """[class, score, whether the person does it] of the best entries above the operating point on one box, `first` ahead."""
    errors = case.errors
    rows = errors.result.matches.row
    entries = np.flatnonzero(errors.above & (errors.keyframe == keyframe))
    entries = entries[(case.detections.boxes[rows[entries]] == box).all(axis=1)]
    score = case.detections.score[rows[entries]]
    entries = entries[np.lexsort((-score, entries != first))][:said]
    right = errors.people.labels[person] if person >= 0 else np.zeros(len(classes.ids), dtype=bool)
    return [
        [
            classes.names[errors.entry_class[e]],
            round(float(case.detections.score[rows[e]]), 4),
            bool(right[errors.entry_class[e]]),
        ]
        for e in entries
    ]

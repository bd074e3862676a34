"""Frame mAP, the metric of AVA and AVA-Kinetics, in its four dialects.

Legend: N detections, M detections that count, P truths that count, C classes, K keyframes, V videos.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from stages.lib.metrics.ap import average_precision, precision_recall
from stages.lib.metrics.dialects import Dialect, dialect_named
from stages.lib.metrics.keyframes import keyframes_under
from stages.lib.metrics.matching import best_truths, first_claims
from stages.lib.metrics.selection import class_lookup, select_rows
from stages.lib.metrics.tables import DetectionsTable, Truth, repeated_rows

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Counts:
    """Where detections went, one after the other, and how many keyframes and videos there are."""

    keyframes: int
    truths: int
    detections: int
    unlisted_class: int
    unlisted_keyframe: int
    excluded: int
    beyond_cap: int
    degenerate: int
    used: int
    hits: int

    def as_dict(self) -> dict[str, int]:
        """All counts by name."""
        return asdict(self)


@dataclass(frozen=True)
class Matches:
    """Detections of all classes in rank order, class after class: whether they hit, and in which video they are.

    Class c has the rows `splits[c]:splits[c + 1]`. `row` points into the detections table, `truth_row` into the truth
    table (-1: no hit). Truths that count: their class (index) and video.
    """

    videos: tuple[str, ...]
    splits: Ints
    score: Floats
    hit: Bools
    video: NDArray[np.int32]
    row: Ints
    truth_row: Ints
    truth_class: Ints
    truth_video: NDArray[np.int32]

    def of_class(self, c: int) -> slice:
        """The rows of the class at index c."""
        return slice(int(self.splits[c]), int(self.splits[c + 1]))


@dataclass(frozen=True)
class Result:
    """AP of each class (NaN without truth), numbers of truths and of detections that count, and all matches."""

    dialect: Dialect
    iou: float
    class_ids: tuple[int, ...]
    ap: Floats
    truths: Ints
    detections: Ints
    counts: Counts
    matches: Matches

    @property
    def mean_ap(self) -> float:
        """Mean AP of the classes that have a truth; NaN where none has."""
        return mean_of_defined(self.ap)

    def mean_ap_of(self, kinds: Mapping[int, str]) -> dict[str, float]:
        """Mean AP of each kind, given the kind of each class id; classes without a kind are left out."""
        named = [kinds.get(class_id) for class_id in self.class_ids]
        order = sorted({kind for kind in named if kind is not None})
        return {kind: mean_of_defined(self.ap[[name == kind for name in named]]) for kind in order}

    def curve(self, class_id: int) -> tuple[Floats, Floats, Floats]:
        """Precision, recall and score after each detection of a class, best score first."""
        c = self.class_ids.index(class_id)
        rows = self.matches.of_class(c)
        return *precision_recall(self.matches.hit[rows], int(self.truths[c])), self.matches.score[rows]


def repeated_detections(result: Result, detections: DetectionsTable) -> Ints:
    """Rows, ascending, of detections that count and repeat an earlier row in keyframe, box, class and score.

    Such rows share a score, so that only rows of one class with equal scores are looked at.
    """
    matches = result.matches
    level = np.zeros(len(matches.score) + 1, dtype=bool)
    level[1:-1] = matches.score[1:] == matches.score[:-1]
    level[np.clip(matches.splits, 0, len(matches.score))] = False
    rows = np.sort(matches.row[level[1:] | level[:-1]])
    return rows[repeated_rows(detections.take(rows), with_score=True)]


def mean_of_defined(values: Floats) -> float:
    """Mean of the values that are not NaN; NaN where there is none."""
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if len(defined) else float("nan")


def frame_map(
    truth: Truth,
    detections: DetectionsTable,
    class_ids: Sequence[int],
    dialect: str | Dialect = "official",
    iou: float = 0.5,
    *,
    exclusions: Collection[tuple[str, int]] = (),
) -> Result:
    """Frame mAP of detections against a truth over the listed classes (AVA challenge protocol, spec section 9.2).

    Boxes are xyxy in [0, 1] and used as they are; keyframes are compared by video name and microsecond (or second, as
    the dialect says); `exclusions` are (video, microseconds). Ties: see `stages.lib.metrics.dialects`.
    """
    rules = dialect_named(dialect) if isinstance(dialect, str) else dialect
    keyframes = keyframes_under(rules, truth, detections, exclusions)
    class_of = class_lookup(class_ids, truth.class_id, detections.class_id)
    truth_class = class_of[truth.class_id]
    truth_rows = np.flatnonzero((truth_class >= 0) & ~keyframes.excluded[keyframes.truth])
    rows, dropped = select_rows(detections, class_of, keyframes, rules)
    classes, n_classes = class_of[detections.class_id[rows]], len(class_ids)
    candidates = best_truths(
        keyframes.detection[rows] * n_classes + classes,
        detections.boxes[rows],
        keyframes.truth[truth_rows] * n_classes + truth_class[truth_rows],
        truth.boxes[truth_rows],
        n_classes * len(keyframes.video_of),
    )
    score = detections.score[rows]
    hit_of_row = _hits(candidates, score if rules.best_first else None, iou, truth_rows, len(rows))
    order = _rank(classes, score, n_classes)
    matches = Matches(
        videos=keyframes.videos,
        splits=np.searchsorted(classes[order], np.arange(n_classes + 1)),
        score=score[order],
        hit=hit_of_row[order] >= 0,
        video=keyframes.video_of[keyframes.detection[rows[order]]],
        row=rows[order],
        truth_row=hit_of_row[order],
        truth_class=truth_class[truth_rows].astype(np.int64),
        truth_video=keyframes.video_of[keyframes.truth[truth_rows]],
    )
    counts = Counts(
        keyframes=int((~keyframes.excluded).sum()),
        truths=len(truth_rows),
        detections=len(detections.video),
        used=len(rows),
        hits=int(matches.hit.sum()),
        **dropped,
    )
    return _score(matches, rules, iou, tuple(class_ids), counts)


def _hits(
    candidates: tuple[Ints, Ints, Floats], score: Floats | None, iou: float, truth_rows: Ints, n_rows: int
) -> Ints:
    """Row in the truth table that each detection hits, -1 for none; with scores the best scored claims first."""
    found, target, overlap = candidates
    found, target = found[overlap >= iou], target[overlap >= iou]
    first = first_claims(target, None if score is None else score[found])
    hit = np.full(n_rows, -1, dtype=np.int64)
    hit[found[first]] = truth_rows[target[first]]
    return hit


def _rank(classes_N: NDArray[np.int16], score_N: Floats, n_classes: int) -> Ints:
    """Rows by class and descending score; equal scores keep their order."""
    order = np.argsort(classes_N, kind="stable")
    splits = np.searchsorted(classes_N[order], np.arange(n_classes + 1))
    for begin, end in pairwise(splits):
        rows = order[begin:end]
        order[begin:end] = rows[np.argsort(-score_N[rows], kind="stable")]
    return order


def _score(
    matches: Matches, rules: Dialect, iou: float, class_ids: tuple[int, ...], counts: Counts
) -> Result:
    truths = np.bincount(matches.truth_class, minlength=len(class_ids))
    ap = [average_precision(matches.hit[matches.of_class(c)], int(n)) for c, n in enumerate(truths)]
    return Result(rules, iou, class_ids, np.array(ap), truths, np.diff(matches.splits), counts, matches)

"""Frame mAP of many models that score the same boxes: boxes meet the truth once, then only scores are ranked.

The numbers are those of `stages.lib.metrics.ava.frame_map` on one row per box and class.
Legend: B boxes as listed, U boxes that can count (by keyframe, then as listed), C classes, T truths that count,
P pairs of a box and the truth of a class that it overlaps enough, V videos, R ranked entries.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from stages.lib.geometry.boxes import have_area
from stages.lib.metrics.ap import ap_of_ranks
from stages.lib.metrics.dialects import Dialect, dialect_named
from stages.lib.metrics.keyframes import keyframes_under
from stages.lib.metrics.matching import best_truths, first_claims
from stages.lib.metrics.selection import class_lookup
from stages.lib.metrics.tables import DetectionsTable, Truth

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

_ENTRIES = 1 << 20  # scores that are capped together


@dataclass(frozen=True)
class Ranking:
    """Entries (R,) of all classes, best first, class after class, down to the last hit of each; and their videos."""

    splits: Ints
    hit: Bools
    video: NDArray[np.int32]
    truth_class: Ints
    truth_video: NDArray[np.int32]

    def ap(self, videos_V: Bools | None = None) -> Floats:
        """AP (C,) of each class, in the chosen videos only where a mask over them is given; NaN without truth."""
        hits = np.flatnonzero(self.hit)
        counted, before = self.truth_class, np.arange(len(self.hit) + 1)
        if videos_V is not None:
            counted = self.truth_class[videos_V[self.truth_video]]
            before = np.concatenate([[0], np.cumsum(videos_V[self.video])])
            hits = hits[videos_V[self.video[hits]]]
        truths = np.bincount(counted, minlength=len(self.splits) - 1)
        bounds = np.searchsorted(hits, self.splits)
        ranks = before[hits + 1] - np.repeat(before[self.splits[:-1]], np.diff(bounds))
        parts = [ranks[begin:end] for begin, end in pairwise(bounds.tolist())]
        return np.array([ap_of_ranks(part, int(n)) for part, n in zip(parts, truths, strict=True)])


@dataclass(frozen=True)
class SharedBoxes:
    """What does not depend on scores: the order of the boxes, their keyframes and videos, and the truths they overlap.

    Pairs run class after class (`pair_splits`), boxes ascending; `pair_target` numbers the T truths.
    """

    class_ids: tuple[int, ...]
    rules: Dialect
    n_boxes: int
    rows: Ints
    key_splits: Ints
    solid: Bools
    videos: tuple[str, ...]
    video: NDArray[np.int32]
    pair_splits: Ints
    pair_box: Ints
    pair_target: Ints
    truth_class: Ints
    truth_video: NDArray[np.int32]

    def rank(self, scores_BC: NDArray[np.floating]) -> Ranking:
        """Ranks one model's scores (B, C) of the boxes as they were listed."""
        scores = self.counting(scores_BC)
        keep_UC = self._kept(scores)
        hit_CU = self._hits(scores, keep_UC)
        scores_CU, keep_CU = np.ascontiguousarray(scores.T), np.ascontiguousarray(keep_UC.T)
        hits, boxes = [], []
        for score, kept, hit in zip(scores_CU, keep_CU, hit_CU, strict=True):
            last = score[hit].min() if hit.any() else np.inf
            deep = np.flatnonzero(kept & (score >= last))
            order = deep[descending(score[deep])]
            hits.append(hit[order])
            boxes.append(order)
        splits = np.cumsum([0, *(len(one) for one in hits)])
        video = self.video[np.concatenate([np.zeros(0, np.int64), *boxes])]
        hit = np.concatenate([np.zeros(0, dtype=bool), *hits])
        return Ranking(splits, hit, video, self.truth_class, self.truth_video)

    def counting(self, scores_BC: NDArray[np.floating]) -> NDArray[np.floating]:
        """The scores (U, C) of the boxes that can count, by keyframe."""
        assert scores_BC.shape == (self.n_boxes, len(self.class_ids)), "scores are of other boxes or classes"
        listed = len(self.rows) == self.n_boxes and bool((np.diff(self.rows) == 1).all())
        return scores_BC if listed else scores_BC[self.rows]

    def targets(self, c: int) -> Ints:
        """The truth (of the T) that each of the U boxes overlaps in the class at index c, -1 for none."""
        pairs = slice(int(self.pair_splits[c]), int(self.pair_splits[c + 1]))
        target = np.full(len(self.rows), -1, dtype=np.int64)
        target[self.pair_box[pairs]] = self.pair_target[pairs]
        return target

    def _kept(self, scores_UC: NDArray[np.floating]) -> Bools:
        """Entries (U, C) within the cap of their keyframe, on boxes that have an area."""
        keep = np.repeat(self.solid[:, None], len(self.class_ids), axis=1)
        if self.rules.cap is None:
            return keep
        for rows_KN in self._crowded(self.rules.cap):
            scores = scores_UC[rows_KN].reshape(len(rows_KN), -1)
            keep[rows_KN] &= best_entries(scores, self.rules.cap).reshape(*rows_KN.shape, -1)
        return keep

    def _crowded(self, cap: int) -> Iterator[Ints]:
        """Boxes (K, N) of keyframes that share a number of boxes N and have more entries than the cap."""
        counts, n_classes = np.diff(self.key_splits), len(self.class_ids)
        for n in np.unique(counts[counts * n_classes > cap]).tolist():
            first = self.key_splits[:-1][counts == n]
            step = max(1, _ENTRIES // (n * n_classes))
            for begin in range(0, len(first), step):
                yield first[begin : begin + step, None] + np.arange(n)

    def _hits(self, scores_UC: NDArray[np.floating], keep_UC: Bools) -> Bools:
        """Entries (C, U) that hit a truth: of the kept ones that overlap it the best scored, or the first listed."""
        pair_class = np.repeat(np.arange(len(self.class_ids)), np.diff(self.pair_splits))
        alive = np.flatnonzero(keep_UC[self.pair_box, pair_class])
        box, of_class = self.pair_box[alive], pair_class[alive]
        score = scores_UC[box, of_class].astype(np.float64) if self.rules.best_first else None
        first = first_claims(self.pair_target[alive], score)
        hit = np.zeros((len(self.class_ids), len(self.rows)), dtype=bool)
        hit[of_class[first], box[first]] = True
        return hit


def share_boxes(
    truth: Truth,
    boxes: DetectionsTable,
    class_ids: Sequence[int],
    dialect: str | Dialect = "official",
    iou: float = 0.5,
    *,
    exclusions: Collection[tuple[str, int]] = (),
) -> SharedBoxes:
    """Matches boxes, one row each (its class and score are not read), to a truth under the rules of a dialect."""
    rules = dialect_named(dialect) if isinstance(dialect, str) else dialect
    keyframes = keyframes_under(rules, truth, boxes, exclusions)
    n_classes, n_keyframes = len(class_ids), len(keyframes.video_of)
    usable = np.flatnonzero(keyframes.detection >= 0)
    usable = usable[~keyframes.excluded[keyframes.detection[usable]]]
    rows = usable[np.argsort(keyframes.detection[usable], kind="stable")]
    keyframe = keyframes.detection[rows]
    xyxy = np.asarray(boxes.boxes[rows], dtype=np.float64)
    solid = have_area(xyxy)
    truth_class = class_lookup(class_ids, truth.class_id)[truth.class_id].astype(np.int64)
    counted = np.flatnonzero((truth_class >= 0) & ~keyframes.excluded[keyframes.truth])
    group_T = keyframes.truth[counted] * n_classes + truth_class[counted]
    start = np.searchsorted(keyframe, np.arange(n_keyframes + 1))
    group_P, box_P = _pairs(np.unique(group_T), n_classes, start)
    found, target, overlap = best_truths(
        group_P, xyxy[box_P], group_T, truth.boxes[counted], n_classes * n_keyframes
    )
    enough = (overlap >= iou) & solid[box_P[found]]
    found, target = found[enough], target[enough]
    of_class = group_P[found] % n_classes
    order = np.lexsort((box_P[found], of_class))
    return SharedBoxes(
        class_ids=tuple(class_ids),
        rules=rules,
        n_boxes=len(boxes.video),
        rows=rows,
        key_splits=start,
        solid=solid,
        videos=keyframes.videos,
        video=keyframes.video_of[keyframe],
        pair_splits=np.searchsorted(of_class[order], np.arange(n_classes + 1)),
        pair_box=box_P[found][order],
        pair_target=target[order],
        truth_class=truth_class[counted],
        truth_video=keyframes.video_of[keyframes.truth[counted]],
    )


def best_entries(scores_KN: NDArray[np.floating], cap: int) -> Bools:
    """The `cap` highest of each row of scores (K, N) with N > cap; of equal scores the first listed."""
    least = np.partition(scores_KN, -cap, axis=1)[:, -cap, None]
    kept = scores_KN >= least
    over = np.flatnonzero(np.count_nonzero(kept, axis=1) > cap)
    above = scores_KN[over] > least[over]
    level = kept[over] & ~above
    room = cap - np.count_nonzero(above, axis=1)[:, None]
    kept[over] = above | (level & (np.cumsum(level, axis=1) <= room))
    return kept


def descending(scores_N: NDArray[np.floating]) -> Ints:
    """Places of scores (N,) in descending order; of equal scores the first listed comes first.

    Float32 is sorted as integers that hold score and place, which is several times as fast as a stable argsort.
    """
    if scores_N.dtype != np.float32:
        return np.argsort(-scores_N, kind="stable")
    bits = (scores_N + np.float32(0)).view(np.uint32)  # adding zero makes -0 the same as 0
    falling = np.where(bits >> 31, bits, ~bits & np.uint32(0x7FFFFFFF))
    keys = falling.astype(np.uint64) << np.uint64(32) | np.arange(len(bits), dtype=np.uint64)
    keys.sort()
    return (keys & np.uint64(0xFFFFFFFF)).astype(np.int64)


def _pairs(groups_G: Ints, n_classes: int, start_K: Ints) -> tuple[Ints, Ints]:
    """Group (keyframe and class) and box of every pair of a group with truth and a box of its keyframe."""
    first = start_K[groups_G // n_classes]
    count = start_K[groups_G // n_classes + 1] - first
    ends = np.cumsum(count)
    inside = np.arange(int(ends[-1]) if len(ends) else 0) - np.repeat(ends - count, count)
    return np.repeat(groups_G, count), np.repeat(first, count) + inside

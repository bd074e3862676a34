"""Causes of errors written out row by row: dictionaries and loops over truth and detection rows, nothing vectorised.

Rows as in `literal_evaluator`, from which only the overlap of two boxes and the spelling of a keyframe are taken. All
scores must differ, since ties are a matter of order.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise

from tests.property.literal_evaluator import CAPACITY, image_key, overlap

FAR, CONFIDENT, LINK, KEYFRAMES, GAP = 0.1, 0.5, 0.5, 3, 1.5


class Literal:
    """The same truth and detections looked at slowly; rows are known by their places in the lists given."""

    def __init__(
        self,
        truths: Sequence[tuple],
        found: Sequence[tuple],
        classes: Sequence[int],
        dialect: str,
        exclusions: Sequence[tuple] = (),
        iou: float = 0.5,
    ) -> None:
        self.iou, self.classes = iou, classes
        self.old = dialect in ("2020", "pyslowfast")
        self.out = {image_key(v, s, dialect) for v, s in exclusions} if self.old else set()
        self.boxed = [row for row in truths if len(row) > 2]
        self.found = found
        self.key = [image_key(row[0], row[1], dialect) for row in found]
        self.truth_key = [image_key(row[0], row[1], dialect) for row in self.boxed]
        self.known = {image_key(row[0], row[1], dialect) for row in truths}
        self.counted_truths = [
            t for t, row in enumerate(self.boxed) if row[3] in classes and self.truth_key[t] not in self.out
        ]
        self.count(CAPACITY[dialect])
        self.match(best_first=dialect != "pyslowfast")
        self.chains = self.find_chains()
        self.explain()

    def count(self, capacity: int) -> None:
        by_key = defaultdict(list)
        for d, row in enumerate(self.found):
            key = self.key[d]
            if row[3] in self.classes and key not in self.out and (self.old or key in self.known):
                by_key[key].append(d)
        self.counted = []
        for mine in by_key.values():
            kept = sorted(mine, key=lambda d: -self.found[d][4])[: capacity or len(mine)]
            self.counted += [d for d in kept if solid(self.found[d][2])]
        self.counted.sort()

    def match(self, best_first: bool) -> None:
        """hit[d] = t"""
        order = sorted(self.counted, key=lambda d: -self.found[d][4]) if best_first else self.counted
        self.hit: dict[int, int] = {}
        for d in order:
            t, value = self.best_same(d)
            if value >= self.iou and t not in self.hit.values():
                self.hit[d] = t

    def best_same(self, d: int) -> tuple[int, float]:
        best, value = -1, -1.0
        for t in self.counted_truths:
            if self.truth_key[t] == self.key[d] and self.boxed[t][3] == self.found[d][3]:
                this = overlap(self.found[d][2], self.boxed[t][2])
                if this > value:
                    best, value = t, this
        return best, value

    def best_person(self, d: int) -> tuple[tuple | None, float]:
        """The nearest person's box."""
        best, value = None, 0.0
        for t, row in enumerate(self.boxed):
            if self.truth_key[t] == self.key[d]:
                this = overlap(self.found[d][2], row[2])
                if this > value:
                    best, value = row[2], this
        return best, value

    def find_chains(self) -> set[tuple[str, tuple]]:
        """(key, box) of every confident box on nobody that is one of three in a row."""
        boxes: dict[str, list] = defaultdict(list)
        time: dict[str, tuple[str, float]] = {}
        for d, row in enumerate(self.found):
            time[self.key[d]] = (row[0], row[1])
            if (
                row[3] in self.classes
                and row[4] >= CONFIDENT
                and solid(row[2])
                and self.key[d] not in self.out
            ):
                lonely = self.best_person(d)[1] < FAR
                if lonely and row[2] not in boxes[self.key[d]]:
                    boxes[self.key[d]].append(row[2])
        for t, row in enumerate(self.boxed):
            time.setdefault(self.truth_key[t], (row[0], row[1]))
        keys = sorted(time, key=lambda key: time[key])
        for key in self.known - set(time):
            raise AssertionError(f"give every keyframe a row with a box: {key}")
        follower: dict[tuple, tuple] = {}
        for here, there in pairwise(keys):
            if time[here][0] != time[there][0] or time[there][1] - time[here][1] > GAP:
                continue
            for box in boxes[here]:
                ahead = max(boxes[there], key=lambda other: overlap(box, other), default=None)
                if ahead is None or overlap(box, ahead) < LINK:
                    continue
                if max(boxes[here], key=lambda other: overlap(other, ahead)) == box:
                    follower[(here, box)] = (there, ahead)
        chains = set()
        for start in [(key, box) for key in keys for box in boxes[key]]:
            if start in follower.values():
                continue
            chain = [start]
            while chain[-1] in follower:
                chain.append(follower[chain[-1]])
            if len(chain) >= KEYFRAMES:
                chains |= set(chain)
        return chains

    def explain(self) -> None:
        self.above: set[int] = set()
        for c in self.classes:
            number = sum(self.boxed[t][3] == c for t in self.counted_truths)
            ranked = sorted(
                (d for d in self.counted if self.found[d][3] == c), key=lambda d: -self.found[d][4]
            )
            self.above |= set(ranked[:number])
        self.cause = {d: self.cause_of(d) for d in self.counted if d not in self.hit}
        claimed = {self.hit[d] for d in self.above if d in self.hit}
        self.truth_cause = {t: self.truth_cause_of(t) for t in self.counted_truths if t not in claimed}

    def cause_of(self, d: int) -> str:
        same, person = self.best_same(d)[1], self.best_person(d)[1]
        if same >= self.iou:
            return "duplicate"
        if person >= self.iou:
            return "wrong class"
        if same >= FAR:
            return "poor box"
        if person >= FAR:
            return "both"
        return "missing truth" if (self.key[d], self.found[d][2]) in self.chains else "false person"

    def truth_cause_of(self, t: int) -> str:
        return "missed class" if self.person_found(self.truth_key[t], self.boxed[t][2]) else "missed person"

    def person_found(self, key: str, box: tuple) -> bool:
        return any(self.key[d] == key and overlap(self.found[d][2], box) >= self.iou for d in self.counted)

    def confusion(self) -> dict[tuple[int, int | None], float]:
        """{(class said, class of the truth instead or None): entries}"""
        table: dict[tuple[int, int | None], float] = defaultdict(float)
        for d in self.above:
            if self.cause.get(d) != "wrong class":
                continue
            box = self.best_person(d)[0]
            mine = [
                t for t in self.counted_truths if (self.truth_key[t], self.boxed[t][2]) == (self.key[d], box)
            ]
            hit = {self.boxed[t][3] for t in mine if t not in self.truth_cause}
            missed = {self.boxed[t][3] for t in mine} - hit
            for c in missed or {None}:
                table[(self.found[d][3], c)] += 1 / len(missed or {None})
        return table

    # ---- repaired rows: (rows of the truth with a box, detection rows) ----

    def labels(self, key: str, box: tuple) -> list[int]:
        have = {
            self.boxed[t][3]
            for t in self.counted_truths
            if (self.truth_key[t], self.boxed[t][2]) == (key, box)
        }
        return [c for c in self.classes if c in have]

    def repaired(self, cause: str) -> tuple[list[tuple], list[tuple]]:
        hit = set(self.hit.values())
        if cause in ("missed person", "missed class"):
            gone = {t for t in self.counted_truths if t not in hit and self.truth_cause_of(t) == cause}
            kept = [row for t, row in enumerate(self.boxed) if t not in gone]
            return kept, [self.found[d] for d in self.counted]
        rows = {d: self.found[d] for d in self.counted if self.cause.get(d) != cause}
        guilty = [d for d in self.counted if self.cause.get(d) == cause]
        guilty.sort(key=lambda d: -self.found[d][4])
        if cause == "poor box":
            for d in guilty:
                t = self.best_same(d)[0]
                if t not in hit:
                    hit.add(t)
                    rows[d] = (*self.found[d][:2], self.boxed[t][2], *self.found[d][3:])
        if cause == "wrong class":
            said = {(self.truth_key[t], self.boxed[t][2], self.boxed[t][3]) for t in hit}
            for d in guilty:
                box = self.best_person(d)[0]
                free = [c for c in self.labels(self.key[d], box) if (self.key[d], box, c) not in said]
                if free:
                    said.add((self.key[d], box, free[0]))
                    rows[d] = (*self.found[d][:3], free[0], self.found[d][4])
        return list(self.boxed), [rows[d] for d in sorted(rows)]

    def perfect(self, only_missed: bool, classes: Sequence[int]) -> list[tuple]:
        people = {(self.truth_key[t], self.boxed[t][2]): self.boxed[t] for t in range(len(self.boxed))}
        rows = []
        for (key, box), row in people.items():
            if key not in self.out and not (only_missed and self.person_found(key, box)):
                rows += [(row[0], row[1], box, c, 1.0) for c in self.labels(key, box) if c in classes]
        return rows

    def what_if(self, name: str, group: Sequence[int] = ()) -> list[tuple]:
        """Detection rows with something perfect."""
        rows = [self.found[d] for d in self.counted]
        if name == "no missed persons":
            return rows + self.perfect(True, self.classes)
        if name == "perfect class":
            return [row for row in rows if row[3] not in group] + self.perfect(False, group)
        if name == "perfect classification of found boxes":
            kept, best = [], {}
            for d in self.counted:
                if self.best_person(d)[1] < self.iou:
                    kept.append(self.found[d])
                else:
                    box = (self.key[d], self.found[d][2])
                    if box not in best or self.found[d][4] > self.found[best[box]][4]:
                        best[box] = d
            for (key, _), d in sorted(best.items(), key=lambda item: item[1]):
                row = self.found[d]
                kept += [(*row[:3], c, row[4]) for c in self.labels(key, self.best_person(d)[0])]
            return kept
        moved: dict[tuple, int] = {}
        placed: dict[int, tuple] = {}
        for d in self.counted:
            box, value = self.best_person(d)
            place = (self.key[d], box, self.found[d][3])
            if value < FAR:
                if name == "boxes in place":
                    placed[d] = self.found[d]
            elif place not in moved or self.found[d][4] > self.found[moved[place]][4]:
                moved[place] = d
        for (_, box, c), d in moved.items():
            placed[d] = (*self.found[d][:2], box, c, self.found[d][4])
        return [placed[d] for d in sorted(placed)]


def solid(box: Sequence[float]) -> bool:
    return box[0] < box[2] and box[1] < box[3]

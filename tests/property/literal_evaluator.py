"""Frame mAP written out row by row, as the evaluators in use do it: slow, with heaps, dictionaries and loops.

It shares nothing with the project's own code; tests compare the two. Ground truth rows are (video, seconds) or
(video, seconds, box, class); detection rows are (video, seconds, box, class, score). Boxes are (x1, y1, x2, y2).
"""

from __future__ import annotations

import heapq
import math
from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal

import numpy as np

CAPACITY = {"official": 50, "2020": 50, "pyslowfast": 0, "strict": 0}


def image_key(video: str, seconds: float, dialect: str) -> str:
    if dialect in ("2020", "pyslowfast"):
        return f"{video},{int(float(seconds)):04d}"
    return f"{video},{Decimal(str(seconds)):.6f}"


def collect(
    rows: Sequence[tuple], whitelist: set[int], dialect: str, capacity: int
) -> tuple[dict[str, list], set[str]]:
    """Entries (score, class, box) per key, and all keys that occur, also in rows without a listed class."""
    entries, all_keys = defaultdict(list), set()
    for row in rows:
        key = image_key(row[0], row[1], dialect)
        all_keys.add(key)
        if len(row) == 2 or row[3] not in whitelist:
            continue
        item = (row[4] if len(row) == 5 else 1.0, row[3], row[2])
        if capacity < 1 or len(entries[key]) < capacity:
            if capacity < 1 and dialect == "pyslowfast":
                entries[key].append(item)
            else:
                heapq.heappush(entries[key], item)
        elif item[0] > entries[key][0][0]:
            heapq.heapreplace(entries[key], item)
    if dialect != "pyslowfast":
        for key in entries:
            entries[key] = sorted(entries[key], key=lambda item: -item[0])
    return entries, all_keys


def overlap(a: Sequence[float], b: Sequence[float]) -> float:
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    common = height * width
    union = (a[3] - a[1]) * (a[2] - a[0]) + (b[3] - b[1]) * (b[2] - b[0]) - common
    return common / union


def judge(detected: Sequence[Sequence[float]], truths: Sequence[tuple], threshold: float) -> list[bool]:
    """True or false for each detected box of one class in one image, in the order given."""
    flags, taken = [], [False] * len(truths)
    for box in detected:
        best, best_overlap = -1, -1.0
        for place, truth in enumerate(truths):
            value = overlap(box, truth)
            if value > best_overlap:
                best, best_overlap = place, value
        hit = best >= 0 and best_overlap >= threshold and not taken[best]
        if hit:
            taken[best] = True
        flags.append(hit)
    return flags


def area_under_curve(scores: Sequence[float], flags: Sequence[bool], n_truths: int) -> float:
    order = np.argsort(np.array(scores))[::-1]
    hits = misses = 0
    precision, recall = [0.0], [0.0]
    for place in order:
        hits += flags[place]
        misses += not flags[place]
        precision.append(hits / (hits + misses))
        recall.append(hits / n_truths)
    precision.append(0.0)
    recall.append(1.0)
    for place in range(len(precision) - 2, -1, -1):
        precision[place] = max(precision[place], precision[place + 1])
    area = 0.0
    for place in range(1, len(recall)):
        area += (recall[place] - recall[place - 1]) * precision[place]
    return area


def literal_frame_map(
    truth_rows: Sequence[tuple],
    detection_rows: Sequence[tuple],
    class_ids: Sequence[int],
    dialect: str,
    *,
    exclusions: Sequence[tuple] = (),
    threshold: float = 0.5,
) -> tuple[float, dict[int, float]]:
    """(mAP, {class: AP or NaN}) by the dialect's rules."""
    uses_file = dialect in ("2020", "pyslowfast")
    excluded = {image_key(video, seconds, dialect) for video, seconds in exclusions} if uses_file else set()
    truths, included = collect(truth_rows, set(class_ids), dialect, 0)
    detections, _ = collect(detection_rows, set(class_ids), dialect, CAPACITY[dialect])
    n_truths, scores, flags = defaultdict(int), defaultdict(list), defaultdict(list)
    for key, items in truths.items():
        if key not in excluded:
            for item in items:
                n_truths[item[1]] += 1
    for key, items in detections.items():
        if key in excluded or (not uses_file and key not in included):
            continue
        solid = [item for item in items if item[2][0] < item[2][2] and item[2][1] < item[2][3]]
        for class_id in {item[1] for item in solid}:
            mine = [item for item in solid if item[1] == class_id]
            of_class = [item[2] for item in truths.get(key, []) if item[1] == class_id]
            flags[class_id] += judge([item[2] for item in mine], of_class, threshold)
            scores[class_id] += [item[0] for item in mine]
    aps = {
        class_id: area_under_curve(scores[class_id], flags[class_id], n_truths[class_id])
        if n_truths[class_id]
        else math.nan
        for class_id in class_ids
    }
    known = [value for value in aps.values() if not math.isnan(value)]
    return (sum(known) / len(known) if known else math.nan), aps

"""What is in an annotation file: keyframes, negatives, boxes, people, times, classes, and what is odd about it.

Legend: N rows, K keyframes.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stages.lib.annotations.ava_classes import AVA_NAMES
from stages.lib.annotations.ava_csv import ReadCounts
from stages.lib.annotations.labelmap import AVA_EVALUATED, LabelMap
from stages.lib.annotations.video_list import read_annotations
from stages.lib.annotations.write_csv import spell_seconds
from stages.lib.metrics.tables import Truth

CLIP_SECONDS = 10.0
Ints = NDArray[np.int64]


def describe(path: Path, labels: LabelMap) -> Iterator[str]:
    """The lines of the description of a ground-truth csv or a list of videos.

    Raises:
        StageError: a line that breaks the format, or an action id that the class list lacks, by file and line.
    """
    truth, counts = read_annotations(path, labels, outside="keep")
    yield from _table(_keyframes(truth, counts) + _people(truth) + _times(truth))
    yield from _odd(truth, counts)
    yield from _classes(truth, labels)


def _keyframes(truth: Truth, counts: ReadCounts) -> list[tuple[str, str]]:
    keys = _keyframe_of_rows(truth)
    boxed = len(np.unique(keys))
    per_video = np.bincount(truth.key_video, minlength=len(truth.videos))
    close = (np.diff(truth.key_video) == 0) & (np.diff(truth.key_us) < CLIP_SECONDS * 1e6)
    return [
        ("videos", f"{len(truth.videos):,}"),
        (
            "keyframes",
            f"{len(truth.key_us):,}: {boxed:,} with boxes, {len(truth.key_us) - boxed:,} negatives",
        ),
        ("videos with several keyframes", f"{(per_video > 1).sum():,} (at most {per_video.max()})"),
        (
            "neighbours in time",
            f"{close.sum():,} pairs of one video less than {CLIP_SECONDS:.0f} s apart",
        ),
        (
            "rows",
            f"{counts.rows + counts.negatives:,}: {counts.rows:,} with a box, {counts.negatives:,} of two columns",
        ),
    ]


def _people(truth: Truth) -> list[tuple[str, str]]:
    box_key = _distinct_boxes(truth)
    per_key = np.bincount(box_key, minlength=len(truth.key_us))
    labels_per_box = len(truth.video) / max(len(box_key), 1)
    numbered = truth.person_id >= 0
    persons = np.unique(np.stack([truth.video[numbered], truth.person_id[numbered]]), axis=1).shape[1]
    known = f"{persons:,} in {numbered.sum():,} rows" if persons else "none (no column of person ids)"
    boxed, most = int((per_key > 0).sum()), int(per_key.max(initial=0))
    return [
        ("boxes", f"{len(box_key):,}, {labels_per_box:.2f} labels each"),
        (
            "boxes a keyframe",
            f"{len(box_key) / max(boxed, 1):.2f} where there are any, at most {most}; one: {(per_key == 1).sum():,}",
        ),
        ("persons with a number", known),
    ]


def _times(truth: Truth) -> list[tuple[str, str]]:
    first, last = (spell_seconds(float(truth.key_seconds[place])) for place in _ends(truth.key_us))
    whole = int((truth.key_us % 1_000_000 == 0).sum())
    return [
        ("seconds", f"{first} to {last}"),
        ("keyframes at whole seconds", f"{whole:,}; between them: {len(truth.key_us) - whole:,}"),
    ]


def _ends(values: Ints) -> tuple[int, int]:
    return int(np.argmin(values)), int(np.argmax(values))


def _odd(truth: Truth, counts: ReadCounts) -> Iterator[str]:
    """What is harmless and yet worth knowing, each with its place."""
    negatives = len(truth.key_us) - len(np.unique(_keyframe_of_rows(truth)))
    found = [
        (counts.negatives - negatives, "two-column rows of keyframes that stand there already", ""),
        (counts.duplicates, "rows that repeat an earlier one", counts.first_duplicate),
        (counts.outside, "boxes that leave the frame", ""),
        (counts.far, "of them by more than 1 % (refused in training)", counts.first_far),
        (counts.inverted, "boxes without area (refused in training)", counts.first_inverted),
        (counts.blank_lines, "blank lines", ""),
    ]
    told = [f"  {n:,} {what}" + (f" (first: {place})" if place else "") for n, what, place in found if n > 0]
    yield "odd: nothing" if not told else "odd:"
    yield from told


def _classes(truth: Truth, labels: LabelMap) -> Iterator[str]:
    """A line per class with rows, and the classes without."""
    keys = _keyframe_of_rows(truth)
    found = sorted(set(truth.class_id.tolist()))
    names = dict(zip(labels.ids, labels.names, strict=True))
    yield f"classes: {len(set(found) & set(labels.ids))} of {len(labels.ids)} in the list have rows"
    if labels.names == AVA_NAMES:
        rest = ~np.isin(truth.class_id, AVA_EVALUATED)
        n_rest = len(np.unique(truth.class_id[rest]))
        yield f"  {rest.sum():,} rows of {n_rest} classes that AVA's 60 evaluated ones do not hold"
    if found:
        yield f"  {'id':>4} {'rows':>10} {'keyframes':>10} {'videos':>9}  name"
    for number in found:
        rows = truth.class_id == number
        keyframes, videos = len(np.unique(keys[rows])), len(np.unique(truth.video[rows]))
        name = names.get(number, "(not in the class list, not evaluated)")
        yield f"  {number:>4} {rows.sum():>10,} {keyframes:>10,} {videos:>9,}  {name}"
    without = [f"{number} {name}" for number, name in names.items() if number not in found]
    if without:
        yield f"  without rows: {', '.join(without)}"


def _keyframe_of_rows(truth: Truth) -> Ints:
    """The keyframe (0..K-1) of each row (N,); keyframes are sorted by video and time."""
    video = np.concatenate([truth.key_video, truth.video])
    us = np.concatenate([truth.key_us, truth.timestamp_us])
    order = np.lexsort((us, video))
    fresh = np.ones(len(order), dtype=bool)
    fresh[1:] = (np.diff(video[order]) != 0) | (np.diff(us[order]) != 0)
    place = np.empty(len(order), np.int64)
    place[order] = np.cumsum(fresh) - 1
    return place[len(truth.key_us) :]


def _distinct_boxes(truth: Truth) -> Ints:
    """The keyframe of each distinct box: rows with equal coordinates at one keyframe are one box."""
    keys = _keyframe_of_rows(truth)
    order = np.lexsort((*truth.boxes.T, keys))
    fresh = np.ones(len(order), dtype=bool)
    fresh[1:] = (np.diff(keys[order]) != 0) | (np.diff(truth.boxes[order], axis=0) != 0).any(axis=1)
    return keys[order][fresh]


def _table(rows: list[tuple[str, str]]) -> Iterator[str]:
    yield from (f"{name + ':':<32}{value}" for name, value in rows)

"""Generated csv files for the evaluation bench: a ground truth of any size, and detections of 60 classes a box on it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stages.lib.annotations.labelmap import AVA_EVALUATED
from stages.lib.annotations.write_csv import spell_seconds
from stages.lib.metrics.tables import Truth

Floats = NDArray[np.float64]

# K keyframes, A classes
MISSED = 0.2  # share of true boxes that are not found


def write_label_map(path: Path) -> Path:
    """The 60 evaluated classes of AVA, named by number."""
    path.write_text("".join(f'item {{\n  name: "class {i}"\n  id: {i}\n}}\n' for i in AVA_EVALUATED))
    return path


def write_truth(path: Path, n_videos: int, n_seconds: int, seed: int = 0) -> Path:
    """A ground truth in AVA's form: keyframes at each second from 902 on, 0 to 5 people with 1 to 4 actions each."""
    rng = np.random.default_rng(seed)
    often = 1.0 / np.arange(1, len(AVA_EVALUATED) + 1)
    with path.open("w") as handle:
        for video in range(n_videos):
            for second in range(902, 902 + n_seconds):
                people = int(rng.integers(0, 6))
                if not people:
                    handle.write(f"video{video:06d},{second:04d}\n")
                for person, box in enumerate(_boxes(rng, people)):
                    row = f"video{video:06d},{second:04d},{_spell(box)}"
                    for action in rng.choice(
                        AVA_EVALUATED, rng.integers(1, 5), replace=False, p=often / often.sum()
                    ):
                        handle.write(f"{row},{action},{person}\n")
    return path


def write_detections(path: Path, truth: Truth, n_rows: int, seed: int = 0) -> Path:
    """`n_rows` detections in order of keyframes: true boxes moved a little, then false ones, 60 scores for each box."""
    rng = np.random.default_rng(seed)
    n_keyframes = len(truth.key_ms)
    n_boxes = rng.multinomial(n_rows // len(AVA_EVALUATED), np.full(n_keyframes, 1 / n_keyframes))
    with path.open("w") as handle:
        for key, (name, seconds, boxes, labels) in enumerate(_keyframes(truth)):
            row = f"{name},{spell_seconds(seconds)}"
            found = rng.permutation(np.flatnonzero(rng.random(len(boxes)) >= MISSED))[: n_boxes[key]]
            true = np.clip(boxes[found] + rng.normal(0, 0.02, (len(found), 4)), 0, 1)
            everything = [*true, *_boxes(rng, n_boxes[key] - len(found))]
            scores_A = rng.random((len(everything), len(AVA_EVALUATED))) ** 6
            scores_A[: len(found)] += 0.5 * labels[found] * (1 - scores_A[: len(found)])
            scores_A = np.minimum(scores_A, 0.999999)
            for box, scores in zip(everything, scores_A.tolist(), strict=True):
                head = f"{row},{_spell(box)},"
                handle.write(
                    "".join([f"{head}{i},{s:.6f}\n" for i, s in zip(AVA_EVALUATED, scores, strict=True)])
                )
    return path


def _keyframes(truth: Truth) -> Iterator[tuple[str, float, Floats, Floats]]:
    """Name, seconds, distinct boxes and their labels (boxes, A) of each keyframe."""
    rows: dict[tuple[int, int], list[int]] = {}
    for row, key in enumerate(zip(truth.video.tolist(), truth.timestamp_ms.tolist(), strict=True)):
        rows.setdefault(key, []).append(row)
    for video, ms, seconds in zip(
        truth.key_video.tolist(), truth.key_ms.tolist(), truth.key_seconds, strict=True
    ):
        mine = rows.get((video, ms), [])
        boxes, place = np.unique(truth.boxes[mine], axis=0, return_inverse=True)
        labels = np.zeros((len(boxes), len(AVA_EVALUATED)))
        for row, box in zip(mine, place.tolist(), strict=True):
            labels[box] += truth.class_id[row] == np.array(AVA_EVALUATED)
        yield truth.videos[video], float(seconds), boxes, labels


def _boxes(rng: np.random.Generator, count: int) -> Floats:
    corner = rng.random((max(count, 0), 2)) * 0.6
    return np.concatenate([corner, corner + 0.05 + rng.random((max(count, 0), 2)) * 0.3], axis=1)


def _spell(box: Floats) -> str:
    return ",".join([f"{side:.6f}" for side in box.tolist()])

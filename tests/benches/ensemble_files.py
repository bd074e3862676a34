"""Generated artifacts for the ensemble bench: index and predictions of many members at the size of AVA-Kinetics val.

Shapes: K keyframes, N boxes, T truths, A classes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stages.lib.annotations.labelmap import AVA_EVALUATED
from stages.lib.artifacts.predictions import DETECTED, BoxSet, Predictions
from stages.lib.artifacts.provenance import Provenance
from stages.lib.artifacts.schemas import INDEX, PREDICT
from stages.lib.artifacts.tables import (
    ROLE_EVAL,
    ROLE_TRAIN,
    Boxes,
    Classes,
    Index,
    Keyframes,
    splits_of,
)
from stages.lib.artifacts.writer import write_artifact
from stages.lib.config.versions import VERSIONS

CLASSES = Classes(tuple(AVA_EVALUATED), tuple(f"class {number}" for number in AVA_EVALUATED))
VIEWS = ("s256", "s256-flip", "s288", "s288-flip", "s320", "s320-flip")
PEOPLE, BOXES = 2.2, 2.78  # per keyframe, so that 90,000 keyframes have 250,000 boxes
FOUND = 0.85  # share of the people that have a box
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Part:
    """A data set: its videos, keyframes per video, and shards of whole videos."""

    name: str
    videos: int
    keyframes: int
    shards: int


# 57,408 keyframes of movies and 32,592 clips of one keyframe each: 90,000
FULL = (Part("movies", 64, 897, 8), Part("clips", 32_592, 1, 32))
TENTH = (Part("movies", 6, 897, 1), Part("clips", 3_618, 1, 3))
QUICK = (Part("movies", 4, 20, 1), Part("clips", 40, 1, 2))


@dataclass(frozen=True)
class Shard:
    """One shard's truth and the boxes that every member scores; `answers` (N, A) are the truth's labels of each box."""

    index: Index
    boxes: Boxes
    answers: Floats


def write_world(folder: Path, parts: tuple[Part, ...], members: int) -> tuple[dict[str, int], int]:
    """Writes `folder/{index or member number}/DATASET/SHARD.h5`; boxes of each data set, and bytes of all predictions."""
    boxes: dict[str, int] = {}
    size = 0
    for part in parts:
        for number, shard in enumerate(_shards(part)):
            name = f"{number:03d}-of-{part.shards:03d}.h5"
            boxes[part.name] = boxes.get(part.name, 0) + len(shard.boxes)
            origin = Provenance("index", VERSIONS["index"], "{}", {"manifest": "0" * 64})
            with write_artifact(folder / "index" / part.name / name, INDEX, origin) as writer:
                shard.index.write(writer)
            for member in range(members):
                path = folder / str(member) / part.name / name
                _write_member(path, shard, member, 1000 * number + member)
                size += path.stat().st_size
    return boxes, size


def _shards(part: Part) -> Iterator[Shard]:
    rng = np.random.default_rng(len(part.name))
    for videos in np.array_split(np.arange(part.videos), part.shards):
        yield _draw(rng, [f"{part.name}{video:06d}" for video in videos], part.keyframes)


def _draw(rng: np.random.Generator, names: list[str], keyframes: int) -> Shard:
    video = np.repeat(np.arange(len(names), dtype=np.int32), keyframes)
    times = np.tile(902_000 + 1000 * np.arange(keyframes, dtype=np.int64), len(names))
    n_people = rng.poisson(PEOPLE, len(video))
    truth_T4, labels_TA = _boxes(rng, int(n_people.sum())), _labels(rng, int(n_people.sum()))
    found = rng.random(len(truth_T4)) < FOUND
    key_T = np.repeat(np.arange(len(video)), n_people)
    key_false = np.repeat(np.arange(len(video)), rng.poisson(BOXES - FOUND * PEOPLE, len(video)))
    key = np.concatenate([key_T[found], key_false])
    shaken = truth_T4[found] + rng.normal(0, 0.015, (int(found.sum()), 4)).astype(np.float32)
    order = np.argsort(key, kind="stable")
    boxes = np.clip(np.concatenate([shaken, _boxes(rng, len(key_false))]), 0, 1)[order]
    answers = np.concatenate([labels_TA[found], np.zeros((len(key_false), len(CLASSES.ids)), np.uint8)])
    scores = np.concatenate([rng.uniform(0.8, 1, int(found.sum())), rng.uniform(0.5, 0.9, len(key_false))])
    index = Index(
        Keyframes(tuple(names), video, times),
        ("val",) * len(names),
        np.zeros(len(names)),
        tuple(f"{name}.mp4" for name in names),
        np.full(len(video), ROLE_TRAIN | ROLE_EVAL, np.uint8),
        splits_of(n_people),
        truth_T4,
        labels_TA,
        np.arange(len(truth_T4), dtype=np.int32),
        CLASSES,
    )
    counts = np.bincount(key, minlength=len(video))
    return Shard(
        index,
        Boxes(splits_of(counts), boxes, scores[order].astype(np.float32)),
        answers[order].astype(np.float32),
    )


def _boxes(rng: np.random.Generator, count: int) -> Floats:
    corner = rng.random((count, 2), np.float32) * 0.6
    return np.concatenate([corner, corner + 0.08 + rng.random((count, 2), np.float32) * 0.3], axis=1)


def _labels(rng: np.random.Generator, count: int) -> NDArray[np.uint8]:
    """A pose for each person, and every other class as often as its place in the list says."""
    often = 0.3 / np.arange(1, len(CLASSES.ids) + 1)
    labels = (rng.random((count, len(often))) < often).astype(np.uint8)
    (poses,) = map(np.array, CLASSES.groups())
    labels[:, poses] = 0
    chance = often[poses] / often[poses].sum()
    labels[np.arange(count), rng.choice(poses, count, p=chance)] = 1
    return labels


def _write_member(path: Path, shard: Shard, member: int, seed: int) -> None:
    """Logits in float16 that tell true classes from others, the better the later the member."""
    rng = np.random.default_rng(seed)
    shape = shard.answers.shape
    skill = 1.5 + 0.05 * member
    often = np.log(0.3 / np.arange(1, shape[1] + 1)).astype(np.float32)
    base = often + skill * shard.answers + rng.standard_normal(shape, np.float32)
    values = {
        view: (base + 0.3 * rng.standard_normal(shape, np.float32)).astype(np.float16) for view in VIEWS
    }
    origin = Provenance("predict", VERSIONS["predict"], "{}", {"weights": f"{member:064d}"})
    with write_artifact(path, PREDICT, origin) as writer:
        Predictions(shard.index.keyframes, CLASSES, {DETECTED: BoxSet(shard.boxes, values)}).write(writer)

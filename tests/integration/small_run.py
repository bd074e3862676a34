"""A small run made of drawn artifacts: two data sets with truth, detections, predictions and keyframe pictures."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from stages.lib.artifacts.predictions import BoxSet, Predictions
from stages.lib.artifacts.provenance import Provenance
from stages.lib.artifacts.schemas import DECODE, DETECT, INDEX, PREDICT
from stages.lib.artifacts.tables import (
    ROLE_EVAL,
    ROLE_EXCLUDED,
    ROLE_TRAIN,
    Boxes,
    Classes,
    Index,
    Keyframes,
    splits_of,
)
from stages.lib.artifacts.writer import write_artifact

NAMES = ("stand", "sit", "walk", "watch TV", "music", "ride", "talk to", "listen to", "answer phone")
IDS = (12, 11, 14, 61, 29, 47, 79, 74, 15)
KINDS = ("a", "a", "a", "b", "b", "c", "c", "d", "d")
_ORDER = np.argsort(IDS)
CLASSES = Classes(tuple(IDS[i] for i in _ORDER), tuple(NAMES[i] for i in _ORDER))
VIEWS = ("s128", "s128-flip", "s144")


def kinds_csv(path: Path) -> Path:
    """The kinds of the classes, as the drawn world writes them."""
    rows = [f"{IDS[i]},{NAMES[i]},{KINDS[i]}" for i in _ORDER]
    path.write_text("id,name,kind\n" + "\n".join(rows) + "\n")
    return path


@dataclass(frozen=True)
class World:
    """A shard of a data set with its truth."""

    index: Index
    seed: int

    @property
    def path_name(self) -> str:
        """A name for files."""
        return f"{self.seed:03d}.h5"


def draw_world(seed: int, videos: Sequence[tuple[str, str]], keyframes: int = 12) -> World:
    """Videos as (id, split), each with keyframes at fractional seconds, up to three people, random labels.

    An id that comes again is a clip of the same video 100 seconds later.
    """
    rng = np.random.default_rng(seed)
    videos = sorted(videos)
    video = np.repeat(np.arange(len(videos), dtype=np.int32), keyframes)
    start = np.array([100.0 * videos[:place].count(one) for place, one in enumerate(videos)])
    times = np.tile(1000 * np.arange(1, keyframes + 1, dtype=np.int64) + 17, len(videos))
    times += (1000 * start[video]).astype(np.int64)
    counts = rng.integers(0, 4, len(video))
    n = int(counts.sum())
    corner = rng.uniform(0.02, 0.6, (n, 2)).astype(np.float32)
    size = rng.uniform(0.15, 0.38, (n, 2)).astype(np.float32)
    labels = (rng.random((n, len(CLASSES.ids))) < 0.25).astype(np.uint8)
    roles = np.full(len(video), ROLE_TRAIN | ROLE_EVAL, np.uint8)
    roles[3::11] |= ROLE_EXCLUDED
    index = Index(
        Keyframes(tuple(name for name, _ in videos), video, times),
        tuple(split for _, split in videos),
        start,
        tuple(f"{name}.mp4" for name, _ in videos),
        roles,
        splits_of(counts),
        np.concatenate([corner, corner + size], axis=1),
        labels,
        np.arange(n, dtype=np.int32),
        CLASSES,
    )
    return World(index, seed)


def write_index(folder: Path, world: World) -> Path:
    """The index artifact of a world."""
    path = folder / "index" / world.path_name
    with write_artifact(path, INDEX, Provenance("index", 1, "{}", {"manifest": "0" * 64})) as writer:
        world.index.write(writer)
    return path


def detected_boxes(world: World) -> Boxes:
    """The truth, shaken, with misses and false boxes."""
    rng = np.random.default_rng(world.seed + 7)
    truth = world.index.truth()
    parts = []
    for k in range(len(world.index.keyframes)):
        boxes = truth.boxes[truth.of(k)]
        kept = boxes[rng.random(len(boxes)) < 0.9]
        shaken = kept + rng.normal(0, 0.01, kept.shape)
        false = np.array([[0.05, 0.05, 0.2, 0.3]]) if rng.random() < 0.15 else np.zeros((0, 4))
        scores = np.concatenate([rng.uniform(0.85, 1, len(kept)), rng.uniform(0.5, 0.9, len(false))])
        parts.append((np.clip(np.concatenate([shaken, false]), 0, 1), scores))
    return Boxes.stack(parts)


def write_detect(folder: Path, world: World) -> Path:
    """The detections of a world."""
    path = folder / "detect" / world.path_name
    with write_artifact(path, DETECT, Provenance("detect", 1, "{}", {"weights": "1" * 64})) as writer:
        world.index.keyframes.write(writer)
        detected_boxes(world).write(writer)
    return path


def write_predict(folder: Path, world: World, skill: float, seed: int = 0, least: float = 0.0) -> Path:
    """Logits that tell truth from other classes by `skill` standard deviations, in all views; scores from `least` on."""
    rng = np.random.default_rng(1000 * world.seed + seed)
    truth, boxsets = world.index.truth(), {}
    found = detected_boxes(world)
    for name, boxes in (("detected", found.keep(found.scores >= least)), ("truth", truth)):
        answers = np.zeros((len(boxes), len(CLASSES.ids)))
        for k in range(len(world.index.keyframes)):
            for row in range(*boxes.of(k).indices(len(boxes))):
                gap = np.abs(truth.boxes[truth.of(k)] - boxes.boxes[row]).sum(axis=1)
                if len(gap) and gap.min() < 0.2:
                    answers[row] = world.index.truth_labels[truth.of(k)][int(gap.argmin())]
        base = skill * (2 * answers - 1) + rng.normal(0, 1, answers.shape)
        values = {view: (base + rng.normal(0, 0.5, base.shape)).astype(np.float32) for view in VIEWS}
        boxsets[name] = BoxSet(boxes, values)
    path = folder / f"predict-{skill}-{seed}" / world.path_name
    with write_artifact(path, PREDICT, Provenance("predict", 1, "{}", {"weights": "2" * 64})) as writer:
        Predictions(world.index.keyframes, CLASSES, boxsets).write(writer)
    return path


def write_decode(folder: Path, world: World, broken: Sequence[str] = ()) -> Path:
    """Keyframe pictures of a world: grey people before a gradient; no clip frames."""
    keyframes = world.index.keyframes
    pictures = [_picture(world, k) for k in range(len(keyframes))]
    bad = [name in broken for name in keyframes.video_ids]
    data = [b"" if bad[keyframes.video[k]] else picture for k, picture in enumerate(pictures)]
    videos = len(keyframes.video_ids)
    path = folder / "decode" / world.path_name
    with write_artifact(path, DECODE, Provenance("decode", 1, "{}", {"index": "3" * 64})) as writer:
        keyframes.write(writer)
        writer.put("videos/status", np.array(["broken" if b else "ok" for b in bad], object))
        writer.put("videos/reason", np.array(["moov atom <lost>" if b else "" for b in bad], object))
        writer.put("videos/size", np.tile(np.array([256, 144], np.int32), (videos, 1)))
        writer.put("videos/rate", np.full(videos, 25.0))
        writer.put("videos/duration", np.full(videos, 13.0))
        writer.put("videos/frames", np.full(videos, 325, np.int64))
        writer.put("clip/row_splits", np.zeros(videos + 1, np.int64))
        writer.put("clip/frame", np.zeros(0, np.int64))
        writer.put("clip/offsets", np.zeros(1, np.int64))
        writer.put("clip/data", np.zeros(0, np.uint8))
        writer.put("clip/size", np.tile(np.array([256, 144], np.int32), (videos, 1)))
        writer.put("key/offsets", splits_of(np.array([len(item) for item in data])))
        writer.put("key/data", np.frombuffer(b"".join(data), np.uint8))
        writer.put("key/size", np.tile(np.array([256, 144], np.int32), (videos, 1)))
    return path


def _picture(world: World, keyframe: int) -> bytes:
    ramp = np.linspace(60, 200, 256, dtype=np.float32)
    image = np.repeat(np.stack([ramp, ramp[::-1], np.full(256, 110)], axis=1)[None], 144, axis=0)
    truth = world.index.truth()
    for box in truth.boxes[truth.of(keyframe)]:
        x1, y1, x2, y2 = (box * [256, 144, 256, 144]).astype(int)
        image[y1:y2, x1:x2] = (90, 90, 100)
    stream = io.BytesIO()
    Image.fromarray(image.astype(np.uint8)).save(stream, "JPEG", quality=90)
    return stream.getvalue()

"""A tiny drawn world as artifacts: people are coloured rectangles, their colour is their action."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from stages.lib.artifacts.provenance import Provenance
from stages.lib.artifacts.schemas import DECODE, DETECT, INDEX
from stages.lib.artifacts.tables import (
    ROLE_BANK,
    ROLE_EVAL,
    ROLE_TRAIN,
    Boxes,
    Classes,
    Index,
    Keyframes,
    splits_of,
)
from stages.lib.artifacts.writer import write_artifact
from stages.lib.config.backbones import BackboneConfig, SamplingConfig
from stages.lib.config.heads import BankConfig, HeadConfig, MemoryConfig, RecipeConfig
from stages.lib.config.load import canonical_json
from stages.lib.config.payloads import BankPayload, ExtractPayload, Payload, PredictPayload, TrainPayload
from stages.lib.config.versions import VERSIONS
from stages.lib.files import write_text
from stages.lib.models.builders import build_backbone
from stages.lib.models.slowfast import initialise_backbone
from stages.lib.models.weights import save_weights
from stages.lib.video.jpeg import encode_jpeg

RATE, SAMPLING = 10.0, SamplingConfig(fast_frames=4, stride=1)
CLASSES = Classes((12, 14, 61), ("stand", "walk", "watch"))
COLOURS = ((220, 40, 40), (40, 200, 40), (40, 60, 230))
BACKBONE = BackboneConfig(architecture="playground", sampling=SAMPLING, weights="given")
VIEWS = ("s64", "s64-flip", "s80")
RECIPE = RecipeConfig(
    optimiser="adamw",
    lr=3e-3,
    warmup_lr=1e-3,
    warmup_epochs=0.5,
    milestones=(2.5,),
    epochs=3.0,
    batch=4,
    clip_norm=5.0,
    box_score=0.8,
    box_iou=0.8,
)
SMALL = {"backbone": "b", "reduce": 12, "hidden": 8, "recipe": RECIPE}


@dataclass(frozen=True)
class Video:
    """A drawn video: frame size, number of one-second keyframes, split, and whether it decoded."""

    name: str
    split: str = "train"
    seconds: int = 4
    size: tuple[int, int] = (64, 96)
    broken: bool = False


@dataclass(frozen=True)
class Shard:
    """Paths of the artifacts of one shard."""

    index: Path
    decode: Path
    detections: Path


@dataclass(frozen=True)
class World:
    """A folder with shards, and what commands wrote into it."""

    folder: Path
    shards: tuple[Shard, ...] = ()
    files: dict[str, Path] = field(default_factory=dict)

    def config(self, name: str, payload: Payload) -> list[str]:
        """Write a stage's configuration; returns the flag."""
        path = self.folder / f"{name}.json"
        write_text(path, canonical_json(payload.model_dump(mode="json")) + "\n")
        return ["--config", str(path), "--device", "cpu"]


def index_of(videos: Sequence[Video], seed: int = 0, classes: Classes = CLASSES) -> Index:
    """Keyframes at whole seconds from 1 on, one or two people each; every other video's second 2 has nobody.

    A person has one of three classes; of further classes the one that stands three places later, where there is one.
    """
    rng = np.random.default_rng(seed)
    videos = sorted(videos, key=lambda video: video.name)
    video = np.repeat(np.arange(len(videos), dtype=np.int32), [v.seconds for v in videos])
    times = np.concatenate([[0], *(1000 * np.arange(1, v.seconds + 1) for v in videos)])[1:].astype(np.int64)
    counts = np.where((times == 2000) & (video % 2 == 1), 0, 1 + rng.integers(0, 2, len(times)))
    n = int(counts.sum())
    corner = np.stack([rng.uniform(0.05, 0.6, n), rng.uniform(0.1, 0.3, n)], axis=1)
    boxes = np.concatenate([corner, corner + np.array([0.25, 0.5])], axis=1).astype(np.float32)
    first = rng.integers(0, 3, n)
    labels = np.zeros((n, len(classes.ids)), np.uint8)
    labels[np.arange(n), first] = 1
    further = first + 3 < len(classes.ids)
    labels[further, first[further] + 3] = 1
    roles = np.array(
        [ROLE_TRAIN | ROLE_BANK | (0 if v.split == "train" else ROLE_EVAL) for v in videos], np.uint8
    )
    return Index(
        Keyframes(tuple(v.name for v in videos), video, times),
        tuple(v.split for v in videos),
        np.zeros(len(videos)),
        tuple(f"{v.name}.mp4" for v in videos),
        roles[video],
        splits_of(counts),
        boxes,
        labels,
        np.arange(n, dtype=np.int32),
        classes,
    )


def draw(
    boxes_N4: NDArray[Any], labels_NA: NDArray[Any], size: tuple[int, int], seed: int
) -> NDArray[np.uint8]:
    """One picture (H,W,3): noise, and a rectangle in the colour of its action for every person."""
    height, width = size
    picture = np.random.default_rng(seed).integers(90, 130, (height, width, 3)).astype(np.uint8)
    for box, label in zip(boxes_N4, labels_NA, strict=True):
        x1, y1, x2, y2 = np.round(box * (width, height, width, height)).astype(int)
        picture[y1:y2, x1:x2] = COLOURS[int(label.argmax())]
    return picture


def write_shard(
    folder: Path, name: str, videos: Sequence[Video], seed: int = 0, classes: Classes = CLASSES
) -> Shard:
    """Write index, frames and detections; detections are the truth (score 0.95) and one stray box (0.5) per keyframe."""
    shard = Shard(*(folder / kind / f"{name}.h5" for kind in ("index", "decode", "detect")))
    videos = sorted(videos, key=lambda video: video.name)
    index = index_of(videos, seed, classes)
    with write_artifact(shard.index, INDEX, Provenance("index", 1, "{}")) as writer:
        index.write(writer)
    _write_frames(shard.decode, index, videos, seed)
    found = []
    for row in range(len(index.keyframes)):
        truth = index.truth_boxes[index.truth_splits[row] : index.truth_splits[row + 1]]
        stray = np.array([[0.4, 0.05, 0.9, 0.3]], np.float32)
        found.append((np.concatenate([truth, stray]), [0.95] * len(truth) + [0.5]))
    with write_artifact(
        shard.detections, DETECT, Provenance("detect", 1, "{}", {"weights": "d" * 64})
    ) as writer:
        index.keyframes.write(writer)
        Boxes.stack(found).write(writer)
    return shard


def _write_frames(path: Path, index: Index, videos: Sequence[Video], seed: int) -> None:
    """Every keyframe's clip shows the keyframe's picture; a broken video has no frames."""
    clips: list[bytes] = []
    frames: list[int] = []
    per_video: list[int] = []
    keys: list[bytes] = []
    for place, video in enumerate(videos):
        rows = np.flatnonzero(index.keyframes.video == place)
        stored = {}
        for row in rows.tolist():
            truth = slice(int(index.truth_splits[row]), int(index.truth_splits[row + 1]))
            picture = draw(index.truth_boxes[truth], index.truth_labels[truth], video.size, 1000 * seed + row)
            jpeg = b"" if video.broken else encode_jpeg(picture, 95)
            keys.append(jpeg)
            centre = round(int(index.keyframes.timestamp_ms[row]) / 1000 * RATE)
            stored |= dict.fromkeys(range(centre - 2, centre + 2), jpeg)
        stored = {} if video.broken else stored
        per_video.append(len(stored))
        frames += sorted(stored)
        clips += [stored[number] for number in sorted(stored)]
    sizes = np.array([video.size[::-1] for video in videos], np.int32).reshape(-1, 2)
    ok = np.array(["broken" if video.broken else "ok" for video in videos], dtype=object)
    with write_artifact(path, DECODE, Provenance("decode", 1, "{}")) as writer:
        index.keyframes.write(writer)
        writer.put("videos/status", ok)
        writer.put("videos/reason", np.array(["cut off" if v.broken else "" for v in videos], dtype=object))
        writer.put("videos/size", sizes)
        writer.put("videos/rate", np.full(len(videos), RATE))
        writer.put("videos/duration", np.array([v.seconds + 1.0 for v in videos]))
        writer.put("videos/frames", np.array([int(RATE * (v.seconds + 1)) for v in videos]))
        writer.put("clip/row_splits", splits_of(np.array(per_video, np.int64)))
        writer.put("clip/frame", np.array(frames, np.int64))
        writer.put("clip/size", sizes)
        writer.put("key/size", sizes)
        for group, blobs in (("clip", clips), ("key", keys)):
            writer.put(f"{group}/offsets", splits_of(np.array([len(blob) for blob in blobs], np.int64)))
            writer.put(f"{group}/data", np.frombuffer(b"".join(blobs), np.uint8))


def backbone_file(path: Path, seed: int = 0) -> Path:
    """Weights of a freshly drawn playground backbone."""
    torch.manual_seed(seed)
    network = build_backbone("playground")
    initialise_backbone(network)
    facts = {
        "family": "backbone",
        "architecture": "playground",
        "sampling": SAMPLING.model_dump(mode="json"),
        "mean": list(BACKBONE.mean),
        "std": list(BACKBONE.std),
    }
    save_weights(path, network.state_dict(), facts)
    return path


def head_config(kind: str, **changes: Any) -> HeadConfig:
    """A small head; kinds with a bank get a memory of two seconds and two slots."""
    memory = MemoryConfig(bank="m", window=2.0, slots=2) if kind.endswith("fb") else None
    return HeadConfig(kind=kind, **{**SMALL, "memory": memory, **changes})


def extract_payload(**changes: Any) -> ExtractPayload:
    """All views, batches of three."""
    base: Mapping[str, Any] = {
        "version": VERSIONS["extract"],
        "threads": 1,
        "rate": RATE,
        "backbone": BACKBONE,
        "views": VIEWS,
        "batch": 3,
        "engine": "torch",
        "precision": "fp32",
    }
    return ExtractPayload(**{**base, **changes})


def bank_payload(kind: str, min_score: float = 0.9, **changes: Any) -> BankPayload:
    """A bank of detections from `min_score` on."""
    head = "h" if kind == "acfb" else None
    return BankPayload(
        version=VERSIONS["bank"],
        threads=1,
        bank=BankConfig(kind=kind, backbone="b", head=head, min_score=min_score, **changes),
    )


def train_payload(head: HeadConfig) -> TrainPayload:
    """One head."""
    return TrainPayload(version=VERSIONS["train"], threads=1, head=head)


def predict_payload(head: HeadConfig, views: Sequence[str] = VIEWS) -> PredictPayload:
    """The head's memory, boxes from 0.4 on."""
    return PredictPayload(
        version=VERSIONS["predict"],
        threads=1,
        kind=head.kind,
        min_score=0.4,
        min_scores={},
        memory=head.memory,
        views=tuple(views),
    )

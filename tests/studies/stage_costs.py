"""What each job of a run for AVA and AVA-Kinetics costs: seconds, and bytes that stay or pass.

Derived as docs/ava-kinetics.md derives it, per shard in place of per run; nothing here has been measured on a GPU. A
data set counts by its format: an AVA movie has 897 keyframes and 900 seconds, a Kinetics clip one and ten.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from stages.lib.config.backbones import BackboneConfig
from stages.lib.config.origins import mapped_keyframes
from stages.lib.config.root import Config
from tests.studies.job_graph import Graph, Job

GPU: Final = 3e12
"""Multiply-adds a second (docs/ava-kinetics.md: 40 % of a V100, an assumption)."""
CLIP: Final = {("r101", 32): 249e9, ("r152", 32): 339e9, ("r101", 64): 499e9, ("r152", 64): 678e9}
"""Multiply-adds of a clip in the canonical view, by depth and fast frames (the same page: mean of both shapes)."""
OTHER_VIEWS: Final = 6.66
"""The five views beside the canonical one, in canonical ones: by their pixels."""
DETECTION: Final = 0.2e12
"""Multiply-adds of Faster R-CNN R50-FPN on 1280x800 (mmdetection's count)."""
HEAD: Final = 5e9
"""Multiply-adds of a relation head on a clip with three actors (docs/ava-kinetics.md)."""
FRAMES_PER_SECOND: Final = 185.0
"""720p decoded, scaled and written by one core: half of the 370 measured on two."""
FINETUNE: Final = 780 * 3600.0
"""GPU-seconds of six epochs of R101 8x8, scaled from what was reported of ACAR-Net (the same page)."""
TRAIN: Final = 3 * 3600.0
"""GPU-seconds of a head on cached maps."""
START: Final = 15.0
"""Seconds before a job on a cluster works: the Snakefile is parsed again, torch imported, weights read (assumed)."""
LOCAL: Final = 0.02
"""Seconds of a job that Snakemake runs beside itself: 304 trivial ones took 6.6 s (measured)."""
FIXED: Final = {
    "index": 5.0,
    "coverage": 30.0,
    "persons": 60.0,
    "ensemble": 180.0,
    "evaluate": 60.0,
    "errors": 240.0,
    "attention": 120.0,
    "report": 120.0,
}
"""Seconds beside START of one job at true size. docs/bench-ensemble.md measured 43 s (ensemble), 16 (evaluate) and 61
(causes of errors) on val, which is a third of what is answered here; the others are guesses, and hardly matter."""
MAP: Final = 1.88e6
"""Bytes of a context map, mean of both shapes (docs/ava-kinetics.md)."""
JPEG: Final = 56e3
"""Bytes of a frame of 604x340 (the same page)."""
NATIVE: Final = 252e3
"""Bytes of a keyframe of 1280x720 (the same page)."""
ACTOR: Final = {"afb": 4.6e3, "acfb": 86e3}
"""Bytes of an actor in a bank, of which there are two a moment."""
LOGITS: Final = 2.9e3
"""Bytes that a head says of a keyframe in six views: 0.8 GB for 272,442."""


@dataclass(frozen=True)
class Cost:
    """Seconds of one job on one GPU or core; bytes it leaves, and bytes that go when all who read them are done."""

    seconds: float
    stays: float = 0.0
    passes: float = 0.0


@dataclass(frozen=True)
class Amounts:
    """Videos of one shard, and their frames, seconds with a moment that is detected, and keyframes."""

    videos: int
    frames: float
    kept_frames: float
    moments: int
    labelled: int
    keyframes: int


def amounts(config: Config, graph: Graph, dataset: str, shard: str) -> Amounts:
    """What one shard holds; `keyframes` are those of val and test, `labelled` those of train that have labels."""
    data, splits = config.datasets[dataset], graph.shards[dataset][shard]
    train, other = splits.get("train", 0), splits.get("val", 0) + splits.get("test", 0)
    videos = train + other
    if data.format == "ava":
        return Amounts(videos, videos * 27_000, videos * 13_500, videos * 897, train * 783, other * 897)
    archived = bool(config.banks) and data.bank_seconds == "clip"
    fast = max(backbone.sampling.fast_frames for backbone in config.backbones.values())
    kept = 150 if archived else fast
    return Amounts(videos, videos * 300, videos * kept, videos * (9 if archived else 1), train, other)


def cost(config: Config, graph: Graph, job: Job) -> Cost:
    """The cost of one job of a graph; a fine-tuning counts on one GPU."""
    names = job.wildcards
    if job.local:
        return Cost(LOCAL)
    if job.rule == "finetune":
        return Cost(START + FINETUNE * _units(config.backbones[names["backbone"]]), stays=0.25e9)
    if job.rule == "train":
        return Cost(START + TRAIN, stays=50e6)
    if job.rule in FIXED:
        return Cost(START + FIXED[job.rule])
    shard = amounts(config, graph, names["dataset"], names["shard"])
    if job.rule == "decode":
        stays = shard.kept_frames * JPEG + shard.moments * NATIVE
        return Cost(START + shard.frames / FRAMES_PER_SECOND, stays)
    if job.rule == "detect":
        return Cost(START + shard.moments * DETECTION / GPU)
    if job.rule == "extract":
        return _extract(config, shard, names["backbone"])
    if job.rule == "bank":
        kind = config.banks[names["bank"]].kind
        return Cost(START + shard.moments * HEAD / GPU, 2 * shard.moments * ACTOR[kind])
    assert job.rule == "predict", job.rule
    return Cost(START + 6 * shard.keyframes * HEAD / GPU, shard.keyframes * LOGITS)


def _extract(config: Config, shard: Amounts, backbone: str) -> Cost:
    who = mapped_keyframes(config, backbone)
    canonical = {
        "all": shard.moments,
        "labelled": shard.labelled + shard.keyframes,
        "evaluated": shard.keyframes,
    }[who]
    others = OTHER_VIEWS * shard.keyframes
    seconds = (canonical + others) * _clip(config.backbones[backbone]) / GPU
    return Cost(START + seconds, canonical * MAP, others * MAP)


def _clip(backbone: BackboneConfig) -> float:
    return CLIP[backbone.architecture, backbone.sampling.fast_frames]


def _units(backbone: BackboneConfig) -> float:
    """What a network costs, in units of R101 8x8."""
    return _clip(backbone) / CLIP["r101", 32]

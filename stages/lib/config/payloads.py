"""What travels to each stage: one small model per stage with only the keys that a variant reads.

A key that is not here re-runs nothing when it changes. The text of a payload is a file of its own
(`results/<run>/config/<stage>/<variant>.json`), written by a rule whose only parameter is that text.
"""

from __future__ import annotations

from typing import Literal

from stages.lib.config.backbones import BackboneConfig, EngineName, Precision, SamplingConfig
from stages.lib.config.base import Section
from stages.lib.config.decode import DecodeConfig
from stages.lib.config.detectors import DetectorConfig
from stages.lib.config.ensemble import EnsembleConfig
from stages.lib.config.evaluate import EvaluateConfig, MetricConfig
from stages.lib.config.heads import BankConfig, HeadConfig, HeadKind, MemoryConfig, RecipeConfig
from stages.lib.config.origins import MappedKeyframes, mapped_keyframes
from stages.lib.config.playground import MOVIES
from stages.lib.config.report import ReportConfig
from stages.lib.config.root import Config
from stages.lib.config.synthesize import ClipsConfig, MoviesConfig, SynthesizeConfig
from stages.lib.config.types import Scores
from stages.lib.config.versions import VERSIONS


class Payload(Section):
    """Base of all payloads: the version of the stage that reads it."""

    version: int


class SynthesizePayload(Payload):
    synthesize: SynthesizeConfig


class IndexPayload(Payload):
    format: Literal["ava", "ava-kinetics", "videos"]
    keyframes_every: float
    bank_seconds: bool = False
    exclusive: tuple[tuple[int, ...], ...] | None = None


class DecodePayload(Payload):
    decode: DecodeConfig
    samplings: tuple[SamplingConfig, ...]
    keyframes_every: float | None
    tree_rate: float = 30.0


class TrainDetectorPayload(Payload):
    threads: int
    detector: DetectorConfig


class DetectPayload(Payload):
    threads: int
    detector: DetectorConfig | None


class PretrainPayload(Payload):
    threads: int
    rate: float
    backbone: BackboneConfig


class FinetunePayload(Payload):
    threads: int
    rate: float
    view: str
    backbone: BackboneConfig
    head: HeadConfig


class ExtractPayload(Payload):
    threads: int
    rate: float
    backbone: BackboneConfig
    keyframes: MappedKeyframes = "all"
    views: tuple[str, ...]
    batch: int
    engine: EngineName
    precision: Precision


class BankPayload(Payload):
    threads: int
    bank: BankConfig


class TrainPayload(Payload):
    threads: int
    head: HeadConfig
    foreign_bank: bool = False


class PredictPayload(Payload):
    threads: int
    kind: HeadKind
    min_score: float
    min_scores: Scores
    memory: MemoryConfig | None
    views: tuple[str, ...]


class EnsemblePayload(Payload):
    ensemble: EnsembleConfig
    metric: MetricConfig


class EvaluatePayload(Payload):
    evaluate: EvaluateConfig


class ReportPayload(Payload):
    report: ReportConfig
    run: str


class RelationsPayload(Payload):
    threads: int
    relations: int


def _inference_only(backbone: BackboneConfig) -> BackboneConfig:
    """The backbone without its training recipe, so that a change of the recipe acts only through the weights."""
    return backbone.model_copy(update={"pretrain": None, "finetune": None, "weights": "given"})


def _without_tests(head: HeadConfig) -> HeadConfig:
    """The head without what its training does not read: the score that boxes need in testing, and the list of seeds."""
    return head.model_copy(update={"min_score": 0.85, "min_scores": {}, "seeds": (0,)})


def _kind_and_sizes(head: HeadConfig) -> HeadConfig:
    """The head without what only its own training reads, since the whole network's has a recipe and data of its own."""
    own = {"datasets": (), "splits": ("train",), "ratio": {}, "recipe": RecipeConfig()}
    return _without_tests(head).model_copy(update=own)


def _unlocated(ensemble: EnsembleConfig) -> EnsembleConfig:
    """The ensemble without the paths of its files, which the command gets as flags."""
    given = ensemble.weights_from and "given"
    return ensemble.model_copy(update={"csv": dict.fromkeys(ensemble.csv, ""), "weights_from": given})


def _own_part(world: SynthesizeConfig, dataset: str) -> SynthesizeConfig:
    """The world's configuration without the sizes of the other drawn data set."""
    other = {"clips": ClipsConfig()} if dataset == MOVIES else {"movies": MoviesConfig()}
    return world.model_copy(update=other)


def payload(config: Config, stage: str, variant: str) -> Payload:
    """The payload of `stage` for `variant` (a data set, detector, backbone, bank, head, ensemble, `all` or `relations`)."""
    version, threads = VERSIONS[stage], config.threads
    match stage:
        case "synthesize":
            return SynthesizePayload(version=version, synthesize=_own_part(config.synthesize, variant))
        case "index":
            data = config.datasets[variant]
            return IndexPayload(
                version=version,
                format=data.format,
                keyframes_every=data.keyframes_every,
                bank_seconds=bool(config.banks)
                and data.format == "ava-kinetics"
                and data.bank_seconds == "clip",
                exclusive=data.exclusive,
            )
        case "decode":
            return _decode(config, variant)
        case "train_detector":
            return TrainDetectorPayload(version=version, threads=threads, detector=config.detectors[variant])
        case "detect":
            detector = config.detectors[variant].inference_only() if variant != "given" else None
            return DetectPayload(version=version, threads=threads, detector=detector)
        case "pretrain":
            return PretrainPayload(
                version=version, threads=threads, rate=config.decode.rate, backbone=config.backbones[variant]
            )
        case "finetune":
            backbone = config.backbones[variant]
            assert backbone.finetune is not None
            return FinetunePayload(
                version=version,
                threads=threads,
                rate=config.decode.rate,
                view=config.extract.views[0],
                backbone=backbone,
                head=_kind_and_sizes(config.heads[backbone.finetune.head]),
            )
        case "extract":
            return ExtractPayload(
                version=version,
                threads=threads,
                rate=config.decode.rate,
                backbone=_inference_only(config.backbones[variant]),
                keyframes=mapped_keyframes(config, variant),
                views=config.extract.views,
                batch=config.extract.batch,
                engine=config.extract.engine,
                precision=config.extract.precision,
            )
        case "bank":
            return BankPayload(version=version, threads=threads, bank=config.banks[variant])
        case "train":
            head = config.heads[variant]
            foreign = config.reads_foreign_bank(head)
            return TrainPayload(
                version=version, threads=threads, head=_without_tests(head), foreign_bank=foreign
            )
        case "predict":
            chosen = config.heads[variant]
            return PredictPayload(
                version=version,
                threads=threads,
                kind=chosen.kind,
                min_score=chosen.min_score,
                min_scores=chosen.min_scores,
                memory=chosen.memory,
                views=config.extract.views,
            )
        case "ensemble":
            scored = config.evaluate
            return EnsemblePayload(
                version=version,
                ensemble=_unlocated(config.ensembles[variant]),
                metric=MetricConfig(dialect=scored.dialect, iou=scored.iou, cap=scored.cap),
            )
        case "evaluate":
            return EvaluatePayload(version=version, evaluate=config.evaluate)
        case "report" if variant == "relations":
            return RelationsPayload(version=version, threads=threads, relations=config.report.relations)
        case "report":
            return ReportPayload(version=version, report=config.report, run=config.run)
    raise AssertionError(f"no payload for stage {stage}")


def _decode(config: Config, dataset: str) -> DecodePayload:
    samplings = {(b.sampling.fast_frames, b.sampling.stride): b.sampling for b in config.backbones.values()}
    plain = [SamplingConfig(fast_frames=frames, stride=stride) for frames, stride in sorted(samplings)]
    data = config.datasets[dataset]
    return DecodePayload(
        version=VERSIONS["decode"],
        decode=config.decode,
        samplings=tuple(plain),
        keyframes_every=data.keyframes_every if data.format == "videos" else None,
        tree_rate=data.tree_rate,
    )

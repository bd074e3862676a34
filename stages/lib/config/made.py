"""What a run makes, as names: which folders and files below `results/<run>/` and `benchmarks/<run>/` belong to it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from stages.lib.config.origins import backbones_in_use, trained_backbones
from stages.lib.config.root import Config
from stages.lib.config.shards import evaluated_shards, shards_with

Parts = tuple[str, ...]
"""Names below a stage's folder, without endings: a variant, a data set, a shard, a seed."""


def made(config: Config) -> dict[str, frozenset[Parts]]:
    """The names of what each stage makes in this run; removed variants and other numbers of shards are not among them."""
    shards = [(key, name) for key, data in config.datasets.items() for name in shards_with(data)]
    evaluated = [(key, name) for key, data in config.datasets.items() for name in evaluated_shards(data)]
    seeds = [(key, f"seed{seed}") for key, head in config.heads.items() for seed in head.seeds]
    banks = {head.memory.bank for head in config.heads.values() if head.memory}
    parts: dict[str, Iterable[Parts]] = {
        "synthesize": [(key,) for key, data in config.datasets.items() if data.synthesized],
        "manifest": shards,
        "index": shards,
        "decode": shards,
        "coverage": [(key,) for key in config.annotated],
        "train_detector": [(key,) for key in trained_detectors(config)],
        "detect": _detections(config, shards),
        "pretrain": [(key,) for key in pretrained_backbones(config)],
        "finetune": [(key,) for key in finetuned_backbones(config)],
        "extract": [(key, *shard) for key in backbones_in_use(config) for shard in shards],
        "bank": [(key, *shard) for key in banks for shard in shards],
        "train": [(key, seed) for key, seed in seeds if config.is_trained_alone(key)],
        "predict": [(*seed, *shard) for seed in seeds for shard in evaluated],
        "ensemble": [(key,) for key in config.ensembles],
        "attention": [(key,) for key in config.annotated if config.relation_head],
        "evaluate": [*seeds, *((key,) for key in config.ensembles), ("persons",)],
    }
    found = {stage: frozenset(names) for stage, names in parts.items()}
    return found | {"config": _settings(found)}


def belongs(names: Mapping[str, frozenset[Parts]], stage: str, parts: Parts) -> bool:
    """Whether a file below a stage's folder is of this run; stages that `made` does not know keep all of theirs."""
    own = names.get(stage)
    return own is None or any(parts[:length] in own for length in range(1, len(parts) + 1))


def pretrained_backbones(config: Config) -> list[str]:
    """Backbones in use, or that fine-tuned ones start from, which a run pre-trains; in alphabetical order."""
    return [key for key in trained_backbones(config) if not config.backbones[key].finetune]


def finetuned_backbones(config: Config) -> list[str]:
    """The same for those which it trains end to end with a head."""
    return [key for key in trained_backbones(config) if config.backbones[key].finetune]


def trained_detectors(config: Config) -> list[str]:
    """Detectors in use whose weights are not given, and those whose weights they start from; each once."""
    found: dict[str, None] = {}
    for key in config.detectors_in_use:
        current: str | None = key
        while current is not None and not config.detectors[current].weights:
            found[current] = None
            current = config.detectors[current].init
    return list(found)


def _detections(config: Config, shards: Iterable[tuple[str, str]]) -> Iterator[Parts]:
    for dataset, shard in shards:
        data = config.datasets[dataset]
        yield from (
            (detector, dataset, shard) for detector in (data.detector or "given", *data.compare_detectors)
        )


def _settings(found: Mapping[str, frozenset[Parts]]) -> frozenset[Parts]:
    """(stage, variant) of the files of settings."""
    whole = {(stage, "all") for stage in ("evaluate", "report", "run")}
    whole.add(("report", "relations"))
    return frozenset(whole | {(stage, parts[0]) for stage, names in found.items() for parts in names})

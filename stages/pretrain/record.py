"""What is written beside a backbone's tensors, and the history of its training; plain JSON, without clock times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from stages.lib.config.payloads import PretrainPayload
from stages.pretrain.core import Pretrained
from stages.pretrain.reading import Skipped


def metadata(
    payload: PretrainPayload,
    classes: Sequence[str],
    counts: Mapping[str, int],
    inputs: Mapping[str, Sequence[str]],
) -> dict[str, Any]:
    """Architecture, sampling with the slow-frame rule, normalisation, classes, and how it was trained."""
    config = payload.backbone
    return {
        "family": "backbone",
        "architecture": config.architecture,
        "sampling": config.sampling.model_dump(mode="json"),
        "rate": payload.rate,
        "mean": list(config.mean),
        "std": list(config.std),
        "classes": list(classes),
        "training": {
            "recipe": config.pretrain.model_dump(mode="json") if config.pretrain else None,
            "videos": dict(counts),
            "inputs": {split: list(shas) for split, shas in inputs.items()},
            "version": payload.version,
            "threads": payload.threads,
        },
    }


def history(
    trained: Pretrained,
    classes: Sequence[str],
    counts: Mapping[str, int],
    skipped: Mapping[str, Sequence[Skipped]],
) -> dict[str, Any]:
    """Loss, rate and accuracies per epoch, and which videos were not used."""
    return {
        "classes": list(classes),
        "videos": dict(counts),
        "skipped": {split: [asdict(video) for video in videos] for split, videos in skipped.items()},
        "epochs": [asdict(record) for record in trained.epochs],
    }

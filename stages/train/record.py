"""What is written beside a head's tensors, and the history of its training; plain JSON, without clock times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from stages.lib.config.payloads import TrainPayload
from stages.lib.models.headfile import groups_as_json
from stages.train.core import Record
from stages.train.inputs import Inputs
from stages.train.samples import Samples


def metadata(
    payload: TrainPayload, files: Inputs, channels: int, seed: int, init_sha: str | None
) -> dict[str, Any]:
    """Kind, sizes, class map, origin of the features and of the bank, recipe and seed."""
    head = payload.head
    sizes = {
        "reduce": head.reduce,
        "hidden": head.hidden,
        "depth": head.depth,
        "output_kernel": head.output_kernel,
    }
    return {
        "family": "head",
        "kind": head.kind,
        "channels": channels,
        **sizes,
        "dropout": head.dropout,
        "roi_aligned": head.roi_aligned,
        "roi_scale": head.roi_scale,
        "class_ids": list(files.classes.ids),
        "class_names": list(files.classes.names),
        "pose_indices": groups_as_json(files.classes.groups()),
        "backbone_sha": files.backbone_sha,
        "bank": dict(files.identity) if files.identity else None,
        "memory": head.memory.model_dump(mode="json") if head.memory else None,
        "features": "frozen",
        "training": {
            "seed": seed,
            "recipe": head.recipe.model_dump(mode="json"),
            "init_sha": init_sha,
            "inputs": dict(files.fingerprints),
            "version": payload.version,
            "threads": payload.threads,
        },
    }


def history(
    seed: int, records: Sequence[Record], samples: Samples, scores: Mapping[str, object] | None
) -> dict[str, Any]:
    """Loss and rate over the epochs, the final loss, and validation AP on truth boxes (None without validation)."""
    return {
        "seed": seed,
        "keyframes": len(samples),
        "boxes": len(samples.boxes_N4),
        "labelled_boxes": int(samples.labels_NA.any(axis=1).sum()),
        "steps": [asdict(record) for record in records],
        "final_loss": records[-1].loss,
        "validation": scores,
    }

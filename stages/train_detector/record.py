"""What is written beside a detector's tensors, and the history of its training; plain JSON, without clock times."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from stages.lib.config.payloads import TrainDetectorPayload
from stages.train_detector.core import TrainedDetector

CURVE_POINTS = 101


def metadata(
    payload: TrainDetectorPayload, trained: TrainedDetector, inputs: Sequence[str], init_sha: str | None
) -> dict[str, Any]:
    """Architecture, classes, and how the detector was trained."""
    detector = payload.detector
    return {
        "family": "detector",
        "architecture": detector.architecture,
        "classes": ["person"],
        "training": {
            "dataset": detector.dataset,
            "recipe": detector.train.model_dump(mode="json"),
            "short_side": detector.short_side,
            "max_long_side": detector.max_long_side,
            "keyframes": list(trained.keyframes),
            "init_sha": init_sha,
            "inputs": list(inputs),
            "version": payload.version,
            "threads": payload.threads,
        },
    }


def history(trained: TrainedDetector) -> dict[str, Any]:
    """Loss and rate per step, AP@50 per pass, and the precision-recall curve of the best weights."""
    curve = trained.curve
    found: dict[str, Any] = {
        "keyframes": trained.keyframes[0],
        "val_keyframes": trained.keyframes[1],
        "steps": trained.history,
        "validations": [
            {name: _plain(value) for name, value in record.items()} for record in trained.validations
        ],
    }
    if curve is None or curve.truths == 0:
        return found
    rows = np.unique(np.linspace(0, len(curve.scores) - 1, CURVE_POINTS).round().astype(np.int64))
    rows = rows[: len(curve.scores)]
    points = [
        {
            name: round(float(values[row]), 5)
            for name, values in _columns(curve.precision, curve.recall, curve.scores)
        }
        for row in rows
    ]
    return found | {"ap50": _plain(curve.coco), "ap50_all_point": _plain(curve.all_point), "curve": points}


def _columns(*arrays: np.ndarray) -> list[tuple[str, np.ndarray]]:
    return list(zip(("precision", "recall", "score"), arrays, strict=True))


def _plain(value: float) -> float | None:
    return None if math.isnan(value) else round(float(value), 6)

"""Fine-tunes a person detector on the labelled keyframes of one data set.

Shapes: K keyframes, N boxes.
"""

from __future__ import annotations

import hashlib
import itertools
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from stages.lib.config.detectors import DetectorConfig
from stages.lib.detectors.checkpoint import load_state
from stages.lib.detectors.detector import PersonDetector
from stages.lib.detectors.faster_rcnn import build_faster_rcnn
from stages.lib.detectors.runner import fine_tune
from stages.lib.errors import StageError
from stages.lib.metrics.person_ap import PersonCurve, person_curve
from stages.lib.progress import Progress
from stages.train_detector.samples import LabelledFrames, TrainingOrder, decode, labelled_only

LOG = logging.getLogger(__name__)
CLASS_LAYERS = "roi_head.bbox_head.fc_"


@dataclass(frozen=True)
class TrainedDetector:
    """What a fine-tuning leaves behind.

    Attributes:
        state: the best weights, CPU tensors by mmdet's names.
        history: one record per step: iteration, loss, lr.
        validations: one record per pass over the keyframes: iteration, ap50 (COCO's 101-point, in [0, 1]).
        curve: precision and recall of the best weights on the validation keyframes; None without any.
        keyframes: labelled keyframes trained on, and validated on.
    """

    state: dict[str, Tensor]
    history: list[dict[str, float]]
    validations: list[dict[str, float]]
    curve: PersonCurve | None
    keyframes: tuple[int, int]


def train(
    data: LabelledFrames,
    val: LabelledFrames,
    cfg: DetectorConfig,
    *,
    device: str,
    workdir: Path,
    threads: int,
    init: Mapping[str, Tensor] | None = None,
    checkpoint_every: int = 500,
    on_step: Callable[[int], None] | None = None,
) -> TrainedDetector:
    """Train on the keyframes of `data` that have boxes; after each pass measure AP@50 on `val` and keep the best.

    `on_step` is called with the number of steps done; without it the progress is shown.

    Equal input, threads and device type CPU give equal weights. Interrupted, it goes on at the step of the last
    checkpoint in `workdir`, which holds one folder per recipe. Of an `init` with 80 classes the person's rows are taken.
    StageError: no labelled keyframe, a loss that is not finite, weights that misfit.
    """
    torch.set_num_threads(threads)
    data, val = labelled_only(data), labelled_only(val)
    if not data.frames:
        raise StageError("no keyframe of the training split has a person box", where="detector training")
    torch.manual_seed(cfg.train.seed)
    model = build_faster_rcnn(cfg)
    if init is not None:
        start_from(model, init)
    steps = cfg.train.steps(len(data.frames))
    LOG.info("%d labelled keyframes, %d for validation, %d steps", len(data.frames), len(val.frames), steps)
    tuned = fine_tune(
        model,
        TrainingOrder(data, cfg),
        cfg.train,
        steps=steps,
        validate=(lambda net: measure(net, val, cfg, device).coco) if val.frames else None,
        validate_every=cfg.train.steps_per_epoch(len(data.frames)),
        checkpoint_every=checkpoint_every,
        device=device,
        workdir=workdir / recipe(data, val, cfg, init),
        on_step=on_step or Progress(steps, "train detector").reach,
    )
    curve = None
    if val.frames:
        model.load_state_dict(tuned.state)
        curve = measure(model, val, cfg, device)
    return TrainedDetector(
        tuned.state, tuned.steps, tuned.validations, curve, (len(data.frames), len(val.frames))
    )


def measure(model: nn.Module, val: LabelledFrames, cfg: DetectorConfig, device: str) -> PersonCurve:
    """Precision and recall of a model at IoU 0.5 on labelled keyframes; the model is left in evaluation mode."""
    detector = PersonDetector(model, cfg, device)
    boxes, scores = [], []
    for start in range(0, len(val.frames), cfg.batch):
        chunk = range(start, min(start + cfg.batch, len(val.frames)))
        for found in detector.detect([decode(val.frames[k], f"validation keyframe {k}") for k in chunk]):
            boxes.append(found.boxes)
            scores.append(found.scores)
    splits = np.cumsum([0, *(len(rows) for rows in boxes)])
    return person_curve(np.concatenate(boxes), np.concatenate(scores), splits, val.boxes, val.row_splits)


def start_from(model: nn.Module, init: Mapping[str, Tensor]) -> None:
    """Load another detector's weights; of 80 classes the person's row is kept, with the background's."""
    fresh = model.state_dict()
    load_state(
        model,
        {key: _person_rows(key, value, fresh) for key, value in init.items()},
        "the weights to start from",
    )


def _person_rows(key: str, value: Tensor, fresh: Mapping[str, Tensor]) -> Tensor:
    """Class layers cut to person (first) and background (last); box layers to the person's four rows."""
    if not key.startswith(CLASS_LAYERS) or key not in fresh or value.shape == fresh[key].shape:
        return value
    if "fc_cls" in key:
        return torch.cat([value[:1], value[-1:]])
    return value[:4]


def recipe(
    data: LabelledFrames, val: LabelledFrames, cfg: DetectorConfig, init: Mapping[str, Tensor] | None
) -> str:
    """A name for (config, boxes, starting weights), so that a work folder never resumes another training."""
    digest = hashlib.sha256(cfg.model_dump_json().encode())
    arrays = itertools.chain.from_iterable((part.boxes, part.row_splits) for part in (data, val))
    for array in arrays:
        digest.update(np.ascontiguousarray(array).tobytes())
    for key in sorted(init or {}):
        digest.update(key.encode() + init[key].detach().cpu().contiguous().numpy().tobytes())  # type: ignore[index]
    return digest.hexdigest()[:16]

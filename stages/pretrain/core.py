"""Clip classification that makes a backbone's weights: half-cosine with warm-up, dropout, label smoothing.

Shapes: B clips, F fast frames, S side of the crop, K classes.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stages.lib.config.backbones import BackboneConfig, PretrainConfig
from stages.lib.errors import StageError
from stages.lib.models.builders import build_classifier
from stages.lib.models.runtime import to_device
from stages.lib.models.schedule import half_cosine, make_optimiser, set_learning_rate
from stages.lib.models.slowfast import SlowFastClassifier, find_arch, split_pathways
from stages.lib.progress import track
from stages.pretrain.batches import Batch, centred_batches, steps_per_epoch, training_batches
from stages.pretrain.clips import ClipSet

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class EpochRecord:
    """One pass: mean loss, rate at its end, top-1 on the augmented training clips and on centred validation clips."""

    epoch: float
    loss: float
    lr: float
    train_top1: float
    val_top1: float | None
    val_top5: float | None


@dataclass(frozen=True)
class Pretrained:
    """The trained backbone's tensors (CPU) and the record of each epoch."""

    tensors: dict[str, Tensor]
    epochs: tuple[EpochRecord, ...]


class ClipNormaliser:
    """uint8 clips (B,F,S,S,3) to the network's normalised inputs, on its device."""

    def __init__(self, config: BackboneConfig, device: torch.device) -> None:
        mean, std = torch.tensor(config.mean, device=device), torch.tensor(config.std, device=device)
        self._factor, self._shift = 1.0 / (255.0 * std), -mean / std
        self._alpha, self._rule = find_arch(config.architecture).alpha, config.sampling.slow_rule
        self._device = device

    def __call__(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Slow (B,3,F/alpha,S,S) and fast (B,3,F,S,S) inputs in channels-last memory, which trains fastest."""
        frames = to_device(torch.from_numpy(np.ascontiguousarray(batch.clips_BFSSC)), self._device)
        side = frames.shape[3]
        rows = frames.float().flatten(3).mul_(self._factor.repeat(side)).add_(self._shift.repeat(side))
        clip_BCFSS = rows.view(frames.shape).permute(0, 4, 1, 2, 3)
        slow, fast = split_pathways(clip_BCFSS, self._alpha, self._rule)
        return slow.contiguous(memory_format=torch.channels_last_3d), fast


def pretrain(
    train: ClipSet, val: ClipSet, config: BackboneConfig, classes: int, device: torch.device
) -> Pretrained:
    """Train a fresh backbone on labelled videos; equal arguments, threads and versions give equal weights.

    Raises:
        StageError: no video to train on, a crop larger than the smallest frame, or a loss that is not finite.
    """
    recipe = _recipe(config)
    _check(train, recipe)
    torch.manual_seed(recipe.seed)
    model = build_classifier(config.architecture, classes=classes, dropout=recipe.dropout)
    model = model.to(device).to(memory_format=torch.channels_last_3d)
    optimiser = make_optimiser(_groups(model, recipe.weight_decay), recipe.optimiser, lr=recipe.lr)
    per_epoch = steps_per_epoch(len(train), recipe)
    total = max(1, round(recipe.epochs * per_epoch))
    normalise, records = ClipNormaliser(config, device), []
    fast_frames = config.sampling.fast_frames
    batches = track(
        training_batches(train, recipe, fast_frames, first_step=0, last_step=total), total, "pretrain"
    )
    for first in range(0, total, per_epoch):
        steps = range(first, min(first + per_epoch, total))
        loss, top1, rate = _train_epoch(model, batches, optimiser, normalise, recipe, steps, total)
        scores = evaluate(model, val, recipe, fast_frames, normalise)
        records.append(EpochRecord((steps[-1] + 1) / per_epoch, loss, rate, top1, *scores))
        _log.info("epoch %.1f: loss %.3f, top-1 train %.3f, val %s", records[-1].epoch, loss, top1, scores[0])
    tensors = {name: value.detach().cpu().contiguous() for name, value in model.backbone.state_dict().items()}
    return Pretrained(tensors, tuple(records))


@torch.inference_mode()
def evaluate(
    model: SlowFastClassifier,
    data: ClipSet,
    recipe: PretrainConfig,
    fast_frames: int,
    normalise: ClipNormaliser,
) -> tuple[float | None, float | None]:
    """Top-1 and top-5 accuracy on one centred clip per video; None without videos."""
    if len(data) == 0:
        return None, None
    model.eval()
    hits = np.zeros(2, np.int64)
    for batch in centred_batches(data, recipe, fast_frames):
        ranked_B5 = (
            model(*normalise(batch)).topk(min(5, model.projection.out_features), dim=1).indices.cpu().numpy()
        )
        right_B5 = ranked_B5 == batch.labels_B[:, None]
        hits += (int(right_B5[:, 0].sum()), int(right_B5.any(axis=1).sum()))
    model.train()
    return float(hits[0] / len(data)), float(hits[1] / len(data))


def _train_epoch(
    model: SlowFastClassifier,
    batches: Iterator[Batch],
    optimiser: torch.optim.Optimizer,
    normalise: ClipNormaliser,
    recipe: PretrainConfig,
    steps: range,
    total: int,
) -> tuple[float, float, float]:
    """Mean loss, top-1 and last rate of some steps."""
    model.train()
    losses, hits, seen, rate = [], 0, 0, 0.0
    for step in steps:
        batch = next(batches)
        rate = half_cosine(step, total_steps=total, lr=recipe.lr, warmup_steps=round(recipe.warmup * total))
        set_learning_rate(optimiser, rate)
        logits_BK = model(*normalise(batch))
        labels_B = torch.from_numpy(batch.labels_B).to(logits_BK.device)
        loss = F.cross_entropy(logits_BK.float(), labels_B, label_smoothing=recipe.label_smoothing)
        optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        optimiser.step()
        losses.append(float(loss.detach()))
        if not np.isfinite(losses[-1]):
            raise StageError(f"the loss is {losses[-1]} at step {step}", "backbones: pretrain.lr", "lower it")
        hits += int((logits_BK.detach().argmax(dim=1) == labels_B).sum())
        seen += len(labels_B)
    return float(np.mean(losses)), hits / seen, rate


def _groups(model: nn.Module, weight_decay: float) -> list[dict[str, object]]:
    """Weight decay on weights of convolutions and of the classifier, none on batch norms and biases."""
    weights = [value for value in model.parameters() if value.ndim > 1]
    vectors = [value for value in model.parameters() if value.ndim <= 1]
    return [{"params": weights, "weight_decay": weight_decay}, {"params": vectors, "weight_decay": 0.0}]


def _recipe(config: BackboneConfig) -> PretrainConfig:
    if config.pretrain is None:
        raise StageError(
            "the backbone has given weights and no recipe", "backbones: pretrain", "nothing is to be trained"
        )
    return config.pretrain


def _check(train: ClipSet, recipe: PretrainConfig) -> None:
    low, high = recipe.short_side
    if not recipe.crop <= low <= high:
        raise StageError(
            f"crop {recipe.crop} and short_side {low} to {high} do not fit",
            "backbones: pretrain",
            "crop <= smallest <= largest",
        )
    if len(train) == 0:
        raise StageError(
            "no video of the split train could be read", "--videos", "see the log for the reasons"
        )

"""Optimisers, and learning rates as closed functions of the iteration number, counted from zero."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import torch
from torch import nn
from torch.optim import Optimizer

DECAY = 0.1

OptimiserName = Literal["sgd", "adamw"]


def make_optimiser(
    parameters: Iterable[nn.Parameter] | Iterable[dict[str, Any]],
    name: OptimiserName,
    *,
    lr: float,
    weight_decay: float = 0.0,
) -> Optimizer:
    """SGD with Nesterov momentum 0.9, or AdamW; groups that name a weight decay keep theirs."""
    if name == "adamw":
        return torch.optim.AdamW(parameters, lr=lr, weight_decay=weight_decay)
    return torch.optim.SGD(parameters, lr=lr, momentum=0.9, nesterov=True, weight_decay=weight_decay)


def short_schedule(
    step: int,
    *,
    steps_per_epoch: int,
    lr: float,
    warmup_lr: float,
    warmup_epochs: float,
    milestones: Sequence[float],
) -> float:
    """Linear warm-up per iteration, constant, a tenth from every milestone on.

    Warm-up and milestones are fractional epochs and begin at iteration int(epoch * steps_per_epoch).
    """
    warmup = int(warmup_epochs * steps_per_epoch)
    if step < warmup:
        return warmup_lr + (lr - warmup_lr) * step / warmup
    passed = sum(step >= int(milestone * steps_per_epoch) for milestone in milestones)
    return float(lr * DECAY**passed)


def half_cosine(
    step: int, *, total_steps: int, lr: float, warmup_steps: int = 0, warmup_lr: float = 0.0
) -> float:
    """Half a cosine from `lr` to zero over `total_steps`; at first a straight line from `warmup_lr` onto it."""
    if step < warmup_steps:
        return warmup_lr + (_cosine(warmup_steps, total_steps, lr) - warmup_lr) * step / warmup_steps
    return _cosine(step, total_steps, lr)


def set_learning_rate(optimizer: Optimizer, lr: float) -> None:
    """Give every parameter group the rate."""
    for group in optimizer.param_groups:
        group["lr"] = lr


def _cosine(step: int, total_steps: int, lr: float) -> float:
    return lr * 0.5 * (1.0 + math.cos(math.pi * step / total_steps))

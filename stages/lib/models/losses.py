"""Class probabilities and the training loss: classes of a group (the poses) exclude each other, all others are independent.

Shapes: N boxes, K classes. The numpy twin of `probabilities` stands in `stages.lib.metrics`.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F


def probabilities(logits_NK: Tensor, groups: Sequence[Sequence[int]]) -> Tensor:
    """Probabilities (N,K) in fp32: a softmax over the classes of each group, sigmoids over the others."""
    logits = logits_NK.float()
    out = logits.sigmoid()
    for group in map(list, groups):
        out = out.index_copy(1, _index(group, logits), logits[:, group].softmax(dim=1))
    return out


def action_loss(logits_NK: Tensor, targets_NK: Tensor, groups: Sequence[Sequence[int]]) -> Tensor:
    """Binary cross-entropy between `probabilities` and the multi-hot targets, mean over boxes x classes.

    Also the part of a group is binary cross-entropy, on the softmax's outputs (ACAR, section 4.1). No boxes give a zero
    that keeps the graph.
    """
    logits, targets = logits_NK.float(), targets_NK.float()
    if logits.numel() == 0:
        return logits.sum()
    chosen = {index for group in groups for index in group}
    rest = [index for index in range(logits.shape[1]) if index not in chosen]
    total = F.binary_cross_entropy_with_logits(logits[:, rest], targets[:, rest], reduction="sum")
    for group in map(list, groups):
        softmax_NG = logits[:, group].softmax(dim=1).clamp(0.0, 1.0)
        total = total + F.binary_cross_entropy(softmax_NG, targets[:, group], reduction="sum")
    return total / logits.numel()


def _index(indices: list[int], like: Tensor) -> Tensor:
    return torch.tensor(indices, dtype=torch.int64, device=like.device)

"""Class probabilities and the training loss: poses exclude each other, all other classes are independent.

Shapes: N boxes, K classes. The numpy twin of `probabilities` stands in `stages.lib.metrics`.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F


def probabilities(logits_NK: Tensor, pose_indices: Sequence[int]) -> Tensor:
    """Probabilities (N,K) in fp32: softmax over the pose classes, sigmoid over the others."""
    logits = logits_NK.float()
    pose = list(pose_indices)
    if not pose:
        return logits.sigmoid()
    return logits.sigmoid().index_copy(1, _index(pose, logits), logits[:, pose].softmax(dim=1))


def action_loss(logits_NK: Tensor, targets_NK: Tensor, pose_indices: Sequence[int]) -> Tensor:
    """Binary cross-entropy between `probabilities` and the multi-hot targets, mean over boxes x classes.

    Also the pose part is binary cross-entropy, on the softmax's outputs (ACAR, section 4.1). No boxes give a zero
    that keeps the graph.
    """
    logits, targets = logits_NK.float(), targets_NK.float()
    if logits.numel() == 0:
        return logits.sum()
    pose = list(pose_indices)
    chosen = set(pose)
    rest = [index for index in range(logits.shape[1]) if index not in chosen]
    total = F.binary_cross_entropy_with_logits(logits[:, rest], targets[:, rest], reduction="sum")
    if pose:
        softmax_NP = logits[:, pose].softmax(dim=1).clamp(0.0, 1.0)
        total = total + F.binary_cross_entropy(softmax_NP, targets[:, pose], reduction="sum")
    return total / logits.numel()


def _index(indices: list[int], like: Tensor) -> Tensor:
    return torch.tensor(indices, dtype=torch.int64, device=like.device)

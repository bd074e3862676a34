"""Probabilities and loss against loops in double precision."""

from __future__ import annotations

import math

import pytest
import torch

from stages.lib.models.losses import action_loss, probabilities

POSES = ((0, 1, 3),)
Groups = tuple[tuple[int, ...], ...]


def loop_probabilities(row: list[float], groups: Groups) -> list[float]:
    found = [1 / (1 + math.exp(-value)) for value in row]
    for group in groups:
        total = sum(math.exp(row[k]) for k in group)
        for k in group:
            found[k] = math.exp(row[k]) / total
    return found


@pytest.mark.parametrize("poses", [(), POSES, ((0, 1, 2, 3, 4),), ((0, 4), (2, 1)), ((3, 1), (0, 2, 4))])
def test_equal_loops(poses: Groups) -> None:
    torch.manual_seed(0)
    logits, targets = torch.randn(6, 5) * 3, (torch.rand(6, 5) < 0.3).float()
    wanted = [loop_probabilities(row, poses) for row in logits.tolist()]
    torch.testing.assert_close(probabilities(logits, poses), torch.tensor(wanted), rtol=1e-5, atol=1e-6)
    terms = [
        -math.log(p) if target else -math.log(1 - p)
        for row, truth in zip(wanted, targets.tolist(), strict=True)
        for p, target in zip(row, truth, strict=True)
    ]
    assert float(action_loss(logits, targets, poses)) == pytest.approx(sum(terms) / 30, rel=1e-5)


def test_pose_probabilities_sum_to_one() -> None:
    found = probabilities(torch.randn(4, 60), [range(13)])
    torch.testing.assert_close(found[:, :13].sum(dim=1), torch.ones(4))
    assert found.dtype == torch.float32


def test_boxes_without_labels_still_push_down() -> None:
    logits = torch.zeros(1, 5, requires_grad=True)
    action_loss(logits, torch.zeros(1, 5), POSES).backward()
    assert logits.grad is not None
    assert (logits.grad[0, [2, 4]] > 0).all()


def test_no_boxes_give_zero_with_a_graph() -> None:
    logits = torch.zeros(0, 5, requires_grad=True)
    loss = action_loss(logits, torch.zeros(0, 5), POSES)
    loss.backward()
    assert loss.item() == 0.0


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_logits_are_lifted(dtype: torch.dtype) -> None:
    assert action_loss(torch.zeros(2, 5, dtype=dtype), torch.zeros(2, 5), POSES).dtype == torch.float32


def test_extreme_logits_stay_finite() -> None:
    logits = torch.tensor([[200.0, -200.0, 200.0, 0.0, -200.0]], requires_grad=True)
    loss = action_loss(logits, torch.tensor([[0.0, 1.0, 0.0, 0.0, 1.0]]), POSES)
    loss.backward()
    assert math.isfinite(loss.item())
    assert logits.grad is not None
    assert logits.grad.isfinite().all()

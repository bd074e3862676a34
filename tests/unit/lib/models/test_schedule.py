"""Learning rates against closed formulas."""

from __future__ import annotations

import math

import pytest
import torch

from stages.lib.models.schedule import (
    OptimiserName,
    half_cosine,
    make_optimiser,
    set_learning_rate,
    short_schedule,
)

SHORT = {
    "steps_per_epoch": 100,
    "lr": 0.064,
    "warmup_lr": 0.008,
    "warmup_epochs": 1.0,
    "milestones": (5.6, 5.8),
}


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (0, 0.008),
        (50, 0.036),
        (99, 0.008 + 0.056 * 0.99),
        (100, 0.064),
        (559, 0.064),
        (560, 0.0064),
        (579, 0.0064),
        (580, 0.00064),
        (599, 0.00064),
    ],
)
def test_short_schedule(step: int, expected: float) -> None:
    assert short_schedule(step, **SHORT) == pytest.approx(expected, rel=1e-12)


def test_milestones_are_whole_iterations_rounded_down() -> None:
    options = SHORT | {"steps_per_epoch": 7, "warmup_epochs": 0.0}
    rates = [short_schedule(step, **options) for step in range(42)]
    assert rates[38] == 0.064
    assert rates[39] == pytest.approx(0.0064)  # int(5.6 * 7) = 39
    assert rates[40] == pytest.approx(0.00064)  # int(5.8 * 7) = 40


def test_half_cosine() -> None:
    for step in (10, 25, 50, 99):
        wanted = 0.1 * (1 + math.cos(math.pi * step / 100)) / 2
        assert half_cosine(step, total_steps=100, lr=0.1, warmup_steps=10, warmup_lr=0.01) == pytest.approx(
            wanted
        )
    assert half_cosine(0, total_steps=100, lr=0.1) == 0.1
    assert half_cosine(50, total_steps=100, lr=0.1) == pytest.approx(0.05)


def test_half_cosine_warms_up_onto_the_curve() -> None:
    rates = [
        half_cosine(step, total_steps=100, lr=0.1, warmup_steps=10, warmup_lr=0.01) for step in range(11)
    ]
    top = 0.1 * (1 + math.cos(math.pi / 10)) / 2
    assert rates[0] == pytest.approx(0.01)
    assert rates[5] == pytest.approx((0.01 + top) / 2)
    assert rates[10] == pytest.approx(top)


def test_every_parameter_group_gets_the_rate() -> None:
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": lr} for lr in (1.0, 2.0)]
    optimizer = torch.optim.SGD(groups)
    set_learning_rate(optimizer, 0.25)
    assert [group["lr"] for group in optimizer.param_groups] == [0.25, 0.25]


@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_an_optimiser_keeps_the_weight_decay_that_a_group_names(name: OptimiserName) -> None:
    """Without a gradient step size to speak of, decay alone moves a weight: by lr * decay * value, or not at all."""
    decayed, kept = (torch.nn.Parameter(torch.ones(1)) for _ in range(2))
    groups = [{"params": [decayed], "weight_decay": 0.5}, {"params": [kept], "weight_decay": 0.0}]
    optimiser = make_optimiser(groups, name, lr=0.1)
    decayed.grad, kept.grad = torch.zeros(1), torch.zeros(1)
    optimiser.step()
    assert kept.item() == 1.0
    # Nesterov: gradient plus 0.9 of the fresh momentum
    assert decayed.item() == pytest.approx(1.0 - 0.1 * 0.5 * (1.9 if name == "sgd" else 1.0))

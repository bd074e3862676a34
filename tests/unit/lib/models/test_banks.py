"""The actor bank's operator against loops."""

from __future__ import annotations

import math

import pytest
import torch

from stages.lib.models.banks import ActorBankOperator, rank_in_image
from stages.lib.models.inputs import BankInput

IMAGE = torch.tensor([2, 0, 2, 1])


def make(*, mask_padding: bool) -> ActorBankOperator:
    """An operator whose layers do something: a fresh one is the identity behind its reduction."""
    torch.manual_seed(2)
    operator = ActorBankOperator(5, 4, layers=2, mask_padding=mask_padding).eval()
    for parameter in operator.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return operator


def make_bank() -> BankInput:
    window = torch.tensor([[0, 2, 1], [0, 0, 0], [3, 1, 0]])
    mask = torch.tensor([[True, True, False], [False, False, False], [True, True, True]])
    return BankInput(torch.randn(4, 5), window, mask)


def loop(operator: ActorBankOperator, actor: torch.Tensor, slots: list[torch.Tensor]) -> torch.Tensor:
    running = operator.reduce_short(actor)
    long = [operator.reduce_long(slot) for slot in slots]
    for layer in operator.layers:
        query = layer.theta(running)
        scores = [math.exp(float(query @ layer.phi(slot)) / math.sqrt(4)) for slot in long]
        mixed = sum(score / sum(scores) * layer.g(slot) for score, slot in zip(scores, long, strict=True))
        normal = (mixed - mixed.mean()) / (mixed.var(unbiased=False) + 1e-5).sqrt()
        running = running + layer.out(normal.relu())
    return running


@pytest.mark.parametrize("mask_padding", [True, False])
@torch.no_grad()
def test_equals_loops(mask_padding: bool) -> None:
    operator, bank, actors = make(mask_padding=mask_padding), make_bank(), torch.randn(4, 5)
    found = operator(actors, IMAGE, bank)
    for n in range(4):
        pairs = zip(bank.window_BL[IMAGE[n]], bank.mask_BL[IMAGE[n]], strict=True)
        slots = [
            bank.archive[row] if filled else torch.zeros(5)
            for row, filled in pairs
            if filled or not mask_padding
        ]
        wanted = loop(operator, actors[n], slots) if slots else torch.zeros(4)
        torch.testing.assert_close(found[n], wanted, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_empty_windows_and_empty_archives_give_zeros() -> None:
    operator = make(mask_padding=True)
    found = operator(torch.randn(4, 5), IMAGE, make_bank())
    assert float(found[3].abs().max()) == 0.0
    assert float(found[1].abs().max()) > 0.0
    empty = BankInput(
        torch.zeros(0, 5), torch.zeros(3, 2, dtype=torch.int64), torch.zeros(3, 2, dtype=torch.bool)
    )
    assert torch.equal(operator(torch.randn(4, 5), IMAGE, empty), torch.zeros(4, 4))
    no_slots = BankInput(
        torch.zeros(0, 5), torch.zeros(3, 0, dtype=torch.int64), torch.zeros(3, 0, dtype=torch.bool)
    )
    assert torch.equal(operator(torch.randn(4, 5), IMAGE, no_slots), torch.zeros(4, 4))


def test_empty_windows_leave_gradients_finite() -> None:
    operator = make(mask_padding=True)
    operator(torch.randn(4, 5), IMAGE, make_bank()).sum().backward()
    assert all(
        parameter.grad is not None and parameter.grad.isfinite().all() for parameter in operator.parameters()
    )


@torch.no_grad()
def test_permuting_slots_changes_nothing() -> None:
    operator, bank, actors = make(mask_padding=True), make_bank(), torch.randn(4, 5)
    turn = torch.tensor([2, 0, 1])
    turned = BankInput(bank.archive, bank.window_BL[:, turn], bank.mask_BL[:, turn])
    torch.testing.assert_close(operator(actors, IMAGE, turned), operator(actors, IMAGE, bank))


@torch.no_grad()
def test_a_fresh_operator_is_its_reduction() -> None:
    torch.manual_seed(0)
    operator, actors = ActorBankOperator(5, 4, layers=3).eval(), torch.randn(4, 5)
    found = operator(actors, torch.tensor([0, 2, 2, 0]), make_bank())
    torch.testing.assert_close(found, operator.reduce_short(actors))
    assert float(operator.layers[0].out.weight.abs().max()) == 0.0
    assert operator.layers[0].norm.weight is None


def test_rank_in_image() -> None:
    ranks, most = rank_in_image(torch.tensor([2, 0, 2, 2, 0]))
    assert (ranks.tolist(), most) == ([0, 0, 1, 2, 1], 3)
    assert rank_in_image(torch.zeros(0, dtype=torch.int64))[1] == 0

"""ACAR with the actor-context bank: acceptance (a) to (d) and a loop twin."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from stages.lib.models.builders import build_head
from stages.lib.models.heads import AcarAcfbHead, AcarHead
from stages.lib.models.inputs import BankInput, HeadInput
from stages.lib.models.relation import fit_archive
from tests.unit.lib.models.test_relation import loop_layer

CHANNELS, CLASSES = 10, 5
IMAGE = torch.tensor([0, 0, 1, 1, 1])


def pair(
    depth: int = 1, output_kernel: int = 1, *, include_live: bool = False
) -> tuple[AcarHead, AcarAcfbHead]:
    """An ACAR head and the bank head with its weights."""
    torch.manual_seed(depth)
    sizes = {"channels": CHANNELS, "classes": CLASSES, "reduce": 8, "hidden": 6}
    shape = {"depth": depth, "output_kernel": output_kernel}
    acar = build_head("acar", **sizes, **shape).eval()
    for name, weight in acar.named_parameters():
        if weight.dim() == 4:  # sharp attention: fresh weights would weigh all actors alike
            torch.nn.init.normal_(weight, std=0.25 if "hr2o" in name else 0.5)
    banked = build_head("acar-acfb", **sizes, **shape, include_live=include_live).eval()
    banked.load_state_dict(acar.state_dict())
    assert isinstance(acar, AcarHead)
    assert isinstance(banked, AcarAcfbHead)
    return acar, banked


def batch() -> HeadInput:
    torch.manual_seed(11)
    corner = torch.rand(5, 2) * 0.5
    return HeadInput(torch.randn(2, CHANNELS, 8, 10), torch.cat([corner, corner + 0.4], dim=1), IMAGE)


def live_bank(head: AcarHead, inputs: HeadInput) -> BankInput:
    """An archive that holds the live actors themselves, each read by its own frame."""
    archive = head.relation_maps(inputs)
    window, mask = (
        torch.tensor([[0, 1, 0], [2, 3, 4]]),
        torch.tensor([[True, True, False], [True, True, True]]),
    )
    return BankInput(archive, window, mask)


@torch.no_grad()
def test_archive_of_the_live_actors_equals_acar() -> None:
    acar, banked = pair()
    inputs = batch()
    found = banked(dataclasses.replace(inputs, bank=live_bank(acar, inputs)))
    torch.testing.assert_close(found, acar(inputs), rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_first_layer_of_a_deep_head_equals_acar() -> None:
    acar, banked = pair(2, 3)
    inputs = batch()
    with_bank = banked.with_attention(dataclasses.replace(inputs, bank=live_bank(acar, inputs)))[1]
    plain = acar.with_attention(inputs)[1]
    torch.testing.assert_close(with_bank[0], plain[0], rtol=1e-4, atol=1e-6)
    assert not torch.allclose(with_bank[1], plain[1])


@torch.no_grad()
def test_permuting_slots_changes_nothing() -> None:
    _, banked = pair(2, 3)
    inputs = batch()
    archive = torch.randn(7, 6, 3, 4)
    window, mask = (
        torch.tensor([[0, 1, 2, 6], [3, 4, 6, 0]]),
        torch.tensor([[True, True, True, True], [True, True, True, False]]),
    )
    first = banked(dataclasses.replace(inputs, bank=BankInput(archive, window, mask)))
    turn, rows = torch.tensor([2, 0, 3, 1]), torch.tensor([5, 3, 0, 6, 1, 2, 4])
    second = BankInput(archive[rows], torch.argsort(rows)[window[:, turn]], mask[:, turn])
    torch.testing.assert_close(banked(dataclasses.replace(inputs, bank=second)), first, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_empty_windows_fall_back_to_the_live_actors() -> None:
    acar, banked = pair(2, 3)
    inputs, archive = batch(), torch.randn(4, 6, 3, 4)
    plain, window = acar(inputs), torch.tensor([[1, 2], [0, 3]])
    nothing = BankInput(archive, window, torch.zeros(2, 2, dtype=torch.bool))
    torch.testing.assert_close(banked(dataclasses.replace(inputs, bank=nothing)), plain, rtol=1e-5, atol=1e-6)
    one_empty = BankInput(archive, window, torch.tensor([[True, True], [False, False]]))
    mixed = banked(dataclasses.replace(inputs, bank=one_empty))
    torch.testing.assert_close(mixed[2:], plain[2:], rtol=1e-4, atol=1e-5)
    assert not torch.allclose(mixed[:2], plain[:2])
    no_archive = BankInput(
        torch.zeros(0, 6, 3, 4), torch.zeros(2, 0, dtype=torch.int64), torch.zeros(2, 0, dtype=torch.bool)
    )
    torch.testing.assert_close(
        banked(dataclasses.replace(inputs, bank=no_archive)), plain, rtol=1e-5, atol=1e-6
    )


@torch.no_grad()
def test_equals_loops_over_the_window() -> None:
    _, banked = pair(2, 3)
    inputs, archive = batch(), torch.randn(5, 6, 3, 4)
    bank = BankInput(
        archive, torch.tensor([[4, 1, 0], [2, 3, 4]]), torch.tensor([[True, True, False], [True] * 3])
    )
    live = banked.relation_maps(inputs)
    reads = [[archive[4], archive[1]]] * 2 + [[archive[2], archive[3], archive[4]]] * 3
    running = live
    for layer in banked.hr2o.layers():
        running = loop_layer(layer, running, reads)
    banked_inputs = dataclasses.replace(inputs, bank=bank)
    found = banked.hr2o(live, IMAGE, banked.memory(banked_inputs))
    torch.testing.assert_close(found, running, rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_live_actors_can_be_read_beside_the_archive() -> None:
    _, banked = pair(include_live=True)
    inputs, archive = batch(), torch.randn(3, 6, 3, 4)
    bank = BankInput(archive, torch.tensor([[0, 1], [2, 0]]), torch.tensor([[True, True], [True, False]]))
    live = banked.relation_maps(inputs)
    reads = [[archive[0], archive[1], live[0], live[1]]] * 2 + [[archive[2], live[2], live[3], live[4]]] * 3
    found = banked.hr2o(live, IMAGE, banked.memory(dataclasses.replace(inputs, bank=bank)))
    torch.testing.assert_close(found, loop_layer(banked.hr2o.layers()[0], live, reads), rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_precomputed_keys_give_the_same_logits() -> None:
    _, banked = pair(2, 3)
    inputs, archive = batch(), torch.randn(5, 6, 3, 4).half()
    bank = BankInput(archive, torch.tensor([[4, 1], [2, 4]]), torch.tensor([[True, True], [True, True]]))
    keyed = dataclasses.replace(bank, keys=banked.precompute_kv(archive))
    plain = banked(dataclasses.replace(inputs, bank=bank))
    torch.testing.assert_close(banked(dataclasses.replace(inputs, bank=keyed)), plain, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_flip_equivariance() -> None:
    """With kernels that are mirror images of themselves the mirrored world gives the same logits."""
    _, banked = pair(2, 3)
    for name, weight in banked.named_parameters():
        if weight.dim() == 4:
            banked.get_parameter(name).copy_((weight + weight.flip(3)) / 2)
    torch.manual_seed(4)
    archive, corner = torch.randn(4, 6, 3, 6), torch.rand(5, 2) * 0.4 + 0.1
    # Width 13: the 3x3 valid convolution leaves 11 columns, which the strided pooling covers symmetrically.
    maps, boxes = torch.randn(2, CHANNELS, 8, 13), torch.cat([corner, corner + 0.4], dim=1)
    bank = BankInput(archive, torch.tensor([[0, 1], [2, 3]]), torch.ones(2, 2, dtype=torch.bool))
    relation = banked.first_order(HeadInput(maps, boxes, IMAGE))
    mirrored = banked.hr2o(
        relation[1].flip(3),
        IMAGE,
        banked.memory(
            HeadInput(
                maps, boxes, IMAGE, dataclasses.replace(bank, archive=fit_archive(archive, (3, 6), flip=True))
            )
        ),
    )
    straight = banked.hr2o(relation[1], IMAGE, banked.memory(HeadInput(maps, boxes, IMAGE, bank)))
    torch.testing.assert_close(mirrored.flip(3), straight, rtol=1e-4, atol=1e-4)
    flipped_maps = banked.encoder(banked.conv_reduce(maps).flip(3), relation[0], IMAGE)
    torch.testing.assert_close(flipped_maps.flip(3), relation[1], rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_attention_covers_archive_then_stand_ins() -> None:
    _, banked = pair()
    bank = BankInput(
        torch.randn(6, 6, 3, 4), torch.tensor([[5, 2], [0, 0]]), torch.tensor([[True, True], [False, False]])
    )
    weights = banked.with_attention(dataclasses.replace(batch(), bank=bank))[1][0]
    assert weights.shape == (5, 2 + 3, 3, 4)
    assert float(weights[:2, 2:].abs().max()) == 0.0
    assert float(weights[2:, :2].abs().max()) == 0.0
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(5, 3, 4))


def test_gradients_reach_every_parameter_but_not_the_archive() -> None:
    _, banked = pair()
    archive = torch.randn(3, 6, 3, 4)
    bank = BankInput(archive, torch.tensor([[0, 1], [2, 1]]), torch.ones(2, 2, dtype=torch.bool))
    banked(dataclasses.replace(batch(), bank=bank)).square().sum().backward()
    assert all(
        parameter.grad is not None and parameter.grad.isfinite().all() for parameter in banked.parameters()
    )
    assert archive.grad is None


def test_a_missing_bank_is_refused() -> None:
    with pytest.raises(ValueError, match="reads a bank"):
        pair()[1](batch())

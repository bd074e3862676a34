"""The heads: published sizes, names, and what enters each classifier."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch.nn import functional as F

from stages.lib.errors import StageError
from stages.lib.models.builders import build_head
from stages.lib.models.heads import Head
from stages.lib.models.inputs import BankInput, HeadInput
from stages.lib.models.roi import actor_vectors

KINDS = ("linear", "acar", "linear-afb", "acar-afb", "acar-acfb")
CHANNELS, CLASSES, HIDDEN = 10, 5, 6


def make(kind: str, **options: object) -> Head:
    torch.manual_seed(8)
    return build_head(kind, channels=CHANNELS, classes=CLASSES, reduce=8, hidden=HIDDEN, **options).eval()


def batch(kind: str, *, boxes: int = 3) -> HeadInput:
    torch.manual_seed(9)
    corner = torch.rand(boxes, 2) * 0.5
    archive = torch.randn(4, HIDDEN, 3, 4) if kind.endswith("acfb") else torch.randn(4, CHANNELS)
    bank = BankInput(
        archive,
        torch.tensor([[0, 1], [2, 3], [0, 0]]),
        torch.tensor([[True, False], [True, True], [False, False]]),
    )
    image = torch.tensor([2, 0, 2])[:boxes]
    inputs = HeadInput(torch.randn(3, CHANNELS, 8, 10), torch.cat([corner, corner + 0.4], dim=1), image)
    return dataclasses.replace(inputs, bank=bank) if kind.endswith("fb") else inputs


@pytest.mark.parametrize(
    ("kind", "options", "expected"),
    [
        ("linear", {}, 138_240),
        ("acar", {"depth": 2, "output_kernel": 3}, 25_229_312),
        ("acar", {"depth": 1, "output_kernel": 1}, 13_693_952),
        ("acar-acfb", {"depth": 1, "output_kernel": 1}, 13_693_952),
        # Two reductions 2304 to 512, two layers of four 512 x 512, all with bias, and 512 more inputs of the classifier.
        ("linear-afb", {}, 138_240 + 60 * 512 + 2 * 2305 * 512 + 2 * 4 * 513 * 512),
        ("acar-afb", {}, 13_693_952 + 60 * 512 + 2 * 2305 * 512 + 2 * 4 * 513 * 512),
    ],
)
def test_parameter_counts(kind: str, options: dict[str, int], expected: int) -> None:
    with torch.device("meta"):
        head = build_head(kind, channels=2304, classes=60, **options)
    assert sum(parameter.numel() for parameter in head.parameters()) == expected


def test_acar_names_and_shapes() -> None:
    with torch.device("meta"):
        state = build_head("acar", channels=2304, classes=60, depth=2, output_kernel=3).state_dict()
    layers = {f"hr2o.{d}.conv_{part}.weight": (512, 512, 3, 3) for d in range(2) for part in "qkv"}
    layers |= {f"hr2o.{d}.conv.weight": (512, 512, 3, 3) for d in range(2)}
    layers |= {f"hr2o.{d}.norm.{part}": (512,) for d in range(2) for part in ("weight", "bias")}
    assert {name: tuple(tensor.shape) for name, tensor in state.items()} == layers | {
        "input_scale": (),
        "conv_reduce.weight": (1024, 2304, 1, 1),
        "encoder.conv1.weight": (512, 2048, 1, 1),
        "encoder.conv2.weight": (512, 512, 3, 3),
        "fc1.weight": (512, 1024),
        "fc2.weight": (60, 1024),
    }


def test_acfb_takes_acar_weights_by_name() -> None:
    options = {"depth": 2, "output_kernel": 3}
    result = make("acar-acfb", **options).load_state_dict(make("acar", **options).state_dict())
    assert not result.missing_keys
    assert not result.unexpected_keys


@torch.no_grad()
def test_linear_is_a_product_with_the_scaled_vector() -> None:
    head, inputs = make("linear", input_scale=1.5), batch("linear")
    vectors = actor_vectors(inputs.maps_BCHW, inputs.boxes_N4, inputs.box_image_N)
    torch.testing.assert_close(head(inputs), 1.5 * vectors @ head.fc.weight.T, rtol=1e-4, atol=1e-5)
    assert head.fc.bias is None
    assert make("linear", bias=True, classifier_dropout=0.5).fc.bias is not None


@torch.no_grad()
def test_acar_follows_the_published_order() -> None:
    head, inputs = make("acar", input_scale=0.5), batch("acar")
    context = head.conv_reduce(0.5 * inputs.maps_BCHW)
    actors = actor_vectors(context, inputs.boxes_N4, inputs.box_image_N)
    related = head.hr2o(head.encoder(context, actors, inputs.box_image_N), inputs.box_image_N).mean(
        dim=(2, 3)
    )
    wanted = torch.cat([F.relu(actors @ head.fc1.weight.T), related], dim=1) @ head.fc2.weight.T
    torch.testing.assert_close(head(inputs), wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["linear-afb", "acar-afb"])
@torch.no_grad()
def test_actor_bank_is_read_on_the_scale_of_the_actors(kind: str) -> None:
    """Scaling by the head or beforehand is the same, so raw vectors are what the bank holds."""
    inputs = batch(kind)
    bank = inputs.bank
    assert bank is not None
    scaled, plain = make(kind, input_scale=2.0), make(kind)
    before = dataclasses.replace(
        inputs, maps_BCHW=2 * inputs.maps_BCHW, bank=dataclasses.replace(bank, archive=2 * bank.archive)
    )
    torch.testing.assert_close(scaled(inputs), plain(before), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_no_boxes_give_no_rows(kind: str) -> None:
    assert make(kind)(batch(kind, boxes=0)).shape == (0, CLASSES)


@pytest.mark.parametrize("kind", KINDS)
def test_no_boxes_keep_the_graph(kind: str) -> None:
    head = make(kind)
    head(batch(kind, boxes=0)).sum().backward()
    assert any(parameter.grad is not None for parameter in head.parameters())


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_half_precision_maps_are_read(kind: str) -> None:
    inputs = batch(kind)
    halved = dataclasses.replace(inputs, maps_BCHW=inputs.maps_BCHW.half())
    found = make(kind)(halved)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, make(kind)(inputs), rtol=0.05, atol=0.05)


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_order_of_boxes_is_free(kind: str) -> None:
    head, inputs, order = make(kind), batch(kind), torch.tensor([2, 0, 1])
    turned = dataclasses.replace(
        inputs, boxes_N4=inputs.boxes_N4[order], box_image_N=inputs.box_image_N[order]
    )
    torch.testing.assert_close(head(turned), head(inputs)[order], rtol=1e-4, atol=1e-5)


def test_dropout_acts_in_training_only() -> None:
    head, inputs = make("acar", dropout=0.5), batch("acar")
    assert torch.equal(head(inputs), head(inputs))
    head.train()
    assert not torch.equal(head(inputs), head(inputs))


def test_unknown_kind_is_the_users_fault() -> None:
    with pytest.raises(StageError, match="unknown kind"):
        make("transformer")

"""Imported networks compute what their upstream computes: against plain twins, at published sizes and small pictures."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from stages.lib.models.builders import build_backbone, build_head
from stages.lib.models.formats.identify import identify
from stages.lib.models.formats.reading import Source
from stages.lib.models.inputs import HeadInput
from stages.lib.models.slowfast import for_inference
from stages.lib.models.weights import load_into
from tests.unit.lib.models.formats.twins import Twin, pooled, relation_twin
from tests.unit.lib.models.formats.upstream import (
    R50,
    R101,
    R152,
    AcarNames,
    Caffe2Names,
    Net,
    PySlowFastNames,
    draw_backbone,
    draw_linear,
    draw_relation,
)

HALF = {"slow": 6, "fast": 6}
NETS = {
    "r50 of ACAR-Net": ("r50", Net(AcarNames(fusion_bn=True), R50, 7)),
    "r101 of ACAR-Net, convolutions": ("r101", Net(AcarNames(fusion_bn=False), R101, 5)),
    "r101 of ACAR-Net, batch norms": ("r101-bn", Net(AcarNames(fusion_bn=True), R101, 5)),
    "r152 of ACAR-Net": ("r152", Net(AcarNames(fusion_bn=False), R152, 5)),
    "r50 of PySlowFast": ("r50", Net(PySlowFastNames(), R50, 7)),
    "r101 50_50 of PySlowFast, non-local": ("r101-50-50", Net(PySlowFastNames(), R101, 5, HALF, (6, 13, 20))),
    "r101 50_101 of PySlowFast": ("r101-50-101", Net(PySlowFastNames(), R101, 5, {"slow": 6, "fast": 23})),
    "r50 of Caffe2": ("r50", Net(Caffe2Names(), R50, 7)),
    "r101 50_50 of Caffe2, non-local": ("r101-50-50", Net(Caffe2Names(), R101, 5, HALF, (6, 13, 20))),
    "r101 50_50 of Caffe2": ("r101-50-50-plain", Net(Caffe2Names(), R101, 5, HALF)),
}


def deviation(found: Tensor, wanted: Tensor) -> float:
    """Largest difference, relative to the largest value."""
    assert found.shape == wanted.shape
    return float((found - wanted).abs().max() / wanted.abs().max())


@pytest.mark.parametrize("case", NETS)
def test_backbones(case: str) -> None:
    row, net = NETS[case]
    state = draw_backbone(net)
    model = identify(Source(state, "drawn"))
    assert model.row == row
    assert model.head is None
    network = build_backbone(row)
    load_into(network, model.backbone, "drawn")
    clip = torch.randn(1, 3, 8, 48, 40, generator=torch.Generator().manual_seed(3))
    with torch.inference_mode():
        slow, fast = for_inference(network)(clip[:, :, ::4], clip)
        twin = Twin(net, state)(clip[:, :, ::4], clip)
    worst = max(deviation(slow, twin["slow"]), deviation(fast, twin["fast"]))
    assert worst < 1e-4
    assert 0.05 < float(twin["slow"].abs().mean()) < 20
    if net.non_local:
        without = Twin(Net(net.names, net.depths, net.kernel, net.temporal), state)
        assert deviation(without(clip[:, :, ::4], clip)["slow"], twin["slow"]) > 1e-2


def scene(channels: int) -> HeadInput:
    """Two keyframes with three people and one person."""
    generator = torch.Generator().manual_seed(4)
    corner = torch.rand(4, 2, generator=generator) * 0.5
    boxes = torch.cat([corner, corner + 0.15 + torch.rand(4, 2, generator=generator) * 0.3], dim=1)
    maps = torch.randn(2, channels, 9, 11, generator=generator).relu()
    return HeadInput(maps, boxes, torch.tensor([0, 1, 0, 0]))


@pytest.mark.parametrize(("depth", "kernel"), [(1, 1), (2, 3)])
def test_relation_heads(depth: int, kernel: int) -> None:
    state = draw_relation(2304, 60, depth, kernel)
    model = identify(Source({f"module.head.module.{name}": t for name, t in state.items()}, "drawn"))
    assert model.arch is None
    assert model.head is not None
    head = build_head("acar", channels=2304, classes=60, depth=depth, output_kernel=kernel)
    load_into(head, {"input_scale": torch.tensor(1.0)} | model.weights, "drawn")
    inputs = scene(2304)
    with torch.inference_mode():
        found = head.eval()(inputs)
        wanted = relation_twin(state, inputs.maps_BCHW, inputs.boxes_N4, inputs.box_image_N)
    assert deviation(found, wanted) < 1e-4


@pytest.mark.parametrize(
    ("weight", "bias", "classes", "aligned"),
    [
        ("module.head.module.fc.weight", "", 60, False),
        ("head.projection.weight", "head.projection.bias", 80, True),
        ("pred_w", "pred_b", 80, False),
    ],
)
def test_linear_heads(weight: str, bias: str, classes: int, aligned: bool) -> None:
    state = draw_linear(2304, classes, weight, bias)
    model = identify(Source(state, "drawn"))
    assert model.head is not None
    assert (model.head.kind, model.head.classes, model.head.bias) == ("linear", classes, bool(bias))
    head = build_head("linear", channels=2304, classes=classes, bias=bool(bias), roi_aligned=aligned)
    load_into(head, {"input_scale": torch.tensor(1.0)} | model.weights, "drawn")
    inputs = scene(2304)
    with torch.inference_mode():
        found = head.eval()(inputs)
        vectors = pooled(inputs.maps_BCHW, inputs.boxes_N4, inputs.box_image_N, aligned=aligned)
        wanted = torch.nn.functional.linear(vectors, state[weight], state.get(bias))
    assert deviation(found, wanted) < 1e-4

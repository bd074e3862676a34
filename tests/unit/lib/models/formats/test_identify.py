"""What is told from names and shapes, and that every tensor is used exactly once or the file is refused."""

from __future__ import annotations

import pytest
import torch

from stages.lib.errors import StageError
from stages.lib.models.formats.identify import Model, identify
from stages.lib.models.formats.reading import Source
from tests.unit.lib.models.formats.upstream import (
    AcarNames,
    Caffe2Names,
    Net,
    PySlowFastNames,
    State,
    draw_backbone,
    draw_linear,
    draw_relation,
    tiny,
)

ACAR, PSF, BLOBS = AcarNames(fusion_bn=True), PySlowFastNames(), Caffe2Names()
PROJECTION = ("head.projection.weight", "head.projection.bias")


def seen(state: State, **how: object) -> Model:
    return identify(Source(state, "file.pth"), **how)


def refusal(state: State, **how: object) -> str:
    with pytest.raises(StageError) as caught:
        seen(state, **how)
    text = str(caught.value)
    assert "file.pth" in text
    assert "Mend it:" in text
    return text


@pytest.fixture(scope="module")
def acar() -> State:
    return draw_backbone(tiny(ACAR))


@pytest.fixture(scope="module")
def psf() -> State:
    return draw_backbone(tiny(PSF))


@pytest.mark.parametrize(
    "prefixes", [("", ""), ("module.", "module."), ("module.backbone.module.", "module.head.module.")]
)
def test_wrapped_and_bare_names_are_the_same_model(acar: State, prefixes: tuple[str, str]) -> None:
    head = draw_relation(320, 60, 2, 3, reduce=8, hidden=6)
    state = {prefixes[0] + name: tensor for name, tensor in acar.items()}
    state |= {prefixes[1] + name: tensor for name, tensor in head.items()}
    model = seen(state)
    assert (model.naming.title, model.row) == ("ACAR-Net", "playground")
    assert model.head is not None
    assert (model.head.kind, model.head.depth, model.head.output_kernel) == ("acar", 2, 3)
    assert (model.head.channels, model.head.reduce, model.head.hidden, model.head.classes) == (320, 8, 6, 60)
    assert len(model.backbone) == len(acar)
    assert len(model.weights) == len(head)
    assert torch.equal(model.backbone["fast.stem.conv.weight"], acar["fast_conv1.weight"])
    assert torch.equal(model.weights["encoder.conv2.weight"], head["conv2.weight"])


def test_equal_networks_of_three_namings_are_equal_here() -> None:
    models = [seen(draw_backbone(tiny(names))) for names in (ACAR, PSF, BLOBS)]
    for model in models:
        for name, tensor in models[0].backbone.items():
            if not name.endswith("num_batches_tracked"):
                assert torch.equal(model.backbone[name], tensor), name
    assert int(models[0].backbone["slow.stem.bn.num_batches_tracked"]) == 1234
    assert int(models[2].backbone["slow.stem.bn.num_batches_tracked"]) == 0


def test_left_over_tensors_are_listed(acar: State) -> None:
    text = refusal(
        {f"module.{name}": tensor for name, tensor in acar.items()} | {"module.extra.a": torch.ones(1)}
    )
    assert "1 left over: module.extra.a" in text
    text = refusal(acar | {f"strange.{n}": torch.ones(1) for n in range(20)})
    assert "20 left over: strange.0, " in text
    assert "and 8 more" in text


def test_missing_tensors_are_listed(acar: State) -> None:
    lacking = {name: tensor for name, tensor in acar.items() if name != "slow_res2.0.bn2.weight"}
    assert "1 missing: slow_res2.0.bn2.weight" in refusal(lacking)
    assert "slow_conv1.weight is missing" in refusal(
        {n: t for n, t in acar.items() if n != "slow_conv1.weight"}
    )
    assert "Tconv1.0.weight is missing" in refusal({n: t for n, t in acar.items() if n != "Tconv1.0.weight"})


def test_counters_may_be_missing(psf: State) -> None:
    model = seen({name: tensor for name, tensor in psf.items() if not name.endswith("num_batches_tracked")})
    assert len(model.backbone) == len(psf)
    assert int(model.backbone["fuse.1.bn.num_batches_tracked"]) == 0


def test_another_shape_is_told(acar: State) -> None:
    text = refusal(acar | {"fast_res2.0.bn1.bias": torch.zeros(9)})
    assert "1 of another shape: fast_res2.0.bn1.bias ([9] instead of [8])" in text
    assert "not five dimensions" in refusal(acar | {"slow_conv1.weight": torch.zeros(16, 3, 7, 7)})


def test_the_same_tensor_twice_is_refused(acar: State) -> None:
    text = refusal(acar | {"module.slow_conv1.weight": acar["slow_conv1.weight"]})
    assert "slow_conv1.weight and module.slow_conv1.weight are the same tensor" in text


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_are_not_finite_are_refused(acar: State, value: float) -> None:
    bad = acar["Tconv2.0.weight"].clone()
    bad[0, 0, 0] = value
    assert "the first is module.Tconv2.0.weight" in refusal(
        {f"module.{n}": bad if n == "Tconv2.0.weight" else t for n, t in acar.items()}
    )


def test_precision(acar: State) -> None:
    name = "slow_res1.0.conv2.weight"
    half = seen(acar | {name: acar[name].half()}).backbone["slow.res2.0.conv_b.weight"]
    assert half.dtype == torch.float32
    assert torch.equal(half, acar[name].half().float())
    assert torch.equal(
        seen(acar | {name: acar[name].double()}).backbone["slow.res2.0.conv_b.weight"], acar[name]
    )
    assert f"{name} holds float64 numbers" in refusal(acar | {name: acar[name].double() + 1e-12})
    assert f"{name} holds int64 numbers" in refusal(acar | {name: acar[name].long()})


@pytest.mark.parametrize("classes", [400, 600, 700])
def test_projections_for_clips_are_set_aside(psf: State, classes: int) -> None:
    state = psf | draw_linear(320, classes, *PROJECTION)
    model = seen(state)
    assert model.head is None
    assert model.aside == {f"head.projection.weight and the rest of a head of {classes} outputs": 2}
    asked = seen(state, head_classes=classes)
    assert asked.head is not None
    assert asked.head.classes == classes


def test_heads_are_kept_or_left_out(psf: State) -> None:
    state = psf | draw_linear(320, 80, *PROJECTION)
    assert seen(state).weights.keys() == {"fc.weight", "fc.bias"}
    assert seen(state, with_head=False).weights == {}
    alone = seen(draw_linear(320, 80, "module.head.projection.weight", "module.head.projection.bias"))
    assert (alone.row, alone.backbone) == (None, {})
    assert alone.head is not None


def test_broken_heads_are_refused(acar: State) -> None:
    head = draw_relation(320, 60, 1, 1, reduce=8, hidden=6)
    assert "1 missing: conv2.weight" in refusal(acar | {n: t for n, t in head.items() if n != "conv2.weight"})
    assert "1 missing: conv_reduce.weight" in refusal(
        {n: t for n, t in head.items() if n != "conv_reduce.weight"}
    )
    text = refusal(acar | head | {"fc1.weight": torch.zeros(6, 7)})
    assert "fc1.weight ([6, 7] instead of [6, 8])" in text
    assert "sizes of the acar head" in refusal(acar | head | {"conv2.weight": torch.zeros(())})
    assert "left over: fc.bias" in refusal(acar | {"fc.bias": torch.zeros(60)})


@pytest.mark.parametrize(
    ("net", "told"),
    [
        (Net(AcarNames(fusion_bn=False), (3, 4, 6, 3), 5), "depth R50 (3-4-6-3 blocks)"),
        (Net(PSF, (3, 4, 6, 3), 5), "fusions kernel 5, batch norm and ReLU"),
        (Net(PSF, (3, 4, 6, 3), 5), "PySlowFast's 4x16 networks are like this"),
        (Net(PSF, (3, 4, 6, 3), 7, {"slow": 2, "fast": 6}), "4: 3 x2 1 x4/3"),
        (Net(PSF, (3, 4, 6, 3), 7, non_local=(1, 3)), "after blocks 1, 3 of the slow pathway's stage 4"),
    ],
)
def test_a_network_without_a_row_is_described(net: Net, told: str) -> None:
    small = Net(net.names, net.depths, net.kernel, net.temporal, mid=SLIM, out=SLIM_OUT)
    state = draw_backbone(small)
    for block in net.non_local:
        state |= {f"s4.pathway0_nonlocal{block}.conv_theta.weight": torch.zeros(1, 1, 1, 1, 1)}
    text = refusal(state)
    assert "none of the architectures r50, r101" in text
    assert told in text


SLIM = {"slow": (4, 4, 4, 4), "fast": (2, 2, 2, 2)}
SLIM_OUT = {"slow": (8, 8, 8, 8), "fast": (4, 4, 4, 4)}


@pytest.mark.parametrize(
    "names",
    [
        ["conv1.weight", "layer1.0.conv1.weight", "fc.weight", "fc.bias"],
        ["blocks.0.attn.qkv.weight", "head.projection.weight"],
        ["backbone.conv1.weight", "roi_head.bbox_head.fc_cls.weight"],
        [],
    ],
)
def test_other_networks_are_not_recognised(names: list[str]) -> None:
    assert "not the names of a network that can be imported" in refusal({n: torch.ones(2, 2) for n in names})


def test_the_same_network_in_pytorchvideos_names_is_told() -> None:
    names = ["blocks.0.multipathway_blocks.0.conv.weight", "blocks.6.proj.weight"]
    text = refusal({name: torch.ones(2, 2) for name in names})
    assert "PyTorchVideo's names" in text
    assert "from PySlowFast's model zoo" in text


def test_a_network_with_one_pathway_is_told() -> None:
    single = {n: t for n, t in draw_backbone(tiny(PSF)).items() if "pathway0" in n}
    assert "give a whole checkpoint of a network with a slow and a fast pathway" in refusal(single)

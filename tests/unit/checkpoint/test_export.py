"""Export: what has a counterpart keeps its numbers, what has none is refused."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import Tensor

from stages.checkpoint.export import Whole, export_acar, export_pyslowfast
from stages.lib.errors import StageError
from stages.lib.models.builders import backbone_of, build_head
from stages.lib.models.formats import acar, pyslowfast
from stages.lib.models.formats.mapping import shapes_of
from stages.lib.models.formats.naming import Naming
from stages.lib.models.formats.variant import infer_arch
from stages.lib.models.headfile import TrainedHead
from stages.lib.models.inputs import HeadInput
from stages.lib.models.slowfast import SlowFastArch
from stages.lib.models.weights import Weights
from tests.unit.checkpoint.drawn import slim
from tests.unit.lib.models.formats.twins import Twin, pooled, relation_twin
from tests.unit.lib.models.formats.upstream import (
    AcarNames,
    PySlowFastNames,
    State,
    draw_backbone,
)

HALF = {"slow": 6, "fast": 23}
FACTS = {
    "architecture": "slim",
    "sampling": {"fast_frames": 32, "stride": 2, "slow_rule": "full-span"},
    "mean": [0.45] * 3,
    "std": [0.225] * 3,
}


def own(state: State, naming: Naming, **facts: object) -> Whole:
    """A network of few channels as a file of ours would hold it."""
    arch = infer_arch(naming, shapes_of(state), "x")
    table = naming.table(arch)
    tensors = {ours: state[name] for name, ours in table.items()}
    return Whole(Weights(tensors, {**FACTS, **facts}, "b" * 64), arch, "body")


def with_head(whole: Whole, kind: str, *, scale: float = 1.0, bias: bool = False, poses: int = 13) -> Whole:
    torch.manual_seed(5)
    head = build_head(
        kind,
        channels=12,
        classes=60,
        reduce=8,
        hidden=6,
        depth=2,
        output_kernel=3,
        bias=bias,
        input_scale=scale,
    )
    facts = {
        "kind": kind,
        "depth": 2,
        "bias": bias,
        "backbone_sha": "b" * 64,
        "pose_indices": list(range(poses)),
    }
    return dataclasses.replace(whole, head=TrainedHead(head.eval(), facts, "h"), head_where="head")


def plain() -> Whole:
    return own(draw_backbone(slim(AcarNames(fusion_bn=True))), acar.NAMING)


def inputs() -> HeadInput:
    generator = torch.Generator().manual_seed(1)
    boxes = torch.tensor([[0.1, 0.1, 0.6, 0.9], [0.3, 0.2, 0.9, 0.8], [0.0, 0.0, 0.5, 0.5]])
    return HeadInput(torch.randn(2, 12, 6, 7, generator=generator), boxes, torch.tensor([0, 0, 1]))


def test_narrow_kernels_are_embedded_in_wide_ones_and_compute_the_same() -> None:
    net = slim(PySlowFastNames(), temporal=HALF)
    whole = own(draw_backbone(net), pyslowfast.NAMING)
    state = export_acar(whole).content
    assert tuple(state["slow_res3.10.conv1.weight"].shape) == (4, 8, 3, 1, 1)
    wide = slim(AcarNames(fusion_bn=True))
    clip = torch.randn(1, 3, 8, 32, 32, generator=torch.Generator().manual_seed(2))
    network = backbone_of(whole.arch)
    network.load_state_dict(whole.backbone.tensors)
    with torch.inference_mode():
        slow, fast = network.eval()(clip[:, :, ::4], clip)
        twin = Twin(wide, state)(clip[:, :, ::4], clip)
    torch.testing.assert_close(twin["slow"], slow, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(twin["fast"], fast, rtol=1e-4, atol=1e-5)


def test_prefixes_follow_the_head_or_the_wish() -> None:
    whole = plain()
    assert "slow_conv1.weight" in export_acar(whole).content
    wrapped = export_acar(whole, prefix=True).content["state_dict"]
    assert all(name.startswith("module.backbone.module.") for name in wrapped)
    full = export_acar(with_head(whole, "acar")).content["state_dict"]
    assert "module.head.module.hr2o.1.conv.weight" in full
    assert "fc2.weight" in export_acar(with_head(whole, "acar"), prefix=False).content["state_dict"]


@pytest.mark.parametrize("scale", [1.0, 0.7])
def test_the_factor_of_our_heads_is_taken_into_their_first_layer(scale: float) -> None:
    for kind in ("acar", "linear"):
        whole = with_head(plain(), kind, scale=scale)
        assert whole.head is not None
        state = export_acar(whole, prefix=False).content["state_dict"]
        assert "input_scale" not in state
        scene = inputs()
        with torch.inference_mode():
            logits = whole.head.head(scene)
            theirs = logits_of(kind, state, scene)
        torch.testing.assert_close(theirs, logits, rtol=1e-4, atol=1e-5)
        if scale == 1.0:
            own_names = whole.head.head.state_dict()
            assert torch.equal(
                state["fc.weight" if kind == "linear" else "conv_reduce.weight"],
                own_names["fc.weight" if kind == "linear" else "conv_reduce.weight"],
            )


def logits_of(kind: str, state: State, scene: HeadInput) -> Tensor:
    if kind == "acar":
        return relation_twin(state, scene.maps_BCHW, scene.boxes_N4, scene.box_image_N)
    vectors = pooled(scene.maps_BCHW, scene.boxes_N4, scene.box_image_N, aligned=False)
    return vectors @ state["fc.weight"].T


def test_pyslowfast_gets_a_bias_of_zeros() -> None:
    state = export_pyslowfast(with_head(plain(), "linear")).content["model_state"]
    assert torch.equal(state["head.projection.bias"], torch.zeros(60))
    own_bias = with_head(plain(), "linear", bias=True)
    assert own_bias.head is not None
    state = export_pyslowfast(own_bias).content["model_state"]
    assert torch.equal(state["head.projection.bias"], own_bias.head.head.state_dict()["fc.bias"])


@pytest.mark.parametrize("kind", ["linear-afb", "acar-afb", "acar-acfb"])
def test_heads_with_a_bank_exist_here_only(kind: str) -> None:
    with pytest.raises(StageError, match=f"head: the head is of kind {kind}, which only this project has"):
        export_acar(with_head(plain(), kind))
    with pytest.raises(StageError, match=f"PySlowFast has no head of kind {kind}"):
        export_pyslowfast(with_head(plain(), kind))


def test_what_the_other_project_lacks_is_refused() -> None:
    with pytest.raises(StageError, match="has a bias, ACAR-Net's linear head has none"):
        export_acar(with_head(plain(), "linear", bias=True))
    with pytest.raises(StageError, match="PySlowFast has no head of kind acar"):
        export_pyslowfast(with_head(plain(), "acar"))
    convolutions = own(draw_backbone(slim(AcarNames(fusion_bn=False))), acar.NAMING)
    with pytest.raises(StageError, match="body: the fusions of slim have no batch norm"):
        export_pyslowfast(convolutions)
    arch: SlowFastArch = dataclasses.replace(plain().arch, non_local=(6,))
    with pytest.raises(StageError, match="body: slim has non-local blocks, for which ACAR-Net has no place"):
        export_acar(dataclasses.replace(plain(), arch=arch))


def test_what_a_file_cannot_say_is_said() -> None:
    notes = "\n".join(export_pyslowfast(with_head(plain(), "linear")).notes)
    for part in (
        "full-span; 32 fast frames, 2 apart",
        "mean [0.45",
        "by default there shifted by half a pixel",
    ):
        assert part in notes
    assert "trained with a softmax over the poses, there it is sigmoids alone" in notes
    other = "\n".join(export_acar(with_head(plain(), "linear", poses=0)).notes)
    assert "trained with sigmoids alone, there it is a softmax over the poses" in other
    assert "probabilities" not in "\n".join(export_acar(with_head(plain(), "linear")).notes)

"""What is assumed about an imported checkpoint, by family and variant, and how choices and settings overrule it."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from stages.checkpoint.core import Given, assumed, backbone_part, head_part
from stages.lib.annotations.labelmap import AVA_EVALUATED, label_map
from stages.lib.errors import StageError
from stages.lib.models.formats.settings import Settings
from stages.lib.models.slowfast import find_arch
from tests.unit.checkpoint.drawn import acar, caffe2, given, pyslowfast, relation
from tests.unit.lib.models.formats.upstream import draw_linear

TINY = find_arch("playground")
K700_MEAN = [value / 255 for value in (110.63666788, 103.16065604, 96.29023126)]
K700_STD = [value / 255 for value in (38.7568578, 37.88248729, 40.02898126)]


def test_the_teams_networks_are_told_by_their_fusions() -> None:
    """Convolutions alone: every fourth frame and Kinetics-700's statistics; with batch norm: made from PySlowFast's."""
    from_psf = given(acar())
    facts = backbone_part(from_psf).facts
    assert facts["sampling"] == {"fast_frames": 32, "stride": 2, "slow_rule": "full-span"}
    assert (facts["mean"], facts["std"], facts["rate"]) == ([0.45] * 3, [0.225] * 3, 30.0)
    assert (facts["family"], facts["architecture"], facts["classes"]) == ("backbone", "playground", None)
    arch = dataclasses.replace(TINY, fusion_bn=False)
    team = dataclasses.replace(from_psf, model=dataclasses.replace(from_psf.model, arch=arch))
    facts = backbone_part(team).facts
    assert facts["sampling"]["slow_rule"] == "stride"
    assert facts["mean"] == pytest.approx(K700_MEAN, abs=1e-8)
    assert facts["std"] == pytest.approx(K700_STD, abs=1e-8)


def test_choices_overrule_settings_and_settings_overrule_the_family() -> None:
    settings = Settings(aligned=False, fast_frames=64, stride=4)
    plain = given(pyslowfast(), settings)
    assert backbone_part(plain).facts["sampling"] == {
        "fast_frames": 64,
        "stride": 4,
        "slow_rule": "full-span",
    }
    assert head_part(plain, TINY).facts["roi_aligned"] is False
    assert assumed(plain) == ("frame rate of 30 Hz", "slow frames", "normalisation")
    choices = {"slow_rule": "stride", "sampling": "8x8", "rate": 25.0, "normalisation": "k700"}
    chosen = given(pyslowfast(), settings, **choices, roi_aligned=True)
    facts = backbone_part(chosen).facts
    assert facts["sampling"] == {"fast_frames": 32, "stride": 2, "slow_rule": "stride"}
    assert facts["mean"] == pytest.approx(K700_MEAN, abs=1e-8)
    assert head_part(chosen, TINY).facts["roi_aligned"] is True
    assert assumed(chosen) == ()
    assert assumed(given(pyslowfast())) == (
        "sampling",
        "frame rate of 30 Hz",
        "slow frames",
        "normalisation",
        "RoIAlign",
    )
    assert given(acar(), sampling="16x8").choices.sampling == "16x8"
    assert backbone_part(given(acar(), sampling="16x8")).facts["sampling"]["fast_frames"] == 64


def non_local(settings: Settings = Settings(), **choices: object) -> Given:  # noqa: B008
    """A checkpoint of R101 "50_50" as far as its facts go."""
    plain = given(pyslowfast(), settings, **choices)
    arch = find_arch("r101-50-50")
    model = dataclasses.replace(plain.model, arch=arch, row="r101-50-50")
    return dataclasses.replace(plain, model=model)


def test_the_pool_of_non_local_blocks_is_told_or_assumed() -> None:
    """Weights do not show it; a checkpoint's own configuration may, and the user may say otherwise."""
    flat = Settings(non_local_pool=(1, 2, 2), non_local="dot_product")
    assert backbone_part(non_local()).facts["architecture"] == "r101-50-50"
    assert "pool of non-local blocks" in assumed(non_local())
    assert backbone_part(non_local(flat)).facts["architecture"] == "r101-50-50-pool122"
    assert "pool of non-local blocks" not in assumed(non_local(flat))
    chosen = non_local(flat, non_local_pool=(2, 2, 2))
    assert backbone_part(chosen).facts["architecture"] == "r101-50-50"
    assert find_arch("r101-50-50-pool122").non_local_pool == (1, 2, 2)
    with pytest.raises(StageError, match="keys pooled 1x1x1"):
        backbone_part(non_local(Settings(non_local_pool=(1, 1, 1))))
    with pytest.raises(StageError, match="of the kind softmax"):
        backbone_part(non_local(Settings(non_local="softmax")))
    with pytest.raises(StageError, match="has no non-local blocks"):
        backbone_part(given(pyslowfast(), non_local_pool=(1, 2, 2)))


def test_another_alpha_is_refused() -> None:
    with pytest.raises(StageError, match="every 8th fast frame"):
        backbone_part(given(pyslowfast(), Settings(alpha=8)))


@pytest.mark.parametrize(
    ("state", "aligned", "poses", "kind", "bias"),
    [
        (acar(), False, 13, "acar", False),
        (acar(head=draw_linear(320, 60, "fc.weight")), False, 13, "linear", False),
        (pyslowfast(), True, 0, "linear", True),
        (caffe2(), False, 0, "linear", True),
    ],
    ids=["relation", "linear", "pyslowfast", "caffe2"],
)
def test_heads_by_family(
    state: dict[str, torch.Tensor], aligned: bool, poses: int, kind: str, bias: bool
) -> None:
    part = head_part(given(state), TINY)
    facts = part.facts
    assert (facts["kind"], facts["bias"], facts["roi_aligned"]) == (kind, bias, aligned)
    assert len(facts["pose_indices"]) == poses
    assert float(part.tensors["input_scale"]) == 1.0
    assert len(facts["class_ids"]) == len(facts["class_names"]) in (60, 80)


def test_pyslowfasts_zoo_with_non_local_blocks_was_trained_without_alignment() -> None:
    assert head_part(given(pyslowfast()), TINY).facts["roi_aligned"] is True
    with_blocks = dataclasses.replace(TINY, non_local=(0,))
    assert head_part(given(pyslowfast()), with_blocks).facts["roi_aligned"] is False


def test_classes_of_60_and_80_outputs() -> None:
    sixty = head_part(given(acar()), TINY).facts
    assert sixty["class_ids"] == list(AVA_EVALUATED)
    assert (sixty["class_names"][10], sixty["class_names"][59]) == ("stand", "watch (a person)")
    eighty = head_part(given(pyslowfast()), TINY).facts
    assert eighty["class_ids"] == list(range(1, 81))
    assert eighty["class_names"][1] == "crawl"


@pytest.mark.parametrize("state", [pyslowfast(), acar(head=relation(80))], ids=["linear", "relation"])
def test_the_evaluated_rows_of_80(state: dict[str, torch.Tensor]) -> None:
    whole, kept = head_part(given(state), TINY), head_part(given(state, evaluated_only=True), TINY)
    rows = [number - 1 for number in AVA_EVALUATED]
    assert kept.facts["class_ids"] == list(AVA_EVALUATED)
    assert kept.facts["class_names"][33] == "ride (e.g., a bike, a car, a horse)"
    for name, tensor in whole.tensors.items():
        chosen = tensor[rows] if name in ("fc.weight", "fc.bias", "fc2.weight") else tensor
        assert torch.equal(kept.tensors[name], chosen), name
    assert {len(t) for n, t in kept.tensors.items() if n in ("fc.weight", "fc.bias", "fc2.weight")} == {60}


def test_other_numbers_of_classes_need_a_label_map() -> None:
    odd = acar(head=relation(24))
    with pytest.raises(
        StageError, match=r"24 outputs.*--labelmap FILE\.pbtxt, or leave the head out with --no-head"
    ):
        head_part(given(odd), TINY)
    labels = label_map([3, 40, 7], ["c", "x", "g"])
    with pytest.raises(StageError, match="the head has 24 outputs, the label map 3 classes"):
        head_part(given(odd, labels=labels), TINY)
    facts = head_part(given(acar(head=relation(3)), labels=labels), TINY).facts
    assert (facts["class_ids"], facts["class_names"]) == ([3, 7, 40], ["c", "g", "x"])
    assert facts["pose_indices"] == [0, 1]
    with pytest.raises(StageError, match="do not include the 60"):
        head_part(given(acar(head=relation(3)), labels=labels, evaluated_only=True), TINY)


def test_a_head_of_other_maps_is_refused() -> None:
    with pytest.raises(StageError, match="reads 320 channels, the backbone gives 2304"):
        head_part(given(relation()), find_arch("r50"))

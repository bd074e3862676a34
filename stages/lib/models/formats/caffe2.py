"""The blob names of Caffe2 files, which PySlowFast's older zoo is made of; `t_` stands before the fast pathway."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from stages.lib.models.formats.naming import Depths, Kind, Layer, Naming, linear_head

WEIGHT, BIAS = "pred_w", "pred_b"
SUFFIXES: Final[Mapping[Kind, Mapping[str, str]]] = {
    "conv": {"weight": "_w"},
    "biased": {"weight": "_w", "bias": "_b"},
    "norm": {"weight": "_s", "bias": "_b", "running_mean": "_rm", "running_var": "_riv"},
}


def layer_name(layer: Layer, depths: Depths, fusion_bn: bool) -> str:
    """`conv1`, `t_res2_0_branch2a_bn`, `nonlocal_conv4_6_theta`; a fusion is named after the layer that it reads."""
    ending = "_bn" if layer.kind == "norm" else ""
    fast = "t_" if layer.pathway == "fast" else ""
    if layer.part == "stem":
        return f"{fast}{'res_' if ending else ''}conv1{ending}"
    if layer.part == "fusion":
        last = depths[layer.stage - 2] - 1
        source = "t_pool1" if layer.stage == 1 else f"t_res{layer.stage}_{last}_branch2c_bn"
        return f"{source}_subsample{ending}"
    place = f"{layer.stage}_{layer.block}"
    if layer.part == "shortcut":
        return f"{fast}res{place}_branch1{ending}"
    if layer.part in ("a", "b", "c"):
        return f"{fast}res{place}_branch2{layer.part}{ending}"
    return f"nonlocal_conv{place}_bn" if ending else f"nonlocal_conv{place}_{layer.part}"


def is_solver_blob(name: str) -> bool:
    """Whether a blob belongs to the training: a momentum, a learning rate, or the count of iterations."""
    return name.endswith(("_momentum", "_lr")) or name in ("lr", "model_iter")


NAMING = Naming(
    title="Caffe2",
    layer=layer_name,
    suffixes=SUFFIXES,
    backbone_markers=frozenset({"res_conv1_bn_s", "t_res_conv1_bn_s", "t_pool1_subsample_w"}),
    head_markers=frozenset(),
    lone=frozenset({WEIGHT, BIAS}),
    prefixes=(),
    head=lambda shapes: linear_head(shapes, WEIGHT, BIAS),
)

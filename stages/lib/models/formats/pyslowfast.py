"""PySlowFast's names (`.pyth` files, and the torch files among its `.pkl`): pathway 0 is slow, 1 is fast."""

from __future__ import annotations

from stages.lib.models.formats.naming import TORCH_SUFFIXES, Depths, Layer, Naming, linear_head

WEIGHT, BIAS = "head.projection.weight", "head.projection.bias"


def layer_name(layer: Layer, depths: Depths, fusion_bn: bool) -> str:
    """`s1.pathway0_stem.conv`, `s2.pathway1_res0.branch2.a_bn`, `s1_fuse.conv_f2s`, `s4.pathway0_nonlocal6.conv_g`."""
    norm = layer.kind == "norm"
    if layer.part == "fusion":
        return f"s{layer.stage}_fuse.{'bn' if norm else 'conv_f2s'}"
    pathway = f"s{layer.stage}.pathway{0 if layer.pathway == 'slow' else 1}"
    if layer.part == "stem":
        return f"{pathway}_stem.{'bn' if norm else 'conv'}"
    ending = "_bn" if norm else ""
    if layer.part == "shortcut":
        return f"{pathway}_res{layer.block}.branch1{ending}"
    if layer.part in ("a", "b", "c"):
        return f"{pathway}_res{layer.block}.branch2.{layer.part}{ending}"
    return f"{pathway}_nonlocal{layer.block}.{'bn' if norm else f'conv_{layer.part}'}"


NAMING = Naming(
    title="PySlowFast",
    layer=layer_name,
    suffixes=TORCH_SUFFIXES,
    backbone_markers=frozenset(
        {"s1.pathway0_stem.conv.weight", "s1.pathway1_stem.conv.weight", "s1_fuse.conv_f2s.weight"}
    ),
    head_markers=frozenset(),
    lone=frozenset({WEIGHT, BIAS}),
    prefixes=(("module.",),),
    head=lambda shapes: linear_head(shapes, WEIGHT, BIAS),
)

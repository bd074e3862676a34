"""ACAR-Net's names. Its stages are called res1 to res4, and the shortcut's batch norm stands beside the shortcut.

Full checkpoints are wrapped per part (`module.backbone.module.`, `module.head.module.`); pre-trained backbones are flat.
"""

from __future__ import annotations

from stages.lib.models.formats.naming import TORCH_SUFFIXES, Depths, Head, Layer, Naming, Shapes, linear_head

BACKBONE_PREFIX, HEAD_PREFIX = "module.backbone.module.", "module.head.module."


def layer_name(layer: Layer, depths: Depths, fusion_bn: bool) -> str:
    """`slow_conv1`, `fast_res3.0.bn2`, `Tconv1` or `Tconv1.0`; a fusion with batch norm is a sequence of two."""
    norm = layer.kind == "norm"
    if layer.part == "stem":
        return f"{layer.pathway}_{'bn1' if norm else 'conv1'}"
    if layer.part == "fusion":
        return f"Tconv{layer.stage}" + (f".{int(norm)}" if fusion_bn else "")
    block = f"{layer.pathway}_res{layer.stage - 1}.{layer.block}"
    if layer.part == "shortcut":
        return f"{block}.{'downsample_bn' if norm else 'downsample.0'}"
    if layer.part not in ("a", "b", "c"):
        raise ValueError("ACAR-Net has no non-local blocks")
    return f"{block}.{'bn' if norm else 'conv'}{'abc'.index(layer.part) + 1}"


def relation_table(depth: int) -> dict[str, str]:
    """Our name of every tensor of the relation head with `depth` HR2O layers."""
    table = {
        "conv_reduce.weight": "conv_reduce.weight",
        "conv1.weight": "encoder.conv1.weight",
        "conv2.weight": "encoder.conv2.weight",
    }
    for layer in range(depth):
        for name in (
            "conv_q.weight",
            "conv_k.weight",
            "conv_v.weight",
            "norm.weight",
            "norm.bias",
            "conv.weight",
        ):
            table[f"hr2o.{layer}.{name}"] = f"hr2o.{layer}.{name}"
    return table | {"fc1.weight": "fc1.weight", "fc2.weight": "fc2.weight"}


def find_head(shapes: Shapes) -> Head | None:
    """The relation head or the linear head among the shapes; sizes that a missing tensor would tell are zero."""
    if "conv_reduce.weight" not in shapes and "hr2o.0.conv_q.weight" not in shapes:
        return linear_head(shapes, "fc.weight", "fc.bias")
    depth = 0
    while any(name.startswith(f"hr2o.{depth}.") for name in shapes):
        depth += 1
    reduce, channels = _sizes(shapes, "conv_reduce.weight", 2)
    (hidden,) = _sizes(shapes, "conv2.weight", 1)
    (classes,) = _sizes(shapes, "fc2.weight", 1)
    kernel = _sizes(shapes, "hr2o.0.conv.weight", 3)[2]
    return Head("acar", channels, classes, relation_table(depth), reduce, hidden, depth, kernel)


def _sizes(shapes: Shapes, name: str, count: int) -> tuple[int, ...]:
    return (*shapes.get(name, ()), *(0,) * count)[:count]


NAMING = Naming(
    title="ACAR-Net",
    layer=layer_name,
    suffixes=TORCH_SUFFIXES,
    backbone_markers=frozenset({"slow_conv1.weight", "fast_conv1.weight", "slow_res1.0.conv1.weight"}),
    head_markers=frozenset({"conv_reduce.weight", "hr2o.0.conv_q.weight"}),
    lone=frozenset({"fc.weight"}),
    prefixes=(("module.",), ("backbone.", "head."), ("module.",)),
    head=find_head,
)

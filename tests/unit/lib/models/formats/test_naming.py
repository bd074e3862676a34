"""The naming tables: one upstream name per tensor of ours, as the published key tables have them."""

from __future__ import annotations

import pytest
import torch

from stages.lib.models.builders import backbone_of, build_backbone
from stages.lib.models.formats import acar, caffe2, pyslowfast
from stages.lib.models.formats.naming import COUNTER, Naming, layers
from stages.lib.models.slowfast import ARCHS, find_arch

NAMINGS = {"acar": acar.NAMING, "pyslowfast": pyslowfast.NAMING, "caffe2": caffe2.NAMING}
PAIRS = [
    (naming.title, row, naming)
    for naming in NAMINGS.values()
    for row, arch in ARCHS.items()
    if not (naming is acar.NAMING and arch.non_local)
]


@pytest.mark.parametrize(
    ("title", "row", "naming"), PAIRS, ids=lambda part: part if isinstance(part, str) else ""
)
def test_a_table_covers_the_network_exactly_once(title: str, row: str, naming: Naming) -> None:
    with torch.device("meta"):
        own = set(build_backbone(row).state_dict())
    table = naming.table(find_arch(row))
    assert len(set(table.values())) == len(table)
    lacking = own - set(table.values())
    assert set(table.values()) <= own
    assert all(title == "Caffe2" and name.endswith(COUNTER) for name in lacking)


@pytest.mark.parametrize(
    ("ours", "acar_name", "pyslowfast_name", "caffe2_name"),
    [
        ("slow.stem.conv.weight", "slow_conv1.weight", "s1.pathway0_stem.conv.weight", "conv1_w"),
        ("fast.stem.conv.weight", "fast_conv1.weight", "s1.pathway1_stem.conv.weight", "t_conv1_w"),
        (
            "slow.stem.bn.running_var",
            "slow_bn1.running_var",
            "s1.pathway0_stem.bn.running_var",
            "res_conv1_bn_riv",
        ),
        ("fast.stem.bn.weight", "fast_bn1.weight", "s1.pathway1_stem.bn.weight", "t_res_conv1_bn_s"),
        (
            "slow.res2.0.shortcut.conv.weight",
            "slow_res1.0.downsample.0.weight",
            "s2.pathway0_res0.branch1.weight",
            "res2_0_branch1_w",
        ),
        (
            "fast.res5.0.shortcut.bn.bias",
            "fast_res4.0.downsample_bn.bias",
            "s5.pathway1_res0.branch1_bn.bias",
            "t_res5_0_branch1_bn_b",
        ),
        (
            "slow.res4.5.conv_a.weight",
            "slow_res3.5.conv1.weight",
            "s4.pathway0_res5.branch2.a.weight",
            "res4_5_branch2a_w",
        ),
        (
            "fast.res3.2.bn_c.running_mean",
            "fast_res2.2.bn3.running_mean",
            "s3.pathway1_res2.branch2.c_bn.running_mean",
            "t_res3_2_branch2c_bn_rm",
        ),
        ("fuse.0.conv.weight", "Tconv1.0.weight", "s1_fuse.conv_f2s.weight", "t_pool1_subsample_w"),
        ("fuse.0.bn.weight", "Tconv1.1.weight", "s1_fuse.bn.weight", "t_pool1_subsample_bn_s"),
        (
            "fuse.2.conv.weight",
            "Tconv3.0.weight",
            "s3_fuse.conv_f2s.weight",
            "t_res3_3_branch2c_bn_subsample_w",
        ),
        (
            "fuse.3.bn.running_var",
            "Tconv4.1.running_var",
            "s4_fuse.bn.running_var",
            "t_res4_5_branch2c_bn_subsample_bn_riv",
        ),
    ],
)
def test_names_of_r50(ours: str, acar_name: str, pyslowfast_name: str, caffe2_name: str) -> None:
    names = (acar_name, pyslowfast_name, caffe2_name)
    for naming, name in zip(NAMINGS.values(), names, strict=True):
        assert naming.table(find_arch("r50"))[name] == ours


def test_names_of_fusions_and_non_local_blocks_of_r101() -> None:
    assert acar.NAMING.table(find_arch("r101"))["Tconv4.weight"] == "fuse.3.conv.weight"
    theirs = pyslowfast.NAMING.table(find_arch("r101-50-50"))
    assert theirs["s4.pathway0_nonlocal13.conv_theta.bias"] == "slow.res4.13.non_local.conv_theta.bias"
    assert theirs["s4.pathway0_nonlocal20.bn.weight"] == "slow.res4.20.non_local.bn_out.weight"
    blobs = caffe2.NAMING.table(find_arch("r101-50-50"))
    assert blobs["nonlocal_conv4_6_out_w"] == "slow.res4.6.non_local.conv_out.weight"
    assert blobs["nonlocal_conv4_6_bn_riv"] == "slow.res4.6.non_local.bn_out.running_var"
    assert blobs["t_res4_22_branch2c_bn_subsample_w"] == "fuse.3.conv.weight"
    with pytest.raises(ValueError, match="no non-local"):
        acar.NAMING.table(find_arch("r101-50-50"))


@pytest.mark.parametrize(("row", "tensors"), [("r50", 660), ("r101", 1252), ("r152", 1864)])
def test_numbers_of_tensors(row: str, tensors: int) -> None:
    assert len(acar.NAMING.table(find_arch(row))) == tensors


def test_layers_stand_where_their_names_say() -> None:
    arch = find_arch("r101-50-50")
    with torch.device("meta"):
        modules = dict(backbone_of(arch).named_modules())
    for layer in layers(arch):
        parameters = {name for name, _ in modules[layer.ours].named_parameters()}
        assert parameters == ({"weight"} if layer.kind == "conv" else {"weight", "bias"}), layer.ours


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("slow_conv1.weight", "slow_conv1.weight"),
        ("module.slow_conv1.weight", "slow_conv1.weight"),
        ("module.backbone.module.slow_conv1.weight", "slow_conv1.weight"),
        ("module.head.module.hr2o.0.norm.bias", "hr2o.0.norm.bias"),
        ("head.fc.weight", "fc.weight"),
    ],
)
def test_wrappers_are_taken_off(name: str, plain: str) -> None:
    assert acar.NAMING.plain(name) == plain
    assert pyslowfast.NAMING.plain("module.head.projection.weight") == "head.projection.weight"

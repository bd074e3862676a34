"""The only place where numbers become networks: backbones by name, heads by kind."""

from __future__ import annotations

from typing import Any, Literal

from stages.lib.errors import StageError
from stages.lib.models.heads import AcarAcfbHead, AcarAfbHead, AcarHead, Head, LinearAfbHead, LinearHead
from stages.lib.models.slowfast import (
    SlowFast,
    SlowFastArch,
    SlowFastClassifier,
    find_arch,
    initialise_backbone,
)

LastStage = Literal["dilated", "strided"]


def build_backbone(name: str, *, last_stage: LastStage = "dilated") -> SlowFast:
    """The network of a row of `ARCHS`; its last stage keeps stride 16, or has 32 ("strided")."""
    return backbone_of(find_arch(name), last_stage=last_stage)


def backbone_of(arch: SlowFastArch, *, last_stage: LastStage = "dilated") -> SlowFast:
    """The network of any row of numbers."""
    dilated = last_stage == "dilated"
    return SlowFast(
        slow_stem=arch.slow.stem,
        slow_mid=arch.slow.mid,
        slow_out=arch.slow.out,
        slow_temporal_kernels=arch.slow.temporal_kernels,
        slow_stem_kernel=arch.slow.stem_kernel,
        fast_stem=arch.fast.stem,
        fast_mid=arch.fast.mid,
        fast_out=arch.fast.out,
        fast_temporal_kernels=arch.fast.temporal_kernels,
        fast_stem_kernel=arch.fast.stem_kernel,
        alpha=arch.alpha,
        fusion_kernel=arch.fusion_kernel,
        fusion_bn=arch.fusion_bn,
        last_stride=arch.last_stride if dilated else 2,
        last_dilation=arch.last_dilation if dilated else 1,
        non_local=arch.non_local,
        non_local_pool=arch.non_local_pool,
    )


def build_classifier(
    name: str,
    *,
    classes: int,
    dropout: float = 0.5,
    last_stage: LastStage = "dilated",
    zero_last_gamma: bool = False,
) -> SlowFastClassifier:
    """A freshly drawn backbone with a clip classifier, for pre-training; seed torch first."""
    backbone = build_backbone(name, last_stage=last_stage)
    initialise_backbone(backbone, zero_last_gamma=zero_last_gamma)
    return SlowFastClassifier(backbone, classes, dropout)


def build_head(
    kind: str,
    *,
    channels: int,
    classes: int,
    reduce: int = 1024,
    hidden: int = 512,
    depth: int = 1,
    output_kernel: int = 1,
    dropout: float = 0.2,
    roi_aligned: bool = False,
    roi_scale: str = "grid",
    bias: bool = False,
    classifier_dropout: float = 0.0,
    bank_layers: int = 2,
    mask_padding: bool = True,
    include_live: bool = False,
    input_scale: float = 1.0,
) -> Head:
    """A freshly drawn head: "linear", "acar", "linear-afb", "acar-afb" or "acar-acfb"; seed torch first.

    The defaults are the R101 "DEPTH1" head; R50's has depth 2 and output kernel 3. `dropout` acts inside HR2O
    and the bank operator, `classifier_dropout` and `bias` belong to the linear heads.
    """
    if kind == "linear":
        return LinearHead(
            channels,
            classes,
            bias=bias,
            dropout=classifier_dropout,
            aligned=roi_aligned,
            by_pixels=roi_scale == "pixels",
            input_scale=input_scale,
        )
    if kind == "linear-afb":
        return LinearAfbHead(
            channels,
            classes,
            hidden=hidden,
            bank_layers=bank_layers,
            bank_dropout=dropout,
            mask_padding=mask_padding,
            bias=bias,
            dropout=classifier_dropout,
            aligned=roi_aligned,
            by_pixels=roi_scale == "pixels",
            input_scale=input_scale,
        )
    shared: dict[str, Any] = {
        "reduce": reduce,
        "hidden": hidden,
        "depth": depth,
        "output_kernel": output_kernel,
        "dropout": dropout,
        "aligned": roi_aligned,
        "by_pixels": roi_scale == "pixels",
        "input_scale": input_scale,
    }
    if kind == "acar":
        return AcarHead(channels, classes, **shared)
    if kind == "acar-afb":
        return AcarAfbHead(channels, classes, **shared, bank_layers=bank_layers, mask_padding=mask_padding)
    if kind == "acar-acfb":
        return AcarAcfbHead(channels, classes, **shared, include_live=include_live)
    raise StageError(
        f"unknown kind of head {kind!r}", "heads", "linear, acar, linear-afb, acar-afb or acar-acfb"
    )

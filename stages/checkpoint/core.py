"""What an imported checkpoint becomes: tensors under our names, and the facts that later stages hold it to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import torch
from torch import Tensor

from stages.lib.annotations.ava_classes import ava_label_map
from stages.lib.annotations.labelmap import AVA_EVALUATED, LabelMap, label_map
from stages.lib.errors import StageError
from stages.lib.models.formats import acar, pyslowfast
from stages.lib.models.formats.identify import Model
from stages.lib.models.formats.settings import Settings
from stages.lib.models.formats.variant import find_row
from stages.lib.models.slowfast import SlowFastArch, SlowRule

Normalisation = Literal["psf", "k700"]
Sampling = Literal["8x8", "16x8"]

RATE: Final = 30.0
DROPOUT: Final = 0.2
# Mean and deviation of RGB in [0, 1]: PySlowFast's, and the ACAR team's over Kinetics-700 (given in 0..255).
STATISTICS: Final[Mapping[Normalisation, tuple[tuple[float, ...], tuple[float, ...]]]] = {
    "psf": ((0.45, 0.45, 0.45), (0.225, 0.225, 0.225)),
    "k700": (
        tuple(round(value / 255, 8) for value in (110.63666788, 103.16065604, 96.29023126)),
        tuple(round(value / 255, 8) for value in (38.7568578, 37.88248729, 40.02898126)),
    ),
}
FRAMES: Final[Mapping[Sampling, int]] = {"8x8": 32, "16x8": 64}
STRIDE: Final = 2
CLASSIFIER: Final = ("fc.weight", "fc.bias", "fc2.weight")


@dataclass(frozen=True)
class Choices:
    """What the user says about a checkpoint; None leaves it to the checkpoint's settings, family and variant.

    evaluated_only: keep the outputs of AVA's 60 evaluated classes; labels: classes of the head, in order of its outputs.
    """

    slow_rule: SlowRule | None = None
    normalisation: Normalisation | None = None
    sampling: Sampling | None = None
    rate: float | None = None
    non_local_pool: tuple[int, int, int] | None = None
    roi_aligned: bool | None = None
    evaluated_only: bool = False
    labels: LabelMap | None = None
    with_head: bool = True


@dataclass(frozen=True)
class Given:
    """A checkpoint that is to be imported: understood, with its own settings, the user's choices, and its origin."""

    model: Model
    settings: Settings
    choices: Choices
    origin: Mapping[str, Any]
    where: str


@dataclass(frozen=True)
class Part:
    """A weight file to be: tensors by our names, and its metadata."""

    tensors: Mapping[str, Tensor]
    facts: dict[str, Any]


def backbone_part(given: Given) -> Part:
    """The backbone with the facts that stage extract checks.

    Raises:
        StageError: the checkpoint's own settings ask for what this project does not do.
    """
    model, settings, choices = given.model, given.settings, given.choices
    assert model.arch is not None
    if settings.alpha not in (None, model.arch.alpha):
        what = f"its slow pathway sees every {settings.alpha}th fast frame"
        raise StageError(what, given.where, f"only networks with alpha {model.arch.alpha} can be imported")
    of_team = model.naming is acar.NAMING and not model.arch.fusion_bn
    mean, std = STATISTICS[choices.normalisation or ("k700" if of_team else "psf")]
    frames, stride = settings.fast_frames or FRAMES["8x8"], settings.stride or STRIDE
    if choices.sampling is not None:
        frames, stride = FRAMES[choices.sampling], STRIDE
    slow_rule = choices.slow_rule or ("stride" if of_team else "full-span")
    facts = {
        "family": "backbone",
        "architecture": _row(given, model.arch),
        "sampling": {"fast_frames": frames, "stride": stride, "slow_rule": slow_rule},
        "rate": choices.rate or RATE,
        "mean": list(mean),
        "std": list(std),
        "classes": None,
        "training": None,
        "origin": dict(given.origin),
    }
    return Part(model.backbone, facts)


def _row(given: Given, arch: SlowFastArch) -> str | None:
    """The row of the architecture table, with the pool of non-local blocks that is told; it does not show in shapes."""
    if not arch.non_local:
        if given.choices.non_local_pool is not None:
            raise StageError("has no non-local blocks", given.where, "leave --non-local-pool out")
        return given.model.row
    if given.settings.non_local not in (None, "dot_product"):
        what = f"its non-local blocks are of the kind {given.settings.non_local}"
        raise StageError(what, given.where, "only networks with dot_product can be imported")
    pool = given.choices.non_local_pool or given.settings.non_local_pool
    return given.model.row if pool is None else find_row(replace(arch, non_local_pool=pool), given.where)


def head_part(given: Given, arch: SlowFastArch) -> Part:
    """The head with the facts that stage predict needs, but for the fingerprint of its backbone.

    Raises:
        StageError: its classes are not known, or it does not read the maps of `arch`.
    """
    head, choices = given.model.head, given.choices
    assert head is not None
    if head.channels != arch.channels:
        what = f"the head reads {head.channels} channels, the backbone gives {arch.channels}"
        raise StageError(what, given.where, "give the backbone that the head was trained on")
    labels = head_classes(head.classes, choices, given.where)
    tensors = {"input_scale": torch.tensor(1.0)} | given.model.weights
    if choices.evaluated_only:
        labels, tensors = _evaluated(labels, tensors)
    facts = {
        "family": "head",
        "kind": head.kind,
        "channels": head.channels,
        "reduce": head.reduce,
        "hidden": head.hidden,
        "depth": head.depth,
        "output_kernel": head.output_kernel,
        "dropout": DROPOUT,
        "bias": head.bias,
        "roi_aligned": roi_aligned(given, arch),
        "roi_scale": "grid" if given.model.naming is acar.NAMING else "pixels",
        "class_ids": list(labels.ids),
        "class_names": list(labels.names),
        "pose_indices": list(labels.pose_indices) if given.model.naming is acar.NAMING else [],
        "bank": None,
        "memory": None,
        "features": "fine-tuned",
        "training": None,
        "origin": dict(given.origin),
    }
    return Part(tensors, facts)


def _evaluated(labels: LabelMap, tensors: Mapping[str, Tensor]) -> tuple[LabelMap, dict[str, Tensor]]:
    """The classes that AVA evaluates, and the classifier's rows for them."""
    rows = [k for k, number in enumerate(labels.ids) if number in AVA_EVALUATED]
    kept = label_map([labels.ids[k] for k in rows], [labels.names[k] for k in rows])
    return kept, {name: value[rows] if name in CLASSIFIER else value for name, value in tensors.items()}


def assumed(given: Given) -> tuple[str, ...]:
    """What follows from the family and variant alone, because neither the user nor the checkpoint says it."""
    choices, settings = given.choices, given.settings
    says = {
        "sampling": choices.sampling or settings.fast_frames,
        f"frame rate of {RATE:g} Hz": choices.rate,
        "slow frames": choices.slow_rule,
        "normalisation": choices.normalisation,
    }
    told: dict[str, object] = dict(says) if given.model.arch else {}
    if given.model.arch and given.model.arch.non_local:
        told["pool of non-local blocks"] = choices.non_local_pool or settings.non_local_pool
    if given.model.head is not None:
        aligned = settings.aligned if choices.roi_aligned is None else choices.roi_aligned
        told = told | {"RoIAlign": aligned}
    return tuple(title for title, value in told.items() if value is None)


def head_classes(outputs: int, choices: Choices, where: str) -> LabelMap:
    """The class of each output of a head.

    Raises:
        StageError: a label map of another length, an unknown number of outputs, or no 60 evaluated classes among them.
    """
    labels = choices.labels or ava_label_map(outputs)
    if labels is None:
        what = (
            f"the head has {outputs} outputs, and only those of 60 (AVA's evaluated classes) or 80 are known"
        )
        fix = f"name its {outputs} classes with --labelmap FILE.pbtxt, or leave the head out with --no-head"
        raise StageError(what, where, fix)
    if len(labels.ids) != outputs:
        what = f"the head has {outputs} outputs, the label map {len(labels.ids)} classes"
        raise StageError(what, where, "give the label map that the head was trained with")
    if choices.evaluated_only and not set(AVA_EVALUATED) <= set(labels.ids):
        what = "the classes of the head do not include the 60 that AVA evaluates"
        raise StageError(what, where, "leave --classes 60 out")
    return labels


def roi_aligned(given: Given, arch: SlowFastArch) -> bool:
    """Whether RoIAlign shifts by half a pixel: as told, as the checkpoint's settings say, else by family.

    PySlowFast's own training aligns; its zoo with non-local blocks was trained in Caffe2, which did not.
    """
    for told in (given.choices.roi_aligned, given.settings.aligned):
        if told is not None:
            return told
    return given.model.naming is pyslowfast.NAMING and not arch.non_local

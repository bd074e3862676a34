"""Our weights under the names of ACAR-Net or PySlowFast; what has no counterpart there is refused, never dropped."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from stages.lib.errors import StageError
from stages.lib.models.formats import acar, pyslowfast
from stages.lib.models.formats.mapping import to_theirs
from stages.lib.models.headfile import TrainedHead
from stages.lib.models.slowfast import SlowFastArch
from stages.lib.models.weights import Weights

Format = Literal["acar", "pyslowfast"]
PIXELS: Final = {True: "shifted by half a pixel", False: "not shifted"}

SCALES: Final = {"grid": "the frame covers the map", "pixels": "a cell is 16 pixels"}


@dataclass(frozen=True)
class Whole:
    """A backbone, its network's numbers, perhaps a head, and the files they come from."""

    backbone: Weights
    arch: SlowFastArch
    where: str
    head: TrainedHead | None = None
    head_where: str = ""


@dataclass(frozen=True)
class Exported:
    """A dictionary for `torch.save`, and what the upstream's form cannot say about it."""

    content: dict[str, Any]
    notes: tuple[str, ...]


def export_acar(whole: Whole, *, prefix: bool | None = None) -> Exported:
    """ACAR-Net's form: with a head a full checkpoint with the wrappers' prefixes, a backbone alone flat and bare.

    `prefix` decides otherwise. Narrow temporal kernels are embedded in wide ones, which computes the same.

    Raises:
        StageError: non-local blocks, or a head that ACAR-Net does not have.
    """
    arch, head = whole.arch, whole.head
    if arch.non_local:
        name = whole.backbone.metadata["architecture"]
        what = f"{name} has non-local blocks, for which ACAR-Net has no place"
        raise StageError(what, whole.where, "export it with --format pyslowfast")
    wide = _wide(arch)
    tensors = to_theirs(_widened(whole.backbone.tensors, arch, wide), acar.NAMING.table(wide))
    heads = to_theirs(_scaled(head), _acar_head(head, whole.head_where)) if head else {}
    prefix = head is not None if prefix is None else prefix
    if prefix:
        tensors = {acar.BACKBONE_PREFIX + name: tensor for name, tensor in tensors.items()}
        heads = {acar.HEAD_PREFIX + name: tensor for name, tensor in heads.items()}
    content = {"state_dict": tensors | heads} if head or prefix else tensors
    return Exported(content, _notes(whole, softmax=True, aligned=False))


def export_pyslowfast(whole: Whole) -> Exported:
    """PySlowFast's form: a dictionary with `model_state`; a linear head without bias gets one of zeros.

    Raises:
        StageError: fusions without batch norm, or a relation head.
    """
    arch, head = whole.arch, whole.head
    if not arch.fusion_bn:
        name = whole.backbone.metadata["architecture"]
        what = f"the fusions of {name} have no batch norm, PySlowFast's always have one"
        raise StageError(what, whole.where, "export it with --format acar")
    tensors = to_theirs(whole.backbone.tensors, pyslowfast.NAMING.table(arch))
    if head is not None:
        if head.kind != "linear":
            what = f"PySlowFast has no head of kind {head.kind}"
            raise StageError(what, whole.head_where, "export the backbone's file alone, or a linear head")
        own = _scaled(head)
        tensors[pyslowfast.WEIGHT] = own["fc.weight"]
        tensors[pyslowfast.BIAS] = own.get("fc.bias", torch.zeros(own["fc.weight"].shape[0]))
    return Exported({"model_state": tensors}, _notes(whole, softmax=False, aligned=True))


def _acar_head(head: TrainedHead, where: str) -> dict[str, str]:
    """Our name of each tensor of a head, by ACAR-Net's name."""
    if head.kind == "acar":
        return acar.relation_table(int(head.metadata["depth"]))
    if head.kind == "linear" and not head.metadata.get("bias"):
        return {"fc.weight": "fc.weight"}
    if head.kind == "linear":
        what, fix = "has a bias, ACAR-Net's linear head has none", "export it with --format pyslowfast"
    else:
        what, fix = f"is of kind {head.kind}, which only this project has", "export the backbone's file alone"
    raise StageError(f"the head {what}", where, fix)


def _scaled(head: TrainedHead) -> dict[str, Tensor]:
    """A head's tensors with the fixed factor on its maps taken into the layer that reads them, where RoIAlign commutes."""
    tensors = dict(head.head.state_dict())
    scale = tensors.pop("input_scale")
    first = "conv_reduce.weight" if "conv_reduce.weight" in tensors else "fc.weight"
    return tensors | {first: tensors[first] * scale}


def _wide(arch: SlowFastArch) -> SlowFastArch:
    """The network with one temporal kernel per stage, the widest of its blocks."""
    slow, fast = (
        dataclasses.replace(
            pathway,
            temporal_kernels=tuple((max(kernels),) * len(kernels) for kernels in pathway.temporal_kernels),
        )
        for pathway in (arch.slow, arch.fast)
    )
    return dataclasses.replace(arch, slow=slow, fast=fast)


def _widened(tensors: Mapping[str, Tensor], arch: SlowFastArch, wide: SlowFastArch) -> dict[str, Tensor]:
    """Kernels of one frame in the centre of kernels of three, zeros around them."""
    widened = dict(tensors)
    for name, pathway, wider in (("slow", arch.slow, wide.slow), ("fast", arch.fast, wide.fast)):
        for stage, kernels in enumerate(pathway.temporal_kernels):
            for block, kernel in enumerate(kernels):
                place = f"{name}.res{stage + 2}.{block}.conv_a.weight"
                rim = (wider.temporal_kernels[stage][block] - kernel) // 2
                widened[place] = F.pad(tensors[place], (0, 0, 0, 0, rim, rim))
    return widened


def _notes(whole: Whole, *, softmax: bool, aligned: bool) -> tuple[str, ...]:
    """What the other project must be told beside the file, or does otherwise."""
    facts, head = whole.backbone.metadata, whole.head
    sampling = facts["sampling"]
    notes = [
        f"slow frames: {sampling['slow_rule']}; {sampling['fast_frames']} fast frames, {sampling['stride']} apart",
        f"normalisation: mean {facts['mean']}, deviation {facts['std']}, of RGB in [0, 1]",
    ]
    if whole.arch.non_local:
        notes.append(f"non-local blocks: keys pooled {whole.arch.non_local_pool} (time, height, width)")
    if head is not None:
        own = bool(head.metadata.get("roi_aligned"))
        notes.append(
            f"RoIAlign: {PIXELS[own]}" + ("" if own == aligned else f", by default there {PIXELS[aligned]}")
        )
        own_scale, theirs_scale = head.metadata.get("roi_scale", "grid"), "grid" if softmax else "pixels"
        if own_scale != theirs_scale:
            notes.append(f"RoIAlign's scale: {SCALES[own_scale]}, there {SCALES[theirs_scale]}")
        if bool(head.metadata.get("pose_indices")) != softmax:
            ours, theirs = ("a softmax over the poses", "sigmoids alone")
            ours, theirs = (theirs, ours) if softmax else (ours, theirs)
            notes.append(f"probabilities: this head was trained with {ours}, there it is {theirs}")
    return tuple(notes)

"""What a head starts from: a fresh draw, or the weights of another head under the same names.

Shapes: C channels, K classes, R rows and S columns of a layer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from stages.lib.config.heads import HeadConfig
from stages.lib.errors import StageError
from stages.lib.models.builders import build_head
from stages.lib.models.heads import Head


def fresh_head(config: HeadConfig, channels: int, classes: int, input_scale: float, seed: int) -> Head:
    """A head with the configuration's kind and sizes, drawn from `seed`."""
    torch.manual_seed(seed)
    memory = {"mask_padding", "include_live"}
    return build_head(
        config.kind,
        channels=channels,
        classes=classes,
        reduce=config.reduce,
        hidden=config.hidden,
        depth=config.depth,
        output_kernel=config.output_kernel,
        dropout=config.dropout,
        roi_aligned=config.roi_aligned,
        roi_scale=config.roi_scale,
        input_scale=input_scale,
        **(config.memory.model_dump(include=memory) if config.memory else {}),
    )


def check_start(metadata: Mapping[str, Any], class_ids: Sequence[int], backbone_sha: str, where: str) -> None:
    """Raise a StageError unless the weights to start from are a head for the same classes and backbone weights."""
    if metadata.get("family") != "head":
        raise StageError("these are not the weights of a head", where, "give weights written by stage train")
    if list(metadata["class_ids"]) != list(class_ids):
        raise StageError(
            "the head to start from knows other classes", where, "start from a head of the same label map"
        )
    if metadata["backbone_sha"] != backbone_sha:
        raise StageError(
            f"the head to start from was trained with backbone weights {metadata['backbone_sha'][:12]}, "
            f"these maps come from {backbone_sha[:12]}",
            where,
            "start from a head of the same backbone",
        )


def start_from(head: Head, tensors: Mapping[str, Tensor], where: str) -> tuple[str, ...]:
    """Copy the tensors of another head by name; returns the names that keep their fresh draw, wholly or in part.

    A classifier that reads more inputs than the other's takes its columns first and keeps the rest fresh.

    Raises:
        StageError: a tensor of the other head has no place here.
    """
    own = head.state_dict()
    fresh = [name for name in own if name not in tensors]
    for name, given in tensors.items():
        if name not in own or not _fits(own[name], given):
            shape = (
                f"{list(own[name].shape)} instead of {list(given.shape)}" if name in own else "no such tensor"
            )
            raise StageError(
                f"the weights to start from do not fit: {name} is {shape} here",
                where,
                "start from a head of the same backbone, sizes and classes",
            )
        if own[name].shape == given.shape:
            own[name] = given
            continue
        own[name] = own[name].clone()
        own[name][:, : given.shape[1]] = given
        fresh.append(name)
    head.load_state_dict(own)
    return tuple(fresh)


def _fits(own: Tensor, given: Tensor) -> bool:
    if own.shape == given.shape:
        return True
    widened = own.ndim == given.ndim == 2 and own.shape[0] == given.shape[0]
    return widened and own.shape[1] > given.shape[1]

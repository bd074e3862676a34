"""The fast inference form of a network: batch norms folded into convolutions, channels-last memory."""

from __future__ import annotations

import copy
from typing import TypeVar

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

Net = TypeVar("Net", bound=nn.Module)


def fold_conv_bn(network: Net) -> Net:
    """An evaluation copy of `network` whose every `bn*` lives inside its `conv*`; same outputs."""
    folded = copy.deepcopy(network).eval()
    for module in list(folded.modules()):
        children = dict(module.named_children())
        for name, norm in children.items():
            if isinstance(norm, nn.BatchNorm3d):
                conv_name = "conv" + name.removeprefix("bn")
                conv = children[conv_name]
                assert isinstance(conv, nn.Conv3d)
                setattr(module, conv_name, fuse_conv_bn_eval(conv, norm))
                setattr(module, name, nn.Identity())
    return folded


def for_inference(network: Net) -> Net:
    """The folded copy, frozen and in channels-last-3d memory: 1.2 to 1.3 times the speed of eager on a CPU (bench_extract)."""
    return fold_conv_bn(network).requires_grad_(requires_grad=False).to(memory_format=torch.channels_last_3d)

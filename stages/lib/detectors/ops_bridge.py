"""mmcv's compiled operators where mmcv has none: the two that Faster R-CNN needs, from torchvision.

mmcv looks its operators up in the extension module `mmcv._ext`. `mmcv-lite` ships without it, so a module of that
name is put into memory: `nms` and `roi_align_*` call torchvision's kernels, every other name gives a clear error when
it is called. A compiled mmcv is used when there is one. Nothing is written to site-packages.

Shapes: N boxes, R regions, B images, C channels, H x W map, P x Q output grid.
"""

from __future__ import annotations

import importlib
import importlib.machinery
import importlib.util
import logging
import sys
import types
from collections.abc import Callable
from typing import Literal, NoReturn

import torch
import torchvision  # noqa: F401  (registers torch.ops.torchvision)
from torch import Tensor

from stages.lib.errors import StageError

NAME = "mmcv._ext"
LOG = logging.getLogger(__name__)


def install_ops_bridge() -> Literal["mmcv", "torchvision"]:
    """Make `mmcv.ops` importable, and return whose operators it will use; call before the first import of mmdet."""
    present = sys.modules.get(NAME)
    if present is not None:
        return "torchvision" if isinstance(present, _BridgeModule) else "mmcv"
    if importlib.util.find_spec(NAME) is not None:
        try:
            importlib.import_module(NAME)
            LOG.info("detector operators: compiled mmcv")
            return "mmcv"
        except ImportError as error:
            LOG.warning("the compiled mmcv does not load (%s)", error)
            sys.modules.pop(NAME, None)
    bridge = _BridgeModule(NAME)
    bridge.__spec__ = importlib.machinery.ModuleSpec(NAME, loader=None)
    sys.modules[NAME] = bridge
    LOG.info("detector operators: torchvision (mmcv has none compiled)")
    return "torchvision"


class _BridgeModule(types.ModuleType):
    """Stands in for `mmcv._ext`; operators it lacks exist by name and refuse to run."""

    nms: Callable[..., Tensor]

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.nms = _nms
        self.roi_align_forward = _roi_align_forward
        self.roi_align_backward = _roi_align_backward

    def __getattr__(self, name: str) -> Callable[..., NoReturn]:
        if name.startswith("__"):
            raise AttributeError(name)
        return _refusal(name)


def _refusal(name: str) -> Callable[..., NoReturn]:
    def refuse(*_args: object, **_kwargs: object) -> NoReturn:
        raise StageError(
            f"this detector needs mmcv's compiled operator {name!r}, which this installation lacks",
            fix="install a compiled mmcv (see https://mmcv.readthedocs.io), or choose an architecture without it",
        )

    return refuse


def _nms(boxes_N4: Tensor, scores_N: Tensor, iou_threshold: float, offset: int) -> Tensor:
    """Indices kept by greedy suppression, best first; `offset` 1 counts pixels inclusively (x2 - x1 + 1)."""
    if offset:
        boxes_N4 = boxes_N4 + boxes_N4.new_tensor([0.0, 0.0, 1.0, 1.0])
    return torch.ops.torchvision.nms(boxes_N4, scores_N, iou_threshold)


def _roi_align_forward(
    input_BCHW: Tensor,
    rois_R5: Tensor,
    output_RCPQ: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Average RoIAlign, written into `output_RCPQ`."""
    if pool_mode != 1:
        _refusal("roi_align with max pooling")()
    result = torch.ops.torchvision.roi_align(
        input_BCHW, rois_R5, spatial_scale, aligned_height, aligned_width, sampling_ratio, aligned
    )
    output_RCPQ.copy_(result)


def _roi_align_backward(
    gradient_RCPQ: Tensor,
    rois_R5: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    gradient_BCHW: Tensor,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Gradient of average RoIAlign by its input, written into `gradient_BCHW`."""
    assert pool_mode == 1
    result = torch.ops.torchvision._roi_align_backward(
        gradient_RCPQ,
        rois_R5,
        spatial_scale,
        aligned_height,
        aligned_width,
        *gradient_BCHW.shape,
        sampling_ratio,
        aligned,
    )
    gradient_BCHW.copy_(result)

"""Engines: what runs a SlowFast network on normalised clips, as fast as the device can.

Shapes: B clips, T slow frames, F fast frames, H W pixels, C channels, h w cells.
"""

from __future__ import annotations

import functools
import logging
import sys
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from stages.lib.config.backbones import EngineName, Precision
from stages.lib.errors import StageError
from stages.lib.models.precision import DTYPES, require_precision
from stages.lib.models.slowfast import SlowFast, context_maps, fold_conv_bn, for_inference

Engine = Callable[[Tensor, Tensor], Tensor]
"""From normalised clips, slow (B,3,T,H,W) and fast (B,3,F,H,W), to context maps (B,C,h,w) in float32."""

SIZES_KEPT: Final = 4

_log = logging.getLogger(__name__)


def build_engine(
    network: SlowFast, name: EngineName, precision: Precision, device: torch.device, threads: int
) -> Engine:
    """The engine that a configuration names.

    Raises:
        StageError: the device cannot do it well, or OpenVINO is not installed.
    """
    require_precision(precision, device)
    _log.info("engine %s in %s", name, precision)
    if name == "torch":
        return TorchEngine(network, device, DTYPES[precision])
    if device.type != "cpu":
        raise StageError(
            f"OpenVINO runs on the CPU, not on {device}",
            "extract.engine",
            "set it to torch, or give --device cpu",
        )
    return OpenVinoEngine(network, threads)


class TorchEngine:
    """The folded network in channels-last memory, its weights in `dtype`; the time mean is taken in float32.

    In half precision it computes what autocast would, as nothing but convolutions is left, and casts the weights once.
    Float32 convolutions on CUDA may use TF32, which is torch's default.
    """

    def __init__(self, network: SlowFast, device: torch.device, dtype: torch.dtype = torch.float32) -> None:
        self._network, self._dtype = for_inference(network).to(device, dtype), dtype

    @torch.inference_mode()
    def __call__(self, slow_BCTHW: Tensor, fast_BCFHW: Tensor) -> Tensor:
        slow, fast = self._network(slow_BCTHW.to(self._dtype), fast_BCFHW.to(self._dtype))
        return context_maps(slow.float(), fast.float())


class OpenVinoEngine:
    """The folded network in OpenVINO on the CPU, clip by clip, compiled in memory for each size of clip."""

    def __init__(self, network: SlowFast, threads: int) -> None:
        self._openvino = _import_openvino()
        self._network = _WithMaps(fold_conv_bn(network).requires_grad_(requires_grad=False))
        # Not pinned: else the jobs that share a machine would all sit on its first cores.
        self._settings = {
            "INFERENCE_PRECISION_HINT": "f32",
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
            "ENABLE_CPU_PINNING": False,
        }
        self._compiled = functools.lru_cache(maxsize=SIZES_KEPT)(self._compile)

    def __call__(self, slow_BCTHW: Tensor, fast_BCFHW: Tensor) -> Tensor:
        pairs = [(slow_BCTHW[n : n + 1], fast_BCFHW[n : n + 1]) for n in range(len(fast_BCFHW))]
        compiled = self._compiled(pairs[0][0].shape, pairs[0][1].shape)
        maps = [compiled([clip.contiguous().numpy() for clip in pair])[0] for pair in pairs]
        return torch.from_numpy(np.concatenate(maps))

    def _compile(self, slow_shape: torch.Size, fast_shape: torch.Size) -> Any:
        with torch.inference_mode(mode=False), torch.no_grad():
            exported = torch.export.export(self._network, (torch.zeros(slow_shape), torch.zeros(fast_shape)))
            model = self._openvino.convert_model(exported)
        model.reshape({0: list(slow_shape), 1: list(fast_shape)})
        return self._openvino.compile_model(model, "CPU", self._settings)


class _WithMaps(nn.Module):
    """A network and the time mean behind it."""

    def __init__(self, network: SlowFast) -> None:
        super().__init__()
        self.network = network

    def forward(self, slow_BCTHW: Tensor, fast_BCFHW: Tensor) -> Tensor:
        return context_maps(*self.network(slow_BCTHW, fast_BCFHW))


def _import_openvino() -> Any:
    """The package, kept from reporting its use over the network."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    try:
        import openvino
    except ImportError as error:
        raise StageError(
            f"OpenVINO cannot be imported ({error})",
            "extract.engine",
            "`pip install openvino`, or set it to torch",
        ) from error
    return openvino

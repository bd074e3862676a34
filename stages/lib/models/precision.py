"""Where half precision is refused: devices and library versions on which it is slow or gives wrong numbers."""

from __future__ import annotations

from typing import Final

import torch

from stages.lib.config.backbones import Precision
from stages.lib.errors import StageError

DTYPES: Final[dict[Precision, torch.dtype]] = {
    "fp32": torch.float32,
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
}
KEY: Final = "extract.precision"
# Tensor cores: fp16 from Volta on, bf16 from Ampere on.
LEAST_CAPABILITY: Final[dict[Precision, tuple[int, int]]] = {"fp16": (7, 0), "bf16": (8, 0)}
# From 9.8 on wrong bf16 convolutions in 3D (pytorch issue 163539); the first cuDNN with the remedy.
LEAST_CUDNN: Final = 91500


def require_precision(precision: Precision, device: torch.device) -> None:
    """Raise a StageError where `device` with the installed libraries computes a half precision slowly or wrongly."""
    if precision == "fp32":
        return
    if device.type == "cuda":
        check_cuda(
            precision,
            torch_version=str(torch.__version__),
            cudnn=torch.backends.cudnn.version(),  # type: ignore[no-untyped-call]
            capability=torch.cuda.get_device_capability(device),
        )
    else:
        check_cpu(precision, amx=bool(torch.cpu.get_capabilities().get("amx_bf16")))


def check_cuda(
    precision: Precision, *, torch_version: str, cudnn: int | None, capability: tuple[int, int]
) -> None:
    """Raise a StageError unless the GPU has tensor cores for `precision` and the libraries' 3D convolutions are sound.

    `cudnn` counts as cuDNN does, 91500 for 9.15.0, and is None where torch has none.
    """
    least = LEAST_CAPABILITY[precision]
    if capability < least:
        raise StageError(
            f"{precision} is slow on this GPU: its compute capability is {_dotted(capability)}, not {_dotted(least)} or more",
            KEY,
            "set it to fp32",
        )
    if torch_version.split(".")[:2] == ["2", "9"]:
        raise StageError(
            f"torch {torch_version} convolves {precision} in 3D without cuDNN: four times slower, with many times the memory",
            KEY,
            "install torch 2.10 or later, or set it to fp32",
        )
    if cudnn is None or cudnn < LEAST_CUDNN:
        raise StageError(
            f"3D convolutions in {precision} may be wrong with {'no cuDNN' if cudnn is None else f'cuDNN {cudnn}'}",
            KEY,
            f"install a torch that brings cuDNN {LEAST_CUDNN} (9.15) or later, or set it to fp32",
        )


def check_cpu(precision: Precision, *, amx: bool) -> None:
    """Raise a StageError unless the half precision is bf16 and the CPU has AMX, without which it is slower than fp32."""
    if precision == "fp16":
        raise StageError("fp16 is for CUDA", KEY, "set it to fp32, or give a GPU with --device")
    if not amx:
        raise StageError(
            "bf16 is slower than fp32 on this CPU, which has no AMX", KEY, "set it to fp32, or run on a GPU"
        )


def _dotted(capability: tuple[int, int]) -> str:
    return ".".join(map(str, capability))

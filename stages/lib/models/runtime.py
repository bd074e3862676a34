"""Device, threads and seeds: everything that must be fixed before a network runs, so that equal runs give equal bytes."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stages.lib.errors import StageError

_log = logging.getLogger(__name__)


def prepare(device: str, threads: int, seed: int = 0) -> torch.device:
    """Choose the device and log it, set torch's threads, ask for deterministic kernels and seed torch; returns the device.

    Args:
        device: "auto" (CUDA when present), "cpu", "cuda" or "cuda:N".
        threads: threads of one operation; part of what makes the last bits of results equal.
        seed: seed of torch's global generators.

    Raises:
        StageError: the device is unknown or not there.
    """
    chosen = choose_device(device)
    torch.set_num_threads(threads)
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(mode=True, warn_only=True)
    # a safety net for debugging that costs time
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = False
    torch.manual_seed(seed)
    _log.info("device %s, %d threads", _named(chosen), threads)
    return chosen


def _named(device: torch.device) -> str:
    """The device, and what card it is."""
    return f"{device} ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else str(device)


def choose_device(device: str) -> torch.device:
    """The torch device of a `--device` flag."""
    present = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device == "auto":
        return torch.device("cuda" if present else "cpu")
    name, _, number = device.partition(":")
    if name not in ("cpu", "cuda") or (number and not number.isdigit()):
        raise StageError(f"unknown device {device!r}", "--device", "give auto, cpu, cuda or cuda:N")
    if name == "cuda" and int(number or 0) >= present:
        raise StageError(f"there is no device {device}: {present} found", "--device", "give auto or cpu")
    return torch.device(device)


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """The tensor on `device`; the copy to a GPU does not wait when the tensor is pinned."""
    return tensor.to(device, non_blocking=True)


def optional_to_device(array: NDArray[np.float32] | None, device: torch.device) -> Tensor | None:
    """The array as a tensor on `device`; None stays None."""
    return None if array is None else to_device(torch.from_numpy(array), device)


@contextmanager
def keep_threads() -> Iterator[None]:
    """Restore torch's number of threads and its determinism afterwards; for callers that live on, such as tests."""
    threads, strict = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(mode=strict, warn_only=True)

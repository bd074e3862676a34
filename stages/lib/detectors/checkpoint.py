"""Detector weights: safe reading of mmdet checkpoints, and loading with a clear word on what does not fit."""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from stages.lib.errors import StageError

CLASSIFIER = "roi_head.bbox_head.fc_cls.weight"
KNOWN_CLASS_COUNTS = (1, 80)
SHOWN = 5


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint's weights (CPU tensors) and the plain values of its `meta`."""

    state: dict[str, Tensor]
    meta: dict[str, Any]


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint of mmdet 2 or 3 without running any code in it; StageError when that is not possible."""
    content = load_safely(path)
    if not isinstance(content, Mapping):
        raise StageError(f"holds a {type(content).__name__} instead of a checkpoint", where=str(path))
    state = content.get("state_dict", content)
    if not isinstance(state, Mapping) or not state or not all(isinstance(v, Tensor) for v in state.values()):
        raise StageError(
            "holds no state_dict of tensors", where=str(path), fix="give an mmdet 2.x or 3.x checkpoint"
        )
    plain = {key.removeprefix("module."): value.contiguous() for key, value in state.items()}
    meta = content.get("meta", {})
    return Checkpoint(
        plain, {k: v for k, v in meta.items() if _is_plain(v)} if isinstance(meta, Mapping) else {}
    )


def load_safely(path: Path) -> Any:
    """What a torch file holds, with `weights_only` and an allow-list of numpy's scalars; StageError otherwise."""
    try:
        with torch.serialization.safe_globals(_allowed()):
            return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise StageError("there is no such file", where=str(path)) from None
    except pickle.UnpicklingError as error:
        raise StageError(
            f"refused, for reading it could run code: {_first_reason(error)}",
            where=str(path),
            fix="strip it to {'state_dict': ...} where you trust it, or convert it to safetensors",
        ) from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        raise StageError(f"is no readable torch file: {_first_reason(error)}", where=str(path)) from error


def class_count(state: Mapping[str, Tensor | np.ndarray], where: str) -> int:
    """Number of classes a detector's weights tell apart (background not counted): 1, or COCO's 80."""
    if CLASSIFIER not in state:
        raise StageError(
            f"lacks {CLASSIFIER}, so it is no Faster R-CNN of mmdet 2.x or 3.x; it begins with {_some(list(state))}",
            where=where,
            fix="give weights of the architecture named in the configuration",
        )
    count = int(state[CLASSIFIER].shape[0]) - 1
    if count not in KNOWN_CLASS_COUNTS:
        raise StageError(
            f"tells {count} classes apart; only 1 (person) and COCO's 80 are understood", where=where
        )
    return count


def load_state(model: nn.Module, state: Mapping[str, Tensor | np.ndarray], where: str) -> None:
    """Copy `state` into `model`; every tensor has to fit, else a StageError lists the first misfits."""
    given = {key: torch.as_tensor(value) for key, value in state.items() if not _is_bookkeeping(key)}
    wanted = {key: value for key, value in model.state_dict().items() if not _is_bookkeeping(key)}
    missing = [key for key in wanted if key not in given]
    unexpected = [key for key in given if key not in wanted]
    shaped = [
        f"{key} {tuple(given[key].shape)} instead of {tuple(wanted[key].shape)}"
        for key in wanted
        if key in given and given[key].shape != wanted[key].shape
    ]
    parts = [("missing", missing), ("unexpected", unexpected), ("of another shape", shaped)]
    faults = [f"{len(keys)} {name}: {_some(keys)}" for name, keys in parts if keys]
    if faults:
        fix = "give weights of the architecture named in the configuration"
        raise StageError("weights of another architecture; " + "; ".join(faults), where=where, fix=fix)
    model.load_state_dict(given, strict=False)


def export_state(model: nn.Module) -> dict[str, Tensor]:
    """A copy of a model's weights and buffers as contiguous CPU tensors, by name."""
    return {key: value.detach().cpu().clone().contiguous() for key, value in model.state_dict().items()}


def _is_bookkeeping(key: str) -> bool:
    """Batch counters and stored image statistics: not weights, and absent from some checkpoints."""
    return key.endswith("num_batches_tracked") or key.startswith("data_preprocessor.")


def _is_plain(value: object) -> bool:
    if isinstance(value, list | tuple):
        return all(_is_plain(item) for item in value)
    return value is None or isinstance(value, str | int | float | bool)


def _some(keys: Sequence[str]) -> str:
    return ", ".join(keys[:SHOWN]) + (", ..." if len(keys) > SHOWN else "")


def _first_reason(error: BaseException) -> str:
    """The part of torch's long message that names the culprit."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    named = [line for line in lines if "Unsupported" in line or "WeightsUnpickler error" in line]
    return (named or lines or [type(error).__name__])[0]


class _Inert:
    """Takes the place of mmengine's history buffers: keeps nothing, does nothing."""

    def __init__(self, *_args: object) -> None:
        pass

    def __setstate__(self, _state: object) -> None:
        pass


def _nothing(*_args: object) -> None:
    """Takes the place of `getattr`, which history buffers are pickled with and which must never run."""


def _allowed() -> list[Any]:
    """numpy's scalars, dtypes and arrays, and harmless stand-ins for what mmengine writes beside the weights."""
    from numpy._core.multiarray import _reconstruct, scalar

    dtypes = {type(np.dtype(kind)) for kind in ("f2", "f4", "f8", "i4", "i8", "u1", "bool")}
    arrays: list[Any] = [(scalar, f"numpy.{core}.multiarray.scalar") for core in ("core", "_core")]
    arrays += [(_reconstruct, f"numpy.{core}.multiarray._reconstruct") for core in ("core", "_core")]
    buffers = [
        (_Inert, "mmengine.logging.history_buffer.HistoryBuffer"),
        (_nothing, "builtins.getattr"),
        (_nothing, "__builtin__.getattr"),
    ]
    return [*arrays, *buffers, np.ndarray, np.dtype, *sorted(dtypes, key=str)]

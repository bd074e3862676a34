"""Weight files: safetensors with one metadata key, the same bytes for the same tensors, loaded strictly."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors import torch as safetensors_torch
from torch import Tensor, nn

from stages.lib.config.load import canonical_json
from stages.lib.errors import StageError
from stages.lib.files import write_bytes

# One key: safetensors writes several in an order that varies between processes.
METADATA_KEY = "acarflow"
SHOWN = 3
MOST_HEADER = 100 << 20
RETRAIN = "train again with a smaller learning rate, or take an earlier file"


@dataclass(frozen=True)
class Weights:
    """The content of a weight file: tensors by name, what its writer said about them, sha256 of its bytes."""

    tensors: dict[str, Tensor]
    metadata: dict[str, Any]
    fingerprint: str


def save_weights(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> str:
    """Write atomically and return the sha256 of the bytes, which depend on tensors and metadata alone.

    `metadata` is plain JSON. StageError when a tensor holds NaN or infinity.
    """
    check_finite(tensors, str(path))
    plain = {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, tensor in tensors.items()
    }
    content = safetensors_torch.save(plain, metadata={METADATA_KEY: canonical_json(metadata)})
    write_bytes(path, content)
    return hashlib.sha256(content).hexdigest()


def load_weights(path: Path) -> Weights:
    """Read a file of `save_weights`; StageError when it is missing, damaged, foreign or not finite."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise StageError(
            f"cannot read the weights ({error.strerror})", str(path), "check the path in the config"
        ) from error
    try:
        tensors = safetensors_torch.load(content)
    except (SafetensorError, ValueError, KeyError) as error:
        fix = "copy it again, or import another format with `python -m stages.checkpoint import`"
        raise StageError(f"not a readable safetensors file ({error})", str(path), fix) from error
    check_finite(tensors, str(path))
    return Weights(tensors, _metadata(content, str(path)), hashlib.sha256(content).hexdigest())


def load_into(module: nn.Module, tensors: Mapping[str, Tensor], where: str) -> None:
    """Copy `tensors` into `module`, name by name; StageError lists what is missing, left over or misshapen."""
    require_fit(tensors, module.state_dict(), where)
    check_finite(tensors, where)
    module.load_state_dict(dict(tensors))


def require_fit(tensors: Mapping[str, Tensor], own: Mapping[str, Tensor], where: str) -> None:
    """Raise a StageError unless `tensors` have the names and shapes of a network's `own`, whose values do not matter."""
    faults = [f"{name} is missing" for name in own if name not in tensors]
    faults += [f"{name} belongs to no layer" for name in tensors if name not in own]
    faults += [
        f"{name} has shape {list(tensors[name].shape)} instead of {list(tensor.shape)}"
        for name, tensor in own.items()
        if name in tensors and tensors[name].shape != tensor.shape
    ]
    if faults:
        shown = "; ".join(faults[:SHOWN]) + (
            f"; and {len(faults) - SHOWN} more" if len(faults) > SHOWN else ""
        )
        fix = "use weights of this architecture, head kind, sizes and number of classes"
        raise StageError(f"the weights do not fit: {shown}", where, fix)


def check_finite(tensors: Mapping[str, Tensor], where: str, fix: str = RETRAIN) -> None:
    """Raise a StageError that names the first tensor with NaN or infinity and says `fix`."""
    bad = [
        name
        for name, tensor in tensors.items()
        if tensor.is_floating_point() and not bool(tensor.isfinite().all())
    ]
    if bad:
        raise StageError(f"{len(bad)} tensors hold NaN or infinity, the first is {bad[0]}", where, fix)


def is_own(path: Path) -> bool:
    """Whether a file is safetensors with this project's metadata; false for any other and for none."""
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(length)) if length < MOST_HEADER else None
    except (OSError, ValueError):
        return False
    return isinstance(header, dict) and METADATA_KEY in header.get("__metadata__", {})


def _metadata(content: bytes, where: str) -> dict[str, Any]:
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    text = header.get("__metadata__", {}).get(METADATA_KEY)
    if text is None:
        fix = "import it with `python -m stages.checkpoint import`"
        raise StageError("a safetensors file without this project's metadata", where, fix)
    try:
        return dict(json.loads(text))
    except (ValueError, TypeError):
        raise StageError("its metadata is damaged", where, "copy or import the file again") from None

"""Weights that a fine-tuning starts from: our own safetensors, or an mmdet checkpoint."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from stages.lib.detectors.checkpoint import read_checkpoint
from stages.lib.files import file_sha
from stages.lib.models.weights import load_weights


@dataclass(frozen=True)
class Starting:
    """Tensors by mmdet's names and the sha256 of their file."""

    tensors: dict[str, Tensor]
    fingerprint: str


def starting_weights(path: Path) -> Starting:
    """Read `.safetensors` as ours and anything else as an mmdet checkpoint; StageError when neither."""
    if path.suffix == ".safetensors":
        weights = load_weights(path)
        return Starting(weights.tensors, weights.fingerprint)
    return Starting(read_checkpoint(path).state, file_sha(path))

"""A detector from its weight file: our own safetensors, or an mmdet checkpoint."""

from __future__ import annotations

from pathlib import Path

from stages.lib.config.detectors import DetectorConfig
from stages.lib.detectors.checkpoint import read_checkpoint
from stages.lib.detectors.detector import PersonDetector
from stages.lib.errors import StageError
from stages.lib.models.weights import load_weights


def open_detector(path: Path, config: DetectorConfig | None, device: str) -> PersonDetector:
    """The detector of the configuration with the weights of a file.

    Raises:
        StageError: no detector is configured, or the file holds other weights than this detector's.
    """
    if config is None:
        raise StageError(
            "the configuration names no detector", "--weights", "give --boxes, or configure a detector"
        )
    if path.suffix != ".safetensors":
        return PersonDetector.from_state(config, read_checkpoint(path).state, device, str(path))
    weights = load_weights(path)
    family, architecture = weights.metadata.get("family"), weights.metadata.get("architecture")
    if family != "detector" or architecture != config.architecture:
        raise StageError(
            f"holds a {family} of architecture {architecture}, not a detector of architecture {config.architecture}",
            str(path),
            "give the weights of this detector",
        )
    return PersonDetector.from_state(config, weights.tensors, device, str(path))

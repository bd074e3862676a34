"""A backbone from its weight file, checked against the configuration that names it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from stages.lib.config.backbones import BackboneConfig
from stages.lib.errors import StageError
from stages.lib.models.builders import build_backbone
from stages.lib.models.slowfast import SlowFast
from stages.lib.models.weights import load_into, load_weights


@dataclass(frozen=True)
class Backbone:
    """A loaded network and the sha256 of its weight file."""

    network: SlowFast
    fingerprint: str


def load_backbone(path: Path, config: BackboneConfig, rate: float) -> Backbone:
    """Read a backbone's weights, to be used on frames at `rate` (Hz).

    Raises:
        StageError: the file holds something else, or was trained with another architecture, sampling, normalisation or
            rate (which imported weights may not record).
    """
    weights = load_weights(path)
    facts = weights.metadata
    if facts.get("family") != "backbone":
        raise StageError(
            "these are not the weights of a backbone", str(path), "give weights written by stage pretrain"
        )
    expected = {
        "architecture": config.architecture,
        "sampling": config.sampling.model_dump(mode="json"),
        "mean": list(config.mean),
        "std": list(config.std),
    }
    for key, value in expected.items():
        if facts.get(key) != value:
            raise StageError(
                f"the weights were made with {key} {facts.get(key)}, the configuration says {value}",
                str(path),
                f"set the backbone's {key} to what the weights need",
            )
    if facts.get("rate", rate) != rate:
        raise StageError(
            f"the weights were made with frames at {facts['rate']:g} Hz, the configuration says {rate:g}",
            str(path),
            "set decode.rate to what the weights need",
        )
    network = build_backbone(config.architecture)
    load_into(network, weights.tensors, str(path))
    return Backbone(network.eval(), weights.fingerprint)

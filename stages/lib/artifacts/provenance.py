"""Where an artifact comes from, and the fingerprint that stands for it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import metadata

_LIBRARIES = (
    "acarflow",
    "av",
    "decord2",
    "h5py",
    "mmdet",
    "numpy",
    "opencv-python-headless",
    "openvino",
    "torch",
    "torchvision",
)


@dataclass(frozen=True)
class Provenance:
    """Stage, its version, the text of its configuration, and the fingerprints of its inputs by name."""

    stage: str
    version: int
    config: str
    inputs: Mapping[str, str] = field(default_factory=dict)


def library_versions() -> dict[str, str]:
    """Versions of the libraries that shape results, without importing them; recorded, not fingerprinted."""
    found = {}
    for name in _LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def fingerprint(schema: str, schema_version: int, origin: Provenance, digests: Mapping[str, str]) -> str:
    """sha256 over schema, stage, version, config, input fingerprints and the digest of each dataset."""
    content = {
        "schema": [schema, schema_version],
        "stage": [origin.stage, origin.version],
        "config": origin.config,
        "inputs": dict(origin.inputs),
        "digests": dict(digests),
    }
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()

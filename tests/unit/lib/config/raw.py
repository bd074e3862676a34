"""Small raw configurations for the tests of this folder."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

SMALL: dict[str, Any] = {
    "run": "small",
    "datasets": {
        "films": {
            "format": "ava",
            "videos": "films",
            "sheet": "films.tsv",
            "labelmap": "labels.pbtxt",
            "annotations": {"train": "train.csv", "val": "val.csv"},
            "detector": "person",
        },
        "own": {"format": "videos", "videos": "own", "boxes": "boxes.csv"},
    },
    "detectors": {"person": {"architecture": "playground", "dataset": "films"}},
    "backbones": {"small": {"architecture": "playground", "weights": "backbone.safetensors"}},
    "banks": {"acfb": {"kind": "acfb", "backbone": "small", "head": "acar"}},
    "heads": {
        "linear": {"kind": "linear", "backbone": "small"},
        "acar": {"kind": "acar", "backbone": "small"},
        "long": {"kind": "acar-acfb", "backbone": "small", "init": "acar", "memory": {"bank": "acfb"}},
    },
    "ensembles": {"all": {"members": ["linear", "acar", "long"]}},
}


def small(**changes: Any) -> dict[str, Any]:
    """The small configuration with keys replaced; `a__b` stands for key b of section a."""
    raw = deepcopy(SMALL)
    for path, value in changes.items():
        *sections, last = path.split("__")
        table = raw
        for section in sections:
            table = table.setdefault(section, {})
        table[last] = deepcopy(value)
    return raw

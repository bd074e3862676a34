"""Small artifacts for the tests of the HDF5 layer."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from stages.lib.artifacts.provenance import Provenance
from stages.lib.artifacts.schemas import DETECT
from stages.lib.artifacts.tables import Boxes, Keyframes
from stages.lib.artifacts.writer import write_artifact

KEYFRAMES = Keyframes(("-a", "b"), np.array([0, 0, 1], np.int32), np.array([1000, 2000, 500], np.int64))
BOXES = Boxes.stack(
    [
        (np.zeros((0, 4)), np.zeros(0)),
        (np.array([[0.1, 0.2, 0.5, 0.75], [0, 0, 1, 1]]), np.array([0.9, 0.25])),
        (np.array([[0.25, 0.25, 0.5, 0.5]]), np.array([0.5])),
    ]
)
ORIGIN = Provenance("detect", 1, '{"threads":2}', {"decode": "d" * 64, "weights": "e" * 64})


def write_sample(path: Path, origin: Provenance = ORIGIN, boxes: Boxes = BOXES) -> Path:
    """A DETECT artifact with three keyframes and three boxes."""
    with write_artifact(path, DETECT, origin) as writer:
        KEYFRAMES.write(writer)
        boxes.write(writer)
    return path

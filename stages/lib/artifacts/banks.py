"""Reading a bank artifact: who was archived when, the archived items, and what the bank was made with.

K keyframes, N archived actors, C channels.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.lib.artifacts.lineage import input_of
from stages.lib.artifacts.maps import MapReader
from stages.lib.artifacts.reader import Artifact
from stages.lib.artifacts.tables import Boxes, Keyframes


@dataclass(frozen=True)
class BankShard:
    """One shard of a bank: `items` are vectors (N,C) (afb) or a reader of relation maps by actor (acfb)."""

    keyframes: Keyframes
    boxes: Boxes
    items: NDArray[np.float16] | MapReader

    @staticmethod
    def read(artifact: Artifact) -> BankShard:
        """Read the table; relation maps stay in the file until asked for."""
        items = artifact.read("vectors") if "vectors" in artifact else MapReader(artifact)
        return BankShard(Keyframes.read(artifact), Boxes.read(artifact), items)


def bank_identity(artifact: Artifact) -> dict[str, Any]:
    """What makes two shards parts of one bank: kind, lowest score, backbone weights, and head weights (acfb)."""
    config = json.loads(artifact.provenance.config)["bank"]
    return {
        "kind": config["kind"],
        "min_score": config["min_score"],
        "weights": input_of(artifact, "weights"),
        "head_weights": input_of(artifact, "head_weights"),
    }

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
from stages.lib.errors import StageError


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
    """What makes two shards parts of one bank: kind, lowest score, pooling, backbone weights, and head weights (acfb)."""
    config = json.loads(artifact.provenance.config)["bank"]
    return {
        "kind": config["kind"],
        "min_score": config["min_score"],
        # Banks of VERSION 1 pooled like ACAR-Net and did not say so.
        "roi_aligned": config.get("roi_aligned", False),
        "roi_scale": config.get("roi_scale", "grid"),
        "weights": input_of(artifact, "weights"),
        "head_weights": input_of(artifact, "head_weights"),
    }


def require_readable(bank: Artifact, head_kind: str, *, roi_aligned: bool, roi_scale: str) -> None:
    """Raise a StageError unless a head of this kind can read the bank and, in an afb bank, pools actors in the same way."""
    identity, where = bank_identity(bank), str(bank.path)
    if not head_kind.endswith(f"-{identity['kind']}"):
        what = f"is a bank of kind {identity['kind']}, which a head of kind {head_kind} cannot read"
        raise StageError(what, where, f"give a bank of kind {head_kind.rpartition('-')[2]}")
    pooling = {"roi_aligned": roi_aligned, "roi_scale": roi_scale}
    for name, wanted in pooling.items():
        if identity["kind"] == "afb" and identity[name] != wanted:
            what = f"its actors were pooled with {name} {identity[name]}, those of the head are with {wanted}"
            raise StageError(what, where, f"make the bank again with {name}: {wanted} in its entry of banks")

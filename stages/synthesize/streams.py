"""Random streams that share nothing: one per video, one per shuffled round."""

from __future__ import annotations

import hashlib

import numpy as np


def stream(seed: int, *names: str) -> np.random.Generator:
    """The random stream of this seed and these names; other names give independent streams."""
    digest = hashlib.sha256("/".join(("acarflow", str(seed), *names)).encode()).digest()
    return np.random.default_rng(np.frombuffer(digest, np.uint32))

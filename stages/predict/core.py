"""Action logits of one head for every box of a shard, in every view.

Shapes: K keyframes, N boxes over all of them, A classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from stages.lib.artifacts.tables import Boxes, Keyframes
from stages.lib.geometry.views import parse_view
from stages.lib.halving import Batches
from stages.lib.models.heads import Head
from stages.lib.models.inference import BATCH, Queries, Reader
from stages.lib.models.mapstore import MapTable
from stages.lib.models.memory import BankMemory
from stages.lib.progress import Progress

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class HeadInUse:
    """A head, its number of classes, how it reads its bank (none: it has none), and how many keyframes it sees at once."""

    head: Head
    classes: int
    memory: BankMemory | None = None
    slots: int = 0
    batches: Batches = field(default_factory=lambda: Batches(BATCH))


def predicted_boxes(boxes: Boxes, rows: Ints, has_map_K: NDArray[np.bool_], min_score: float) -> Boxes:
    """Boxes of the keyframes `rows`, in their order, from `min_score` on; none where a keyframe has no map."""
    kept = (boxes.scores >= min_score) & has_map_K[boxes.keyframe_of()]
    return boxes.keep(kept).take(rows)


def logits_by_view(
    use: HeadInUse,
    views: Mapping[str, MapTable],
    keyframes: Keyframes,
    rows: Ints,
    boxes: Boxes,
    device: torch.device,
) -> dict[str, Floats]:
    """Logits (N,A) in each view of the `boxes` of the keyframes `rows`; boxes are those of the unflipped frame."""
    use.head.to(device)
    queries = Queries(
        rows,
        keyframes.video[rows].astype(np.int64),
        keyframes.timestamp_ms[rows],
        boxes.row_splits,
        boxes.boxes,
    )
    progress = Progress(len(views) * int((np.diff(boxes.row_splits) > 0).sum()), "predict")
    logits = {}
    for name, maps in views.items():
        reader = Reader(use.head, maps, device, use.memory, use.slots, parse_view(name).flip, use.batches)
        logits[name] = reader.logits(queries, use.classes, progress.add)
    progress.close()
    return logits

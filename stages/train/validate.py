"""Frame AP of a freshly trained head on the truth boxes of the validation split, for the training history.

Shapes: K keyframes, N boxes, A classes.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from stages.lib.artifacts.tables import Classes
from stages.lib.metrics.ava import frame_map
from stages.lib.metrics.probability import probabilities_numpy
from stages.lib.metrics.tables import detections_from_dense, truth_from_dense
from stages.lib.models.heads import Head
from stages.lib.models.inference import Queries, Reader
from stages.train.core import Task
from stages.train.samples import Samples


def truth_box_ap(head: Head, task: Task, samples: Samples, classes: Classes) -> Mapping[str, object]:
    """Strict frame mAP over truth boxes in the canonical view: `map`, `ap` by class id, and the number of keyframes.

    AP is None for a class without truth. Every box has its own truth, so only the ranking of boxes matters.
    """
    bank = task.bank
    reader = Reader(head, task.maps, task.device, bank.memory if bank else None, bank.slots if bank else 0)
    queries = Queries(samples.owner_K, samples.video_K, samples.time_K, samples.row_splits, samples.boxes_N4)
    scores_NA = probabilities_numpy(reader.logits(queries, len(classes.ids)), classes.groups())
    videos = [f"{number:08d}" for number in range(int(samples.video_K.max(initial=-1)) + 1)]
    place = (videos, samples.video_K.astype(np.int32), samples.time_K, samples.boxes_N4, samples.row_splits)
    truth = truth_from_dense(*place, samples.labels_NA, classes.ids)
    result = frame_map(truth, detections_from_dense(*place, scores_NA, classes.ids), classes.ids, "strict")
    return {
        "keyframes": len(samples),
        "map": _plain(result.mean_ap),
        "ap": {
            str(number): _plain(value) for number, value in zip(classes.ids, result.ap.tolist(), strict=True)
        },
    }


def _plain(value: float) -> float | None:
    return None if np.isnan(value) else round(value, 6)

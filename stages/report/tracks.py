"""Who is who from keyframe to keyframe: boxes linked by their overlap.

K keyframes, N boxes.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from stages.lib.artifacts.tables import Boxes
from stages.lib.geometry.boxes import iou_matrix

MIN_IOU: Final = 0.3
PATIENCE: Final = 2
"""Keyframes back to which a person may be found again."""


def link_actors(boxes: Boxes, rows: NDArray[np.int64]) -> dict[int, int]:
    """The number, from 1, of the actor of each box (by its row) on the keyframes `rows` of one video, in order of time.

    Pairs of a box and an actor's last box (at most two keyframes old) are joined by falling IoU, from 0.3 on.
    """
    actor: dict[int, int] = {}
    last: dict[int, tuple[int, int]] = {}  # actor: (place of the keyframe, row of the box)
    for place, keyframe in enumerate(rows.tolist()):
        here = list(range(*boxes.of(keyframe).indices(len(boxes))))
        known = [number for number, (seen, _) in last.items() if place - seen <= PATIENCE]
        before = [last[number][1] for number in known]
        overlap = iou_matrix(boxes.boxes[here].reshape(-1, 4), boxes.boxes[before].reshape(-1, 4))
        taken: set[int] = set()
        for flat in np.argsort(-overlap, axis=None, kind="stable").tolist():
            i, j = divmod(flat, len(known))
            if overlap[i, j] < MIN_IOU:
                break
            if here[i] not in actor and known[j] not in taken:
                actor[here[i]] = known[j]
                taken.add(known[j])
        for row in here:
            number = actor.setdefault(row, len(last) + 1)
            last[number] = (place, row)
    return actor

"""Own videos as data: everything that was found, as json, and the person boxes as a csv that can be given back.

K keyframes, N boxes, A classes.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.lib.artifacts.predictions import BoxSet
from stages.lib.artifacts.tables import Boxes, Classes, Keyframes


def people_json(
    keyframes: Keyframes,
    boxset: BoxSet,
    probabilities_NA: NDArray[np.float64],
    classes: Classes,
    numbers: Mapping[int, int],
    about: Mapping[str, Mapping[str, Any]],
) -> str:
    """The text of detections.json: classes, and each video with its keyframes, people and their probabilities.

    `about` is what stands beside each video's id (name, file, fate); `numbers` tell the actor of each box. Boxes are
    xyxy in [0, 1]; probabilities stand in the order of `classes`.
    """
    rows: dict[str, list[int]] = {video: [] for video in about}
    for row, (video, _) in enumerate(keyframes.keys()):
        rows[video].append(row)
    videos = []
    for video, facts in about.items():
        moments = []
        for row in rows[video]:
            people = [
                _person(boxset.boxes, n, probabilities_NA[n], numbers)
                for n in range(*boxset.boxes.of(row).indices(len(boxset.boxes)))
            ]
            moments.append({"seconds": int(keyframes.timestamp_ms[row]) / 1000, "people": people})
        videos.append({"video": video, **facts, "keyframes": moments})
    listed = [{"id": k, "name": name} for k, name in zip(classes.ids, classes.names, strict=True)]
    return json.dumps({"classes": listed, "videos": videos}, indent=1, ensure_ascii=False) + "\n"


def _person(
    boxes: Boxes, row: int, probability_A: NDArray[np.float64], numbers: Mapping[int, int]
) -> dict[str, Any]:
    return {
        "actor": numbers[row],
        "box": [round(float(side), 6) for side in boxes.boxes[row]],
        "score": round(float(boxes.scores[row]), 6),
        "probabilities": [round(float(value), 6) for value in probability_A],
    }


def boxes_csv(shards: Sequence[tuple[Keyframes, Boxes]], names: Mapping[str, str]) -> str:
    """The text of boxes.csv, `name,second,x1,y1,x2,y2,,score`: all detected people, in the form that `boxes=` reads."""
    stream = io.StringIO()
    table = csv.writer(stream, lineterminator="\n")
    for keyframes, boxes in shards:
        for row, (video, ms) in enumerate(keyframes.keys()):
            for n in range(*boxes.of(row).indices(len(boxes))):
                sides = [f"{side:.6f}" for side in boxes.boxes[n].tolist()]
                table.writerow([names[video], f"{ms / 1000:g}", *sides, "", f"{boxes.scores[n]:.6f}"])
    return stream.getvalue()

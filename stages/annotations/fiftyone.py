"""Keyframes as FiftyOne keeps video samples: frames numbered from 1, a list of detections each, boxes as x, y, width, height."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from itertools import groupby
from pathlib import Path
from typing import Any

from stages.annotations.media import Media
from stages.annotations.moments import Moment, Person
from stages.lib.annotations.labelmap import LabelMap


def fiftyone_json(moments: Sequence[Moment], labels: LabelMap, media: Media, start: float) -> str:
    """The text of a data set of videos: one detection per box and class, with the person as `index` and any score.

    Frame = (time - start) * rate + 1; the exact time stands beside it as `seconds`.
    """
    names = dict(zip(labels.ids, labels.names, strict=True))
    samples = []
    for video, own in groupby(moments, key=lambda moment: moment.video):
        rate = media.rate(video, "--rate")
        path = media.path(video) or Path(f"{video}.mp4")
        frames = {}
        for moment in own:
            number = round((Fraction(moment.seconds) - Fraction(start)) * rate) + 1
            frames[str(number)] = _frame(number, moment, names)
        samples.append(
            {"filepath": str(path), "video_id": video, "frame_rate": float(rate), "frames": frames}
        )
    content = {"name": "acarflow", "media_type": "video", "classes": list(labels.names), "samples": samples}
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def _frame(number: int, moment: Moment, names: Mapping[int, str]) -> dict[str, Any]:
    found = [
        _detection(person, names[k], score) for person in moment.people for k, score in person.classes.items()
    ]
    return {
        "frame_number": number,
        "seconds": moment.seconds,
        "detections": {"_cls": "Detections", "detections": found},
    }


def _detection(person: Person, label: str, score: float | None) -> dict[str, Any]:
    x1, y1, x2, y2 = (Decimal(repr(side)) for side in person.box)
    box = [float(x1), float(y1), float(x2 - x1), float(y2 - y1)]
    more = {} if score is None else {"confidence": score}
    index = {} if person.person < 0 else {"index": person.person}
    return {"_cls": "Detection", "label": label, "bounding_box": box, **index, **more}

"""ACAR-Net's annotation pickles: `(records, idx_to_class)`, one record per keyframe (spec 1.5), read without running code."""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from stages.annotations.found import Found, checked_id
from stages.annotations.moments import Moment
from stages.lib.annotations.labelmap import LabelMap
from stages.lib.errors import StageError
from stages.lib.models.formats.pickles import load_numbers

RATE: Final = 30
REACH: Final = 45  # frames before and behind the keyframe; 2 * 45 + 1 = 91 suffice for 8x8
PROTOCOL: Final = 2  # the oldest with which tuples and short strings stay as they are


def read_acar(path: Path) -> Found:
    """What a pickle of ground truth holds; class ids and names are its own.

    Raises:
        StageError: it asks for code, is damaged, or has another form (with the number of the record).
    """
    content = load_numbers(path.read_bytes(), str(path))
    if not (
        isinstance(content, list) and len(content) == 2 and all(isinstance(part, list) for part in content)
    ):
        raise StageError(
            "not a pair (records, idx_to_class)", str(path), "give one of ACAR-Net's annotation pickles"
        )
    records, classes = content
    found = Found()
    names = [_class(entry, f"{path}: class {number}") for number, entry in enumerate(classes)]
    found.ids = dict(names)
    for number, record in enumerate(records):
        where = f"{path}: record {number}"
        try:
            _add_record(found, record, [name for name, _ in names], where)
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise StageError(
                f"a record that cannot be read ({type(error).__name__}: {error})",
                where,
                "each needs video, time and labels (bounding_box, label)",
            ) from None
    return found


def _add_record(found: Found, record: Mapping[str, Any], names: Sequence[str], where: str) -> None:
    key = (checked_id(str(record["video"]), where), _float(record["time"]))
    found.keyframes.add(key)
    for label in record["labels"]:
        box = [_float(side) for side in label["bounding_box"]]
        if len(box) != 4 or not np.isfinite(box).all():
            raise ValueError(f"bounding_box {box}")
        indices = [int(index) for index in label["label"]]
        if indices and not 0 <= min(indices) <= max(indices) < len(names):
            raise IndexError(f"label {indices} of {len(names)} classes")
        person = label.get("person_id", label.get("person_idx", -1))
        found.add_box(*key, box, [names[index] for index in indices], int(person))


def _class(entry: Mapping[str, Any], where: str) -> tuple[str, int]:
    try:
        number = int(entry["id"])
        return str(entry.get("name", f"class {number}")), number
    except (KeyError, TypeError, ValueError, AttributeError):
        raise StageError("a class without id", where, "each entry of idx_to_class needs `id`") from None


def _float(value: Any) -> float:
    return float(np.asarray(value))


def acar_pickle(moments: Sequence[Moment], labels: LabelMap, start: float) -> tuple[bytes, int]:
    """The bytes of a pickle, and how many keyframes stand so near the file's start that their window is cut short.

    midframe = (t - start) * 30 + 1, start_frame = midframe - 45, n_frames = 91. ACAR-Net takes the middle of the window for
    the keyframe, so a window that would begin before image 1 is cut at both ends.
    """
    index = {number: place for place, number in enumerate(labels.ids)}
    records = []
    short = 0
    for moment in moments:
        middle = round((moment.seconds - start) * RATE) + 1
        if middle < 1:
            raise StageError(
                f"the keyframe at {moment.seconds:g} s of {moment.video} is before the video's start, {start:g} s",
                "--start",
                "give the time of the files' first frame (900 for AVA's cut quarter hours)",
            )
        reach = min(REACH, middle - 1)
        short += reach < REACH
        whole = moment.seconds == int(moment.seconds)
        records.append(
            {
                "video": moment.video,
                "time": int(moment.seconds) if whole else moment.seconds,
                "format_str": "image_%06d.jpg",
                "start_frame": middle - reach,
                "n_frames": 2 * reach + 1,
                "midframe": middle,
                "frame_rate": float(RATE),
                "labels": [
                    {
                        "bounding_box": list(person.box),
                        "label": sorted(index[number] for number in person.classes),
                        "person_id": person.person,
                    }
                    for person in moment.people
                ],
            }
        )
    classes = [{"id": number, "name": name} for number, name in zip(labels.ids, labels.names, strict=True)]
    return pickle.dumps((records, classes), protocol=PROTOCOL), short

"""VIA 3 (json): rectangles at a time, and temporal segments of a whole video.

A segment says who does what from when to when, without a place: its actions go to every rectangle of its video within its
time, both ends included.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from stages.annotations.cvat import Choices
from stages.annotations.found import Found, video_id
from stages.annotations.media import Media
from stages.lib.errors import StageError

_RECTANGLE = 2
_TEXT = 1
_SHAPES = {1: "points", 3: "circles", 4: "ellipses", 5: "lines", 6: "polylines", 7: "polygons"}


def read_via(path: Path, choices: Choices, media: Media) -> Found:
    """What a VIA 3 project holds; keyframes are the times that have a rectangle.

    Raises:
        StageError: no such json, a broken entry (with its key), or a video without known size.
    """
    project = _load(path)
    found, videos = Found(), _videos(project, choices, path)
    segments: dict[str, list[tuple[float, float, list[str], str]]] = {}
    boxes: list[tuple[str, float, Sequence[float], list[str], int]] = []
    for key, entry in project["metadata"].items():
        where = f"{path}: metadata {key}"
        try:
            view, times, shape = (
                str(entry["vid"]),
                [float(z) for z in entry["z"]],
                [float(v) for v in entry["xy"]],
            )
            actions, person = _read_values(entry.get("av", {}), project["attribute"], choices)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise StageError(
                f"an entry that cannot be read ({type(error).__name__}: {error})",
                where,
                "save the project again in VIA 3",
            ) from None
        if view not in videos:
            found.left_out["entries of views that are not one video"] += 1
        elif not shape and len(times) == 2:
            segments.setdefault(view, []).append((times[0], times[1], actions, key))
        elif len(times) == 1 and shape and shape[0] == _RECTANGLE and len(shape) == 5:
            boxes.append((view, times[0], shape[1:], actions, person))
        else:
            kind = _SHAPES.get(int(shape[0]), "other shapes") if shape else "entries without place and time"
            found.left_out[f"{kind} (boxes are rectangles at one time)"] += 1
    used: set[str] = set()
    for view, time, (x, y, width, height), actions, person in boxes:
        holding = [item for item in segments.get(view, []) if item[0] <= time <= item[1]]
        used |= {key for *_, key in holding}
        everything = [*actions, *(name for _, _, names, _ in holding for name in names)]
        size = media.size(videos[view], str(path))
        box = [x / size[0], y / size[1], (x + width) / size[0], (y + height) / size[1]]
        at = (videos[view], choices.start + time)
        if choices.excluded in everything:
            found.excluded.add(at)
        found.keyframes.add(at)
        found.add_box(*at, box, [name for name in everything if name != choices.excluded], person)
    unused = sum(len(items) for items in segments.values()) - len(used)
    if unused:
        found.left_out["segments without a rectangle in their time"] += unused
    return found


def _read_values(
    values: Mapping[str, str], attributes: Mapping[str, Any], choices: Choices
) -> tuple[list[str], int]:
    """Actions, and the person (-1 for none), of an entry: options by their text, free text as it stands."""
    actions: list[str] = []
    person = -1
    for key, value in values.items():
        attribute = attributes[key]
        name, chosen = attribute["aname"], list(_chosen(attribute, str(value)))
        if name == choices.person:
            person = int(chosen[0]) if chosen and chosen[0].isdigit() else -1
        elif choices.attributes is None or name in choices.attributes:
            actions += chosen
    return actions, person


def _chosen(attribute: Mapping[str, Any], value: str) -> Iterator[str]:
    if int(attribute["type"]) == _TEXT:
        if value.strip():
            yield value.strip()
        return
    for option in filter(None, (part.strip() for part in value.split(","))):
        yield str(attribute["options"][option]).strip()


def _videos(project: Mapping[str, Any], choices: Choices, path: Path) -> dict[str, str]:
    """Video id by view; views of several files are left out."""
    found = {}
    for view, content in project["view"].items():
        files = content.get("fid_list", [])
        if len(files) == 1:
            name = str(project["file"][str(files[0])]["fname"])
            found[str(view)] = choices.video or video_id(name, f"{path}: file {files[0]}")
    return found


def _load(path: Path) -> dict[str, Any]:
    try:
        project = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise StageError(
            f"not readable as json ({error})", str(path), "save the project again in VIA 3"
        ) from None
    missing = [
        name
        for name in ("attribute", "file", "view", "metadata")
        if not (isinstance(project, dict) and isinstance(project.get(name), dict))
    ]
    if missing:
        raise StageError(
            f"no VIA 3 project: it lacks {', '.join(missing)}", str(path), "give the json that VIA 3 saves"
        )
    return project

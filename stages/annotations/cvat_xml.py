"""Keyframes as CVAT for video 1.1: a track per person, an attribute to tick per class, corners in pixels to the last digit.

CVAT passes over the part of `meta` in which all keyframes are listed with their exact times, also those without anybody;
`import` reads them from there.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping, Sequence
from decimal import Context, Decimal
from fractions import Fraction

from stages.annotations.cvat import OWN_PART, PERSON_ATTRIBUTE
from stages.annotations.moments import Moment, Person
from stages.lib.annotations.labelmap import LabelMap
from stages.lib.annotations.write_csv import plain_decimal
from stages.lib.errors import StageError

_EXACT = Context(prec=60)
_Track = list[tuple[int, Person]]


def cvat_xml(
    video: str,
    moments: Sequence[Moment],
    labels: LabelMap,
    size: tuple[int, int],
    rate: Fraction,
    start: float,
) -> str:
    """The xml of one video; frame = (time - start) * rate, rounded.

    Raises:
        StageError: two keyframes in one frame, one before the start, or a class called like the person's attribute.
    """
    if PERSON_ATTRIBUTE in labels.names:
        raise StageError(f"a class is called {PERSON_ATTRIBUTE}", "--classes", "give it another name")
    frames = _frames(video, moments, rate, start)
    root = ET.Element("annotations")
    ET.SubElement(root, "version").text = "1.1"
    _write_meta(root, video, moments, frames, labels, size)
    names = dict(zip(labels.ids, labels.names, strict=True))
    for number, (person, track) in enumerate(_tracks(moments, frames)):
        element = ET.SubElement(root, "track", id=str(number), label="person", source="manual")
        _write_track(element, person, track, frames, names, size)
    ET.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _frames(video: str, moments: Sequence[Moment], rate: Fraction, start: float) -> list[int]:
    exact = [(Fraction(moment.seconds) - Fraction(start)) * rate for moment in moments]
    frames = [round(frame) for frame in exact]
    for before, frame, moment in zip([-1, *frames], frames, moments, strict=False):
        if frame <= before:
            what = f"{moment.video}: no frame of its own for the keyframe at {moment.seconds:g} s"
            raise StageError(what, video, "give the time of the first frame (--start) and the true --rate")
    return frames


def _tracks(moments: Sequence[Moment], frames: Sequence[int]) -> Iterator[tuple[int, _Track]]:
    """(person id, boxes): people without id, and second boxes of one person at a keyframe, have tracks of their own."""
    found: dict[tuple[int, int], _Track] = {}
    alone = 0
    for frame, moment in zip(frames, moments, strict=True):
        seen: dict[int, int] = {}
        for person in moment.people:
            place = seen[person.person] = seen.get(person.person, -1) + 1
            if person.person < 0:
                alone += 1
                place = alone
            found.setdefault((person.person, place), []).append((frame, person))
    for (number, _), track in sorted(found.items()):
        yield number, track


def _write_track(
    element: ET.Element,
    person: int,
    track: _Track,
    frames: Sequence[int],
    names: Mapping[int, str],
    size: tuple[int, int],
) -> None:
    """Boxes at the keyframes; behind the last one before a keyframe without the person, an `outside` box."""
    following = dict(zip(frames, [*frames[1:], None], strict=True))
    ever = sorted({number for _, one in track for number in one.classes})
    own = {frame for frame, _ in track}
    for frame, one in track:
        box = _write_box(element, frame, one, size, outside=False)
        ET.SubElement(box, "attribute", name=PERSON_ATTRIBUTE).text = str(person) if person >= 0 else ""
        for number in ever:
            text = "true" if number in one.classes else "false"
            ET.SubElement(box, "attribute", name=names[number]).text = text
        if following[frame] not in own:
            _write_box(element, frame + 1, one, size, outside=True)


def _write_box(
    element: ET.Element, frame: int, person: Person, size: tuple[int, int], outside: bool
) -> ET.Element:
    sides = zip(("xtl", "ytl", "xbr", "ybr"), person.box, size * 2, strict=True)
    corners = {
        name: format(_EXACT.multiply(Decimal(repr(side)), Decimal(length)), "f")
        for name, side, length in sides
    }
    flags = {"keyframe": "1", "outside": str(int(outside)), "occluded": "0", "z_order": "0"}
    return ET.SubElement(element, "box", {"frame": str(frame), **flags, **corners})


def _write_meta(
    root: ET.Element,
    video: str,
    moments: Sequence[Moment],
    frames: Sequence[int],
    labels: LabelMap,
    size: tuple[int, int],
) -> None:
    meta = ET.SubElement(root, "meta")
    task = ET.SubElement(meta, "task")
    last = str(max(frames, default=0))
    for name, text in {
        "name": video,
        "mode": "interpolation",
        "start_frame": "0",
        "stop_frame": last,
    }.items():
        ET.SubElement(task, name).text = text
    label = ET.SubElement(ET.SubElement(task, "labels"), "label")
    ET.SubElement(label, "name").text = "person"
    attributes = ET.SubElement(label, "attributes")
    kinds = [(PERSON_ATTRIBUTE, "text", ""), *((name, "checkbox", "false") for name in labels.names)]
    for name, kind, default in kinds:
        attribute = ET.SubElement(attributes, "attribute")
        parts = {
            "name": name,
            "mutable": "True",
            "input_type": kind,
            "default_value": default,
            "values": default,
        }
        for tag, text in parts.items():
            ET.SubElement(attribute, tag).text = text
    original = ET.SubElement(task, "original_size")
    for name, length in zip(("width", "height"), size, strict=True):
        ET.SubElement(original, name).text = str(length)
    own = ET.SubElement(meta, OWN_PART, video=video)
    for frame, moment in zip(frames, moments, strict=True):
        ET.SubElement(own, "keyframe", frame=str(frame), seconds=plain_decimal(moment.seconds))

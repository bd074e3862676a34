"""CVAT for video 1.1 (xml): tracks of boxes, keyframes and what lies between them.

A track begins at its first box. Between two boxes the corners move in a straight line, as in CVAT, also towards a box that
is `outside`; an outside box hides the person until the next box; the last box stays to the end of the job. Attributes hold
until they change. Frame numbers are those of the video, also where the job has every k-th frame only.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal, InvalidOperation
from fractions import Fraction
from pathlib import Path
from typing import Final

from stages.annotations.found import Found, video_id
from stages.annotations.media import Media
from stages.lib.errors import StageError

PERSON_ATTRIBUTE: Final = "person_id"
OWN_PART: Final = "acarflow"
_EXACT: Final = Context(prec=60)
_NOTHING: Final = ("", "false", "__undefined__")
_SHAPES: Final = ("polygon", "polyline", "points", "cuboid", "ellipse", "mask", "skeleton")
_WHAT: Final = "export the task again as `CVAT for video 1.1`"
_SPLITS: Final = {"train": "train", "training": "train", "val": "val", "validation": "val", "test": "test"}


@dataclass(frozen=True)
class Choices:
    """How a file is read: a moment each `every` seconds, its first frame at `start` s, ids and attributes by name."""

    every: Fraction = Fraction(1)
    start: float = 0.0
    video: str | None = None
    attributes: tuple[str, ...] | None = None
    person: str = PERSON_ATTRIBUTE
    excluded: str = "excluded"


@dataclass(frozen=True)
class _Shape:
    """A box of a track: corners in pixels, whether it hides the person, and its attributes."""

    corners: tuple[Decimal, ...]
    outside: bool
    attributes: Mapping[str, str]


@dataclass(frozen=True)
class _Track:
    label: str
    number: int
    frames: tuple[int, ...]
    shapes: tuple[_Shape, ...]

    def at(self, frame: int) -> tuple[tuple[Decimal, ...], Mapping[str, str]] | None:
        """Corners in pixels and attributes at a frame; None where the person is not there."""
        place = bisect_right(self.frames, frame) - 1
        if place < 0 or self.shapes[place].outside:
            return None
        here = self.shapes[place]
        if self.frames[place] == frame or place + 1 == len(self.frames):
            return here.corners, here.attributes
        span = Decimal(self.frames[place + 1] - self.frames[place])
        share = Decimal(frame - self.frames[place])
        there = self.shapes[place + 1].corners
        moved = (a + (b - a) * share / span for a, b in zip(here.corners, there, strict=True))
        return tuple(moved), here.attributes


def read_cvat(path: Path, choices: Choices, media: Media) -> tuple[Found, str | None]:
    """What one task's or job's xml holds at its moments, and the split that it names (its subset), if any.

    Raises:
        StageError: no such xml, images instead of a video, a broken box (with its track and frame), or no size or rate.
    """
    root = _root(path)
    found = Found()
    about = _about(root, path)
    own = root.find(f"meta/{OWN_PART}")
    listed = own.get("video") if own is not None else _text(about, "source") or _text(about, "name")
    video = choices.video or video_id(listed or path.stem, str(path))
    size = _size(about) or media.size(video, str(path))
    tracks = [track for element in root.iter("track") if (track := _track(element, path, found))]
    if root.find("tag") is not None:
        found.left_out["tags of whole frames"] += len(root.findall("tag"))
    with_actions = _with_actions(about, tracks, choices.person)
    for frame, seconds in _moments(about, own, tracks, choices, lambda: media.rate(video, str(path))):
        found.keyframes.add((video, seconds))
        for track in tracks:
            _add(found, track, frame, (video, seconds), size, choices, track.label in with_actions)
    return found, _SPLITS.get((_text(about, "subset") or "").lower())


def _add(
    found: Found,
    track: _Track,
    frame: int,
    key: tuple[str, float],
    size: tuple[int, int],
    choices: Choices,
    attributed: bool,
) -> None:
    place = track.at(frame)
    if place is None:
        return
    corners, attributes = place
    if track.label == choices.excluded:
        found.excluded.add(key)
        return
    box = [
        float(_EXACT.divide(side, Decimal(length))) for side, length in zip(corners, size * 2, strict=True)
    ]
    person = attributes.get(choices.person, str(track.number))
    number = int(person) if person.lstrip("-").isdigit() else -1
    found.add_box(*key, box, _actions(attributes, choices) if attributed else [track.label], number)


def _actions(attributes: Mapping[str, str], choices: Choices) -> Iterator[str]:
    """A ticked attribute is an action by its name, any other by its value."""
    for name, value in attributes.items():
        wanted = choices.attributes is None or name in choices.attributes
        if wanted and name != choices.person and value.strip().lower() not in _NOTHING:
            yield name if value.strip().lower() == "true" else value.strip()


def _moments(
    about: Sequence[ET.Element],
    own: ET.Element | None,
    tracks: Sequence[_Track],
    choices: Choices,
    rate_of: Callable[[], Fraction],
) -> Iterator[tuple[int, float]]:
    """(frame, seconds) of the keyframes: those listed in a file of our own, else one each `every` seconds of the job."""
    if own is not None:
        for keyframe in own.iter("keyframe"):
            yield int(keyframe.get("frame", "")), float(keyframe.get("seconds", ""))
        return
    rate = rate_of()
    drawn = [frame for track in tracks for frame in track.frames]
    first = int(_text(about, "start_frame") or min(drawn, default=0))
    last = int(_text(about, "stop_frame") or max(drawn, default=-1))
    step = 0
    while (frame := round(step * choices.every * rate)) <= last:
        if frame >= first:
            yield frame, choices.start + float(step * choices.every)
        step += 1


def _track(element: ET.Element, path: Path, found: Found) -> _Track | None:
    others = sum(1 for name in _SHAPES for _ in element.iter(name))
    if others:
        found.left_out["shapes of tracks that are no boxes"] += others
    number, label = element.get("id", ""), element.get("label", "")
    shapes: dict[int, _Shape] = {}
    known: dict[str, str] = {}
    boxes = sorted(element.iter("box"), key=lambda box: _number(box, "frame", path, number))
    for box in boxes:
        frame = int(_number(box, "frame", path, number))
        where = f"{path}: track {number}, frame {frame}"
        if frame in shapes:
            raise StageError("two boxes of one track at one frame", where, "remove one of them")
        known |= {a.get("name", ""): a.text or "" for a in box.iter("attribute")}
        corners = tuple(_number(box, side, path, number) for side in ("xtl", "ytl", "xbr", "ybr"))
        shapes[frame] = _Shape(corners, box.get("outside") == "1", dict(known))
    if not shapes:
        return None
    digits = int(number) if number.isdigit() else -1
    return _Track(label, digits, tuple(shapes), tuple(shapes.values()))


def _number(box: ET.Element, name: str, path: Path, track: str) -> Decimal:
    try:
        value = Decimal(box.get(name, ""))
    except InvalidOperation:
        value = Decimal("nan")
    if not value.is_finite():
        where = f"{path}: track {track}, frame {box.get('frame')}"
        raise StageError(f"{name}={box.get(name)!r} of a box is no number", where, _WHAT)
    return value


def _root(path: Path) -> ET.Element:
    try:
        root = ET.parse(path).getroot()
    except ET.ParseError as error:
        raise StageError(f"not well-formed xml ({error})", f"{path}:{error.position[0]}", _WHAT) from None
    if root.tag != "annotations":
        raise StageError(f"an xml of <{root.tag}>, not CVAT's <annotations>", str(path), _WHAT)
    if root.find("image") is not None:
        raise StageError("annotations of single images, which have no time", str(path), _WHAT)
    return root


def _about(root: ET.Element, path: Path) -> list[ET.Element]:
    """The parts that tell of the task or job; none in a file of tracks alone."""
    if root.find("meta/project") is not None:
        raise StageError(
            "a whole project, whose tracks are of several videos", str(path), "export its tasks one by one"
        )
    return [part for name in ("meta/task", "meta/job", "meta") if (part := root.find(name)) is not None]


def _text(about: Sequence[ET.Element], name: str) -> str | None:
    """The text of the first part of that name."""
    return next((text for part in about if (text := part.findtext(name))), None)


def _size(about: Sequence[ET.Element]) -> tuple[int, int] | None:
    width, height = (_text(about, f"original_size/{side}") for side in ("width", "height"))
    return (int(width), int(height)) if width and height else None


def _with_actions(about: Sequence[ET.Element], tracks: Sequence[_Track], person: str) -> set[str]:
    """Labels that have attributes besides the person's id: these name the actions, the label does not."""
    found = {
        track.label for track in tracks if any(set(shape.attributes) - {person} for shape in track.shapes)
    }
    for label in (label for part in about for label in part.iter("label")):
        names = {attribute.findtext("name", "") for attribute in label.iter("attribute")}
        if names - {person}:
            found.add(label.findtext("name", ""))
    return found

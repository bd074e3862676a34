"""Classified clips for pre-training: one fine-grained class, shown in several independent shots of both styles."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np

from stages.lib.config.playground import CLIP_SECONDS
from stages.lib.config.synthesize import SynthesizeConfig
from stages.synthesize.backdrop import backdrop, plant_shapes
from stages.synthesize.looks import INK, INKS, Look, Style, random_look, vivid
from stages.synthesize.people import Facing, person_shapes, stool_shapes
from stages.synthesize.shapes import WORLD_HEIGHT, Frame, Shape, box_of, paint, poly
from stages.synthesize.skeleton import Arm, Pose
from stages.synthesize.things import MOVING_WHEN_ON, Side, ThingKind, thing_shapes
from stages.synthesize.timeline import VideoFormat, frames_held
from stages.synthesize.vehicle import DRIVER_FROM_FRONT, FLOOR, bus_shapes, seat_shapes, wheel_shapes

SMALL_SIZE: Final = (114, 130)
_RATES: Final = (Fraction(15), Fraction(15), Fraction(24), Fraction(30000, 1001))
_FACING_WORDS: Final[dict[Facing, str]] = {-1: "left", 1: "right"}
_PEOPLE: Final[tuple[tuple[str, Pose, Arm], ...]] = (
    ("stand", "stand", "rest"),
    ("sit", "sit", "rest"),
    ("walk", "walk", "rest"),
    ("bend", "bend", "rest"),
    ("jump", "jump", "rest"),
    ("wave", "stand", "wave"),
    ("hands on hips", "stand", "akimbo"),
    ("point", "stand", "point"),
    ("hand at ear", "stand", "ear"),
    ("reach", "stand", "reach"),
    ("talk with gestures", "stand", "gesture"),
    ("hold the wheel", "sit", "wheel"),
)
_THINGS: Final[tuple[tuple[ThingKind, str, str], ...]] = (
    ("radio", "radio playing", "radio silent"),
    ("sign", "sign lit", "sign dark"),
    ("phone", "telephone ringing", "telephone quiet"),
    ("door", "door open", "door closed"),
)
_WALK_SPEED: Final = 0.42
"""Heights a second; the small frames are too narrow for the full speed."""


@dataclass(frozen=True)
class ClipClass:
    """A class of classified clips: a person's pose, arm and facing, or an object's state (and, for a screen, side)."""

    name: str
    pose: Pose | None = None
    arm: Arm = "rest"
    facing: Facing = 1
    thing: ThingKind | None = None
    on: int = 0
    side: Side | None = None


def _classes() -> Iterator[ClipClass]:
    for facing, word in _FACING_WORDS.items():
        for name, pose, arm in _PEOPLE:
            yield ClipClass(f"{name} facing {word}", pose, arm, facing)
        for on, state in ((0, "off"), (1, "on")):
            yield ClipClass(f"television {state} on {word} side", thing="tv", on=on, side=facing)
    for thing, on_name, off_name in _THINGS:
        yield ClipClass(off_name, thing=thing, on=0)
        yield ClipClass(on_name, thing=thing, on=1)
    yield ClipClass("empty driver seat")


CLIP_CLASSES: Final[tuple[ClipClass, ...]] = tuple(_classes())


def class_of(number: int) -> ClipClass:
    """Class of the classified clip with this number in its split: every class in turn."""
    return CLIP_CLASSES[number % len(CLIP_CLASSES)]


def classified_format(cfg: SynthesizeConfig, rng: np.random.Generator) -> VideoFormat:
    """Format of a classified clip."""
    rate = _RATES[int(rng.integers(len(_RATES)))]
    return VideoFormat(*SMALL_SIZE, rate, frames_held(rate, cfg.draw_every))


def classified_drawings(
    cfg: SynthesizeConfig, rng: np.random.Generator, form: VideoFormat, clip_class: ClipClass
) -> Iterator[tuple[Frame, int]]:
    """All drawings (H, W, 3) of a classified clip in order, each with the number of frames for which it is held."""
    total, seconds = round(CLIP_SECONDS * form.rate), CLIP_SECONDS / cfg.clips.classified_shots
    shot, current = None, -1
    for index in range(0, total, form.hold):
        time = float(index / form.rate)
        number = min(cfg.clips.classified_shots - 1, int(time / seconds))
        if shot is None or number != current:
            shot, current = _Shot(rng, form, clip_class, cfg.clips.classified_distractor), number
        yield shot.frame(time - number * seconds), min(form.hold, total - index)


class _Shot:
    """One rendering of a class: style, colours, size, place and background are its own."""

    def __init__(
        self, rng: np.random.Generator, form: VideoFormat, clip_class: ClipClass, distractor: float
    ) -> None:
        self.what, self.scale = clip_class, form.height / WORLD_HEIGHT
        self.style: Style = "film" if rng.random() < 0.5 else "comic"
        self.look: Look = random_look(rng, self.style)
        width = form.world_width
        self.x = float(rng.uniform(0.40, 0.60)) * width
        self.y = float(rng.uniform(115.0, 123.0))
        self.side: Side = clip_class.side or (1 if rng.random() < 0.5 else -1)
        self.colour = vivid(rng, (0.2, 0.8), (0.15, 0.6))
        self.clock = float(rng.uniform(0.0, 10.0))
        self.in_bus = clip_class.name == "empty driver seat" or self._may_ride(rng)
        self._background = backdrop(rng, self.style, form.width, form.height)
        if self.in_bus:
            self._paint(self._background, self._bus(rng, width))
        elif rng.random() < distractor:
            self._paint(self._background, _distractor(rng, width, self.x, self.y))
        self._still: Frame | None = None

    def frame(self, time: float) -> Frame:
        """The drawing `time` seconds into the shot."""
        if self._still is not None:
            return self._still
        canvas = self._background.copy()
        self._paint(canvas, self._subject(time))
        if not self._moves():
            self._still = canvas
        return canvas

    def _may_ride(self, rng: np.random.Generator) -> bool:
        share = {"wheel": 0.8, "rest": 0.4}.get(self.what.arm, 0.0) if self.what.pose == "sit" else 0.0
        return bool(rng.random() < share)

    def _moves(self) -> bool:
        if self.what.thing:
            return bool(self.what.on) and self.what.thing in MOVING_WHEN_ON
        return self.what.pose in ("walk", "bend", "jump") or self.what.arm in ("wave", "gesture")

    def _paint(self, canvas: Frame, shapes: list[Shape]) -> None:
        paint(canvas, shapes, self.scale, INKS[self.style], INK)

    def _bus(self, rng: np.random.Generator, width: float) -> list[Shape]:
        """A bus around the place of the subject: its front for whoever holds the wheel, anything for a passenger."""
        facing = self.what.facing if self.what.pose else self.side
        ahead = (
            DRIVER_FROM_FRONT
            if self.what.name.startswith(("hold", "empty"))
            else float(rng.uniform(100.0, 180.0))
        )
        front = self.x + facing * ahead
        x1, x2 = sorted((front, front - facing * 222.0))
        self.y -= FLOOR
        return bus_shapes(x1, x2, self.y + FLOOR, vivid(rng, (0.3, 0.9), (0.4, 0.95)), facing)

    def _subject(self, time: float) -> list[Shape]:
        what, look = self.what, self.look
        if what.thing:
            return thing_shapes(
                what.thing, self.side, self.x, self.y, self.clock + time, self.colour, what.on
            )
        if what.pose is None:
            return [
                *seat_shapes(self.x, self.y, look.height, self.side),
                *wheel_shapes(self.x, self.y, look.height, self.side),
            ]
        x = self.x
        if what.pose == "walk":
            x += what.facing * _WALK_SPEED * look.height * (time - 0.6)
        shapes: list[Shape] = []
        if what.pose == "sit":
            in_bus = seat_shapes(x, self.y, look.height, what.facing)
            shapes += in_bus if self.in_bus else stool_shapes(look, x, self.y, what.facing)
        shapes += person_shapes(look, what.pose, what.arm, what.facing, x, self.y, self.clock + time)
        if what.arm == "wheel":
            shapes += wheel_shapes(x, self.y, look.height, what.facing)
        return shapes


def _distractor(rng: np.random.Generator, width: float, x: float, y: float) -> list[Shape]:
    """A plant or a box beside the subject."""
    place = float(rng.uniform(0.0, 0.2)) * width
    place = place if x > width / 2 else width - place
    if rng.random() < 0.5:
        return plant_shapes(place, y, vivid(rng, (0.2, 0.8), (0.3, 0.9)))
    return [poly(box_of(place - 9, y - 20, place + 9, y), vivid(rng, (0.2, 0.8), (0.3, 0.9)))]

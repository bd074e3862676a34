"""The state of the drawn world: scenes, the people and the objects in them, each second by second.

A scene is divided into slots of one second with a keyframe in each, and everything changes between slots only. A keyframe
stands a little after the middle of its slot, so that the clip around it (8 frames at 7.5 Hz, four before it) lies inside.
World units (1/128 of the frame height), times in seconds of the original video.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal

from stages.synthesize.looks import Look, Style
from stages.synthesize.people import Facing, person_extent, person_shapes
from stages.synthesize.shapes import WORLD_HEIGHT, Colour, Shape
from stages.synthesize.skeleton import Arm, Pose
from stages.synthesize.things import EDGE, HALF_WIDTH, Side, ThingKind

Role = Literal["candidate", "talker", "performer", "driver", "passenger", "walker", "bystander", "body"]
SceneType = Literal["long", "short", "clip", "filler", "empty"]
Module = Literal["objects", "talk", "watch", "bus", "body", "empty"]
Box = tuple[float, float, float, float]

KEY_PLACE: Final = 149 / 256
"""Where in its slot a keyframe lies (s, an exact binary fraction): the clip spans 0.53 s before it to 0.40 s after it."""
FADE_SECONDS: Final = 0.9
STILL_STEP: Final = 1.0
"""People who keep still are redrawn at this interval only (s)."""


@dataclass(frozen=True)
class Actor:
    """A person of one scene; the tuples hold one entry per slot, `xs` one per slot boundary."""

    number: int
    look: Look
    role: Role
    y: float
    xs: tuple[float, ...]
    poses: tuple[Pose, ...]
    arms: tuple[Arm, ...]
    facings: tuple[Facing, ...]

    def moves(self, slot: int) -> bool:
        """Whether this person has to be drawn anew for every drawing of the slot."""
        return self.poses[slot] in ("walk", "bend", "jump") or self.arms[slot] in ("gesture", "wave")

    def attentive(self, slot: int) -> bool:
        """Whether this person stands or sits, so that watching and listening make sense."""
        return self.poses[slot] in ("stand", "sit") and self.arms[slot] != "wave"

    def performs(self, slot: int) -> bool:
        """Whether this person jumps or waves."""
        return self.poses[slot] == "jump" or self.arms[slot] == "wave"

    def faces(self, other: Actor, slot: int) -> bool:
        """Whether `other` is on the side to which this person looks."""
        return (other.xs[slot] - self.xs[slot]) * self.facings[slot] > 0


@dataclass(frozen=True)
class Thing:
    """An object at an edge of the frame; `states` holds on/off per slot."""

    kind: ThingKind
    side: Side
    x: float
    y: float
    colour: Colour
    states: tuple[bool, ...]

    @property
    def span(self) -> tuple[float, float]:
        """Left and right end of everything the object ever shows."""
        return self.x - HALF_WIDTH, self.x + HALF_WIDTH


@dataclass(frozen=True)
class Bus:
    """The vehicle of a bus scene; it fills the frame."""

    x1: float
    x2: float
    y: float
    heading: Facing
    colour: Colour


@dataclass(frozen=True)
class Scene:
    """What happens between two cuts; slot k spans [origin + k, origin + k + 1)."""

    type: SceneType
    module: Module
    style: Style
    backdrop_seed: int
    width: float
    origin: float
    start: float
    end: float
    slots: int
    actors: tuple[Actor, ...]
    things: tuple[Thing, ...]
    bus: Bus | None
    fades_in: bool

    def slot(self, time: float) -> int:
        """The slot in which `time` lies."""
        return min(self.slots - 1, max(0, math.floor(time - self.origin)))

    def keyframes(self) -> list[float]:
        """The keyframes of the slots that lie inside the scene."""
        times = (self.origin + k + KEY_PLACE for k in range(self.slots))
        return [time for time in times if self.start <= time < self.end]


def thing_x(side: Side, width: float) -> float:
    """Where an object of that side stands."""
    return EDGE if side < 0 else width - EDGE


def actor_x(scene: Scene, actor: Actor, time: float) -> float:
    """Position of the actor's feet at `time`: linear within a slot."""
    slot = scene.slot(time)
    share = min(1.0, max(0.0, time - scene.origin - slot))
    return actor.xs[slot] + share * (actor.xs[slot + 1] - actor.xs[slot])


def actor_clock(scene: Scene, actor: Actor, time: float) -> float:
    """The time of the drawing that shows the actor at `time`: people who keep still are redrawn rarely."""
    if actor.moves(scene.slot(time)):
        return time
    return scene.origin + STILL_STEP * math.floor((time - scene.origin) / STILL_STEP)


def actor_shapes(scene: Scene, actor: Actor, time: float) -> list[Shape]:
    """The actor's shapes as drawn at `time`."""
    slot = scene.slot(time)
    x = actor_x(scene, actor, time)
    clock = actor_clock(scene, actor, time)
    return person_shapes(
        actor.look, actor.poses[slot], actor.arms[slot], actor.facings[slot], x, actor.y, clock
    )


def actor_box(scene: Scene, actor: Actor, time: float) -> Box:
    """Box (x1, y1, x2, y2) of the drawn person in world units, not clipped to the frame."""
    return person_extent(actor_shapes(scene, actor, time), actor.look)


def paint_order(scene: Scene, time: float) -> list[Actor]:
    """Actors from back to front: those who keep still by depth, then those who move by depth."""
    slot = scene.slot(time)
    return sorted(scene.actors, key=lambda actor: (actor.moves(slot), actor.y, actor.number))


def frame_box(box: Box, width: float) -> Box | None:
    """The box clipped to the frame and relative to it ([0,1], xyxy); None when less than 0.4 of its width is inside."""
    x1, x2 = max(0.0, box[0]), min(width, box[2])
    y1, y2 = max(0.0, box[1]), min(WORLD_HEIGHT, box[3])
    if x2 - x1 < 0.4 * (box[2] - box[0]) or y2 <= y1:
        return None
    return x1 / width, y1 / WORLD_HEIGHT, x2 / width, y2 / WORLD_HEIGHT

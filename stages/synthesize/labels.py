"""Which actions hold, and whose label hangs on what: the rules of the drawn world.

Kinds: a = body (inside the own box), b = context (an object's state), c = actor-context-actor (what somebody else does),
d = long-term (an event of this scene that may be over).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

from stages.synthesize.skeleton import Arm, Pose
from stages.synthesize.things import ThingKind
from stages.synthesize.world import Actor, Scene

Kind = Literal["a", "b", "c", "d"]
Phase = Literal["live", "pause", "none"]


class ActionClass(NamedTuple):
    """An action: AVA id, official name, kind."""

    id: int
    name: str
    kind: Kind


CLASSES: Final[tuple[ActionClass, ...]] = (
    ActionClass(1, "bend/bow (at the waist)", "a"),
    ActionClass(7, "jump/leap", "a"),
    ActionClass(11, "sit", "a"),
    ActionClass(12, "stand", "a"),
    ActionClass(14, "walk", "a"),
    ActionClass(15, "answer phone", "d"),
    ActionClass(22, "close (e.g., a door, a box)", "d"),
    ActionClass(28, "drive (e.g., a car, a truck)", "a"),
    ActionClass(37, "listen (e.g., to music)", "b"),
    ActionClass(43, "point to (an object)", "b"),
    ActionClass(49, "ride (e.g., a bike, a car, a horse)", "c"),
    ActionClass(61, "watch (e.g., TV)", "b"),
    ActionClass(69, "hand wave", "a"),
    ActionClass(74, "listen to (a person)", "d"),
    ActionClass(79, "talk to (e.g., self, a person, a group)", "c"),
    ActionClass(80, "watch (a person)", "c"),
)
KIND_OF: Final[dict[int, Kind]] = {action.id: action.kind for action in CLASSES}

POSE_CLASS: Final[dict[Pose, int]] = {"bend": 1, "jump": 7, "sit": 11, "stand": 12, "walk": 14}
ARM_CLASS: Final[dict[Arm, int]] = {"wheel": 28, "wave": 69}
THING_CLASS: Final[dict[ThingKind, int]] = {"tv": 61, "radio": 37, "sign": 43, "phone": 15, "door": 22}
THING_ARM: Final[dict[ThingKind, Arm]] = {"radio": "akimbo", "sign": "point", "phone": "ear", "door": "reach"}
DIRECTED: Final[frozenset[ThingKind]] = frozenset({"tv", "sign", "door"})
"""Objects that one has to face."""
RIDE, LISTEN_TO, TALK, WATCH = 49, 74, 79, 80


class Match(NamedTuple):
    """The own-pixel part of a class of kinds b-d holds for an actor; only the context decides (`positive`)."""

    actor: int
    action: int
    positive: bool
    phase: Phase
    """Kind d: the event goes on (live), is over (pause), or there was none; other kinds: live or none."""


def body_labels(actor: Actor, slot: int) -> set[int]:
    """Classes of kind a: what the own box shows."""
    labels = {POSE_CLASS[actor.poses[slot]]}
    if actor.poses[slot] in ("stand", "sit") and actor.arms[slot] in ARM_CLASS:
        labels.add(ARM_CLASS[actor.arms[slot]])
    return labels


def matches(scene: Scene, slot: int) -> list[Match]:
    """Everybody's matched classes of kinds b-d in one slot."""
    found = [match for actor in scene.actors for match in _of_things(scene, actor, slot)]
    for actor in scene.actors:
        found.extend(_of_people(scene, actor, slot))
    return found


def labels(scene: Scene, slot: int) -> dict[int, set[int]]:
    """Action ids of every actor (by number) in one slot."""
    result = {actor.number: body_labels(actor, slot) for actor in scene.actors}
    for match in matches(scene, slot):
        if match.positive:
            result[match.actor].add(match.action)
    return result


def _of_things(scene: Scene, actor: Actor, slot: int) -> Iterator[Match]:
    for thing in scene.things:
        if not actor.attentive(slot):
            continue
        arm_fits = thing.kind == "tv" or actor.arms[slot] == THING_ARM[thing.kind]
        turned = thing.kind not in DIRECTED or actor.facings[slot] == thing.side
        if arm_fits and turned:
            action = THING_CLASS[thing.kind]
            yield _match(actor, action, thing.states[slot], any(thing.states[: slot + 1]))


def _match(actor: Actor, action: int, now: bool, ever: bool) -> Match:
    positive = ever if KIND_OF[action] == "d" else now
    phase: Phase = "live" if now else "pause" if positive else "none"
    return Match(actor.number, action, positive, phase)


def _of_people(scene: Scene, actor: Actor, slot: int) -> Iterator[Match]:
    others = [other for other in scene.actors if other.number != actor.number]
    if actor.role == "passenger":
        driven = any(other.role == "driver" and other.arms[slot] == "wheel" for other in others)
        yield _match(actor, RIDE, driven, driven)
    if actor.arms[slot] == "gesture":
        heard = any(other.attentive(slot) and other.faces(actor, slot) for other in others)
        yield _match(actor, TALK, heard, heard)
    if not actor.attentive(slot):
        return
    faced = [other for other in others if actor.faces(other, slot)]
    performers = [other for other in faced if other.role == "performer"]
    if performers:
        shown = any(other.performs(slot) for other in performers)
        yield _match(actor, WATCH, shown, shown)
    talkers = [other for other in faced if other.role == "talker" and other.faces(actor, slot)]
    if talkers:
        now = any(other.arms[slot] == "gesture" for other in talkers)
        ever = any(other.arms[k] == "gesture" for other in talkers for k in range(slot + 1))
        yield _match(actor, LISTEN_TO, now, ever)

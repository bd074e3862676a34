"""What happens in a scene: the plays (objects, talk, watch, bus, body) that fill a draft with people and objects.

Whoever decides another person's label stands at one edge of the frame and looks into it; the others are at least the
clearance away. So every relation can be read from what people do and to which side they look, and never from the own box.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from stages.synthesize.cast import (
    FORWARD,
    SIDEWAYS,
    STRIDE,
    Draft,
    add_bender,
    add_walker,
    random_arms,
    spread,
    stroll,
)
from stages.synthesize.labels import THING_ARM
from stages.synthesize.looks import Look, vivid
from stages.synthesize.people import Facing
from stages.synthesize.skeleton import Arm, Pose
from stages.synthesize.things import EDGE, HALF_WIDTH, Side, ThingKind
from stages.synthesize.vehicle import DRIVER_FROM_FRONT, FLOOR
from stages.synthesize.world import Bus, Thing, thing_x

_INNER: Final = EDGE + HALF_WIDTH
"""Inner end of an object's extent, from the frame's edge."""
_MARGIN: Final = 3.0
_TALLEST: Final = 84.0
_CALM: Final[tuple[Arm, ...]] = ("rest", "rest", "akimbo", "ear")
_ANY: Final[tuple[Arm, ...]] = ("rest", "rest", "akimbo", "ear", "point", "reach")
_LONG_TERM: Final[frozenset[ThingKind]] = frozenset({"phone", "door"})
_BUS_MARGIN: Final = 18.0


def opposite(side: Side) -> Facing:
    """The other side."""
    return 1 if side < 0 else -1


def play_objects(draft: Draft, kinds: Sequence[ThingKind]) -> tuple[Thing, ...]:
    """One or two different objects, each at its edge, and for each one to three candidates in the other half."""
    first = draft.facing()
    sides = (first, opposite(first))
    things = tuple(_thing(draft, kind, side) for kind, side in zip(kinds, sides, strict=False))
    for thing in things:
        _candidates(draft, thing, [other for other in things if other is not thing])
    inner = _INNER + 0.6 * _TALLEST
    if draft.chance(0.22):
        add_bender(draft, inner, draft.width - inner)
    if draft.chance(0.3):
        add_walker(draft)
    return things


def _thing(draft: Draft, kind: ThingKind, side: Side) -> Thing:
    states = draft.event(kind) if kind in _LONG_TERM else draft.switches(0.5)
    colour = vivid(draft.rng, (0.2, 0.8), (0.15, 0.6))
    return Thing(kind, side, thing_x(side, draft.width), draft.depth() - 2.0, colour, states)


def _zone(draft: Draft, side: Side, distance: float, behind: float) -> tuple[float, float]:
    """Places at least `distance` from the edge on `side` and `behind` from the other one."""
    if side < 0:
        return distance, draft.width - behind
    return behind, draft.width - distance


def _candidates(draft: Draft, thing: Thing, others: Sequence[Thing]) -> None:
    """People in the half opposite to `thing`; the own-pixel part of its class is drawn without looking at its state."""
    used = {THING_ARM[kind] for kind in (thing.kind, *(other.kind for other in others)) if kind in THING_ARM}
    pool = [arm for arm in (_CALM if thing.kind == "tv" else _ANY) if arm not in used]
    count = int(draft.rng.integers(1, 3 if others else 4))
    looks = [draft.look() for _ in range(count)]
    tallest = max(look.height for look in looks)
    near = _INNER + draft.clearance + _MARGIN + FORWARD * tallest
    far = (_INNER if others else 0.0) + _MARGIN + SIDEWAYS * tallest
    low, high = _zone(draft, thing.side, near, far)
    screen_behind = any(other.kind == "tv" for other in others)
    for look, x in zip(looks, spread(draft, low, high, count), strict=False):
        arms, facings = _own_pixels(draft, thing, pool, screen_behind)
        _add_resting(draft, look, x, (low, high), arms, facings)


def _own_pixels(
    draft: Draft,
    thing: Thing,
    pool: Sequence[Arm],
    screen_behind: bool,
) -> tuple[list[Arm], list[Facing]]:
    """Arms and facing per slot of a candidate for `thing`; nobody turns to a screen at their own end of the frame."""
    own, turns, arms = draft.own(), draft.switches(0.5), random_arms(draft, pool)
    facings: list[Facing] = []
    for slot in range(draft.slots):
        if thing.kind == "tv":
            turned = own[slot]
        else:
            arms[slot] = THING_ARM[thing.kind] if own[slot] else arms[slot]
            turned = turns[slot] or screen_behind or arms[slot] in ("point", "reach")
        facings.append(thing.side if turned else opposite(thing.side))
    return arms, facings


def _add_resting(
    draft: Draft, look: Look, x: float, zone: tuple[float, float], arms: list[Arm], facings: list[Facing]
) -> None:
    """A candidate who stands or sits (one in four) and, standing, may walk to another place in between."""
    pose: Pose = "sit" if draft.chance(0.25) else "stand"
    poses = [pose] * draft.slots
    xs = [x] * (draft.slots + 1) if pose == "sit" else stroll(draft, x, *zone, poses, facings)
    draft.add(look, "candidate", draft.depth(), xs, poses, arms, facings)


def play_talk(draft: Draft) -> None:
    """A talker at one edge, who talks or keeps silent, and one to three others who look at the talker or away."""
    side, look = draft.facing(), draft.look()
    talks = draft.event("talk")
    pose: Pose = "sit" if draft.chance(0.2) else "stand"
    x = _at_edge(draft, side)
    n = draft.slots
    arms: list[Arm] = ["gesture" if talk else "rest" for talk in talks]
    draft.add(look, "talker", draft.depth(), [x] * (n + 1), [pose] * n, arms, [opposite(side)] * n)
    _audience(draft, side, x, look)
    if draft.chance(0.2):
        add_walker(draft)


def play_watch(draft: Draft) -> None:
    """A performer at one edge, who jumps or waves or just stands, and one to three others who look there or away."""
    side, look = draft.facing(), draft.look()
    acts = draft.switches(0.55)
    jumps = draft.chance(0.5)
    x = _at_edge(draft, side)
    poses: list[Pose] = ["jump" if act and jumps else "stand" for act in acts]
    arms: list[Arm] = ["wave" if act and not jumps else "rest" for act in acts]
    draft.add(
        look, "performer", draft.depth(), [x] * (draft.slots + 1), poses, arms, [opposite(side)] * draft.slots
    )
    _audience(draft, side, x, look)
    if draft.chance(0.2):
        add_walker(draft)


def _at_edge(draft: Draft, side: Side) -> float:
    distance = float(draft.rng.uniform(28.0, 36.0))
    return distance if side < 0 else draft.width - distance


def _audience(draft: Draft, side: Side, x: float, decider: Look) -> None:
    """One to three people in the other half; each looks to `side` or away, whatever the person at the edge does.

    The more they are, the less often each looks there, so that a talker is heard about as often as not.
    """
    looks = [draft.look() for _ in range(int(draft.rng.integers(1, 4)))]
    tallest = max(look.height for look in looks)
    from_edge = x if side < 0 else draft.width - x
    near = from_edge + STRIDE * decider.height + draft.clearance + _MARGIN + STRIDE * tallest
    low, high = _zone(draft, side, near, _MARGIN + SIDEWAYS * tallest)
    places = spread(draft, low, high, len(looks))
    weight = (1.0, 0.62, 0.45)[len(places) - 1]
    for look, place in zip(looks, places, strict=False):
        facings: list[Facing] = [side if own else opposite(side) for own in draft.own(weight)]
        _add_resting(draft, look, place, (low, high), random_arms(draft, _CALM), facings)


def play_bus(draft: Draft) -> Bus:
    """A bus with up to three passengers behind; the driver holds the wheel, or has the hands in the lap, or is not there."""
    heading = draft.facing()
    street = float(draft.rng.uniform(119.0, 123.0))
    x1, x2 = _BUS_MARGIN, draft.width - _BUS_MARGIN
    front, n = (x2 if heading > 0 else x1), draft.slots
    floor = street - FLOOR
    holds = draft.switches(0.68)
    if draft.chance(0.85):
        seat = front - heading * DRIVER_FROM_FRONT
        arms: list[Arm] = ["wheel" if hold else "rest" for hold in holds]
        draft.add(draft.look(), "driver", floor, [seat] * (n + 1), ["sit"] * n, arms, [heading] * n)
    looks = [draft.look() for _ in range(int(draft.rng.integers(1, 4)))]
    nearest = DRIVER_FROM_FRONT + SIDEWAYS * _TALLEST + draft.clearance + _MARGIN + SIDEWAYS * _TALLEST
    farthest = (x2 - x1) - SIDEWAYS * 0.8 * _TALLEST
    for look, back in zip(looks, spread(draft, nearest, farthest, len(looks), gap=20.0), strict=False):
        place = front - heading * back
        hands = random_arms(draft, ("rest", "rest", "ear"))
        draft.add(look, "passenger", floor, [place] * (n + 1), ["sit"] * n, hands, [heading] * n)
    return Bus(x1, x2, street, heading, vivid(draft.rng, (0.3, 0.9), (0.4, 0.95)))


def play_body(draft: Draft) -> None:
    """One to four people who jump, wave, walk, bend, stand or sit; nobody looks at those who jump or wave."""
    side = draft.facing()
    count = int(draft.rng.integers(1, 4))
    performers = int(draft.rng.integers(0, count + 1))
    places = sorted(spread(draft, 30.0, draft.width - 30.0, count, gap=40.0), reverse=side > 0)
    for number, x in enumerate(places):
        if number < performers:
            _add_body(
                draft, x, draft.facing(), "jump" if draft.chance(0.5) else "stand", ["wave"] * draft.slots
            )
        elif draft.chance(0.35):
            _add_body(draft, x, draft.facing(), "bend", ["rest"] * draft.slots)
        else:
            facing = opposite(side) if performers else draft.facing()
            pose: Pose = "sit" if draft.chance(0.4) else "stand"
            _add_body(draft, x, facing, pose, random_arms(draft, _ANY))
    if draft.chance(0.6):
        add_walker(draft)


def _add_body(draft: Draft, x: float, facing: Facing, pose: Pose, arms: list[Arm]) -> None:
    n = draft.slots
    draft.add(draft.look(), "body", draft.depth(), [x] * (n + 1), [pose] * n, arms, [facing] * n)

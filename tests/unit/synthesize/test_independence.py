"""Nobody's own pixels know the context: their condition is drawn without looking at it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from stages.synthesize.labels import THING_ARM
from stages.synthesize.scenes import Programme
from stages.synthesize.streams import stream
from stages.synthesize.things import THING_KINDS
from stages.synthesize.world import Scene
from tests.unit.synthesize.worlds import scene

SCENES = 400
SIGNIFICANT = 10.83
"""chi-square with one degree of freedom, p = 0.001"""


def chi_square(pairs: list[tuple[bool, bool]]) -> float:
    table = np.zeros((2, 2))
    for own, context in pairs:
        table[int(own), int(context)] += 1
    expected = table.sum(1, keepdims=True) * table.sum(0, keepdims=True) / table.sum()
    assert expected.min() > 10, "both states must be common, or the test says nothing"
    return float(((table - expected) ** 2 / expected).sum())


def thing_pairs(kind: str, scene_type: str) -> Iterator[tuple[bool, bool]]:
    """One random candidate and second per scene: (own-pixel part, state of the context)."""
    for number in range(SCENES):
        made = scene(scene_type, number, Programme("objects", (kind,)))
        rng = stream(3, "pick", kind, str(number))
        slot = int(rng.integers(made.slots))
        people = [actor for actor in made.actors if actor.role == "candidate" and actor.attentive(slot)]
        if people:
            actor, thing = people[int(rng.integers(len(people)))], made.things[0]
            turned = actor.facings[slot] == thing.side
            own = turned if kind == "tv" else actor.arms[slot] == THING_ARM[kind]
            ever = kind in ("phone", "door")
            yield own, any(thing.states[: slot + 1]) if ever else thing.states[slot]


@pytest.mark.parametrize("scene_type", ["long", "clip"])
@pytest.mark.parametrize("kind", THING_KINDS)
def test_own_condition_is_independent_of_an_objects_state(kind: str, scene_type: str) -> None:
    pairs = list(thing_pairs(kind, scene_type))
    assert len(pairs) > 0.8 * SCENES
    assert chi_square(pairs) < SIGNIFICANT
    assert chi_square([(own, own) for own, _ in pairs]) > SIGNIFICANT


def attention_pairs(made: Scene, role: str, slot: int) -> Iterator[tuple[bool, bool]]:
    decider = next(actor for actor in made.actors if actor.role == role)
    active = decider.performs(slot) or "gesture" in decider.arms[: slot + 1]
    for actor in made.actors:
        if actor.role == "candidate" and actor.attentive(slot):
            yield actor.faces(decider, slot), active


@pytest.mark.parametrize(
    ("module", "role", "scene_type"),
    [("talk", "talker", "long"), ("talk", "talker", "clip"), ("watch", "performer", "short")],
)
def test_where_people_look_is_independent_of_what_is_done_there(
    module: str, role: str, scene_type: str
) -> None:
    pairs = []
    for number in range(SCENES):
        made = scene(scene_type, number, Programme(module))
        rng = stream(3, "pick", module, str(number))
        pairs += list(attention_pairs(made, role, int(rng.integers(made.slots))))[:1]
    assert chi_square(pairs) < SIGNIFICANT


def test_whether_somebody_talks_is_independent_of_being_heard() -> None:
    pairs = []
    for number in range(SCENES):
        made = scene("clip", number, Programme("talk"))
        talker = made.actors[0]
        heard = any(actor.attentive(0) and actor.faces(talker, 0) for actor in made.actors[1:])
        pairs.append((talker.arms[0] == "gesture", heard))
    assert chi_square(pairs) < SIGNIFICANT


def test_passengers_look_the_same_whoever_drives() -> None:
    pairs, heights = [], ([], [])
    for number in range(SCENES):
        made = scene("short", number, Programme("bus"))
        driven = any(actor.arms[1] == "wheel" for actor in made.actors)
        passenger = next(actor for actor in made.actors if actor.role == "passenger")
        pairs.append((passenger.arms[1] == "ear", driven))
        heights[driven].append(passenger.look.height)
    assert chi_square(pairs) < SIGNIFICANT
    assert abs(np.mean(heights[0]) - np.mean(heights[1])) < 3 * 5.2 * np.sqrt(
        1 / len(heights[0]) + 1 / len(heights[1])
    )

"""The labels against a plain second reading of the world's state, and the distances they promise."""

from __future__ import annotations

from collections import Counter

import pytest

from stages.synthesize.labels import CLASSES, KIND_OF, labels, matches
from stages.synthesize.world import Actor, Scene, actor_box
from tests.unit.synthesize.worlds import CLEARANCE, all_scenes, scenes

POSES = {"bend": 1, "jump": 7, "sit": 11, "stand": 12, "walk": 14}


def looks_at(a: Actor, b: Actor, slot: int) -> bool:
    right = b.xs[slot] > a.xs[slot]
    still = a.poses[slot] in ("stand", "sit") and a.arms[slot] != "wave"
    return still and (a.facings[slot] == 1) == right


def things_on(scene: Scene, kind: str, slot: int) -> list[tuple[int, bool, bool]]:
    return [(t.side, t.states[slot], True in t.states[: slot + 1]) for t in scene.things if t.kind == kind]


def plain_labels(scene: Scene, actor: Actor, slot: int) -> set[int]:
    """Written from the table of classes, from states alone: no roles, no matches."""
    pose, arm, facing = actor.poses[slot], actor.arms[slot], actor.facings[slot]
    found = {POSES[pose]}
    others = [other for other in scene.actors if other is not actor]
    if pose == "sit" and arm == "wheel":
        found.add(28)
    if pose == "stand" and arm == "wave":
        found.add(69)
    if pose in ("stand", "sit") and arm != "wave":
        found |= {61 for side, on, _ in things_on(scene, "tv", slot) if on and facing == side}
        found |= {37 for _, on, _ in things_on(scene, "radio", slot) if on and arm == "akimbo"}
        found |= {
            43 for side, on, _ in things_on(scene, "sign", slot) if on and arm == "point" and facing == side
        }
        found |= {15 for _, _, ever in things_on(scene, "phone", slot) if ever and arm == "ear"}
        found |= {
            22
            for side, _, ever in things_on(scene, "door", slot)
            if ever and arm == "reach" and facing == side
        }
    if scene.bus and arm != "wheel" and any(other.arms[slot] == "wheel" for other in others):
        found.add(49)
    for other in others:
        if arm == "gesture" and looks_at(other, actor, slot):
            found.add(79)
        if looks_at(actor, other, slot):
            if other.poses[slot] == "jump" or other.arms[slot] == "wave":
                found.add(80)
            if "gesture" in other.arms[: slot + 1] and looks_at(other, actor, slot):
                found.add(74)
    return found


def test_labels_follow_from_the_state_of_the_world() -> None:
    seen: Counter[int] = Counter()
    for scene in all_scenes(120):
        for slot in range(scene.slots):
            found = labels(scene, slot)
            for actor in scene.actors:
                assert found[actor.number] == plain_labels(scene, actor, slot), (scene.module, slot, actor)
                seen.update(found[actor.number])
    assert {action.id for action in CLASSES} <= set(seen)
    assert min(seen[action.id] for action in CLASSES) >= 20


def test_there_are_four_kinds_and_official_names() -> None:
    assert len(CLASSES) == 16
    assert Counter(KIND_OF.values()) == {"a": 7, "b": 3, "c": 3, "d": 3}
    names = {action.id: action.name for action in CLASSES}
    assert names[79] == "talk to (e.g., self, a person, a group)"
    assert names[22] == "close (e.g., a door, a box)"


def gap(a: tuple[float, float], b: tuple[float, float]) -> float:
    return max(b[0] - a[1], a[0] - b[1])


def deciders(scene: Scene, actor: Actor, action: int, slot: int, time: float) -> list[tuple[float, float]]:
    """Horizontal extents of everything on which this label of this actor hangs."""
    kinds = {61: "tv", 37: "radio", 43: "sign", 15: "phone", 22: "door"}
    if action in kinds:
        return [thing.span for thing in scene.things if thing.kind == kinds[action]]
    roles = {49: ("driver",), 74: ("talker",), 80: ("performer",), 79: ("candidate",)}[action]
    people = [other for other in scene.actors if other is not actor and other.role in roles]
    boxes = [actor_box(scene, other, time) for other in people]
    return [(box[0], box[2]) for box in boxes]


@pytest.mark.parametrize("scene_type", ["long", "short", "clip"])
def test_what_decides_a_label_keeps_its_distance(scene_type: str) -> None:
    checked: Counter[int] = Counter()
    for scene in scenes(scene_type, 60):
        for slot in range(scene.slots):
            for match in matches(scene, slot):
                actor = scene.actors[match.actor - 1]
                for moment in (0.02, 0.3, 0.5, 0.8, 0.98):
                    time = scene.origin + slot + moment
                    box = actor_box(scene, actor, time)
                    for span in deciders(scene, actor, match.action, slot, time):
                        assert gap((box[0], box[2]), span) >= CLEARANCE, (match, scene.module, moment)
                        checked[match.action] += 1
    assert len(checked) >= 5


def test_short_shots_hold_no_evidence_of_kind_d() -> None:
    for scene in scenes("short", 200):
        assert not {thing.kind for thing in scene.things} & {"phone", "door"}
        assert not any("gesture" in actor.arms for actor in scene.actors)


def test_in_clips_events_are_live_or_never_were() -> None:
    phases = Counter(
        match.phase
        for scene in scenes("clip", 150)
        for slot in range(scene.slots)
        for match in matches(scene, slot)
    )
    assert phases["pause"] == 0
    assert phases["live"] > 100


def test_events_of_long_scenes_are_mostly_over() -> None:
    phases: Counter[tuple[int, str]] = Counter()
    for scene in scenes("long", 280):
        for slot in range(scene.slots):
            phases.update(
                (m.action, m.phase) for m in matches(scene, slot) if m.positive and KIND_OF[m.action] == "d"
            )
    for action in (15, 22, 74):
        share = phases[action, "pause"] / (phases[action, "pause"] + phases[action, "live"])
        assert 0.62 <= share <= 0.78, (action, share)

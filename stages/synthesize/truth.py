"""What is written down about a keyframe: official boxes and labels, and the hidden truth for studies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from stages.synthesize.labels import KIND_OF, Match, Phase, labels, matches
from stages.synthesize.people import Facing
from stages.synthesize.skeleton import Arm, Pose
from stages.synthesize.timeline import Timeline
from stages.synthesize.world import (
    FADE_SECONDS,
    Actor,
    Box,
    Module,
    Role,
    Scene,
    SceneType,
    actor_box,
    frame_box,
    paint_order,
)

_HIDDEN: Final = 0.8
"""Somebody of whose box more than this is behind nearer people is not annotated."""
_GRID: Final = 12


@dataclass(frozen=True)
class PersonTruth:
    """One annotated person at one keyframe; `matches` are the classes of kinds b-d that only the context decides."""

    person: int
    box: Box
    actions: tuple[int, ...]
    role: Role
    pose: Pose
    arm: Arm
    facing: Facing
    walking: bool
    moved: bool
    matches: tuple[Match, ...]

    def phase(self, kind: str) -> Phase:
        """The phase of the first match of that kind, or none."""
        return next((match.phase for match in self.matches if KIND_OF[match.action] == kind), "none")


@dataclass(frozen=True)
class KeyframeTruth:
    """One keyframe (time in s of the original video) and everybody annotated in it."""

    time: float
    scene: int
    scene_type: SceneType
    module: Module
    since_cut: float
    until_cut: float
    excluded: bool
    people: tuple[PersonTruth, ...]


def keyframe_truth(timeline: Timeline, scene_number: int, time: float, first_person: int) -> KeyframeTruth:
    """Everything about the keyframe at `time`; people are numbered from `first_person` + 1 through their scene."""
    scene = timeline.scenes[scene_number]
    slot, shown = scene.slot(time), max(timeline.shown(time), scene.start)
    actions, matched = labels(scene, slot), matches(scene, slot)
    people = []
    for actor, box in visible_people(scene, shown):
        walks = [pose == "walk" for pose in actor.poses]
        people.append(
            PersonTruth(
                person=first_person + actor.number,
                box=box,
                actions=tuple(sorted(actions[actor.number])),
                role=actor.role,
                pose=actor.poses[slot],
                arm=actor.arms[slot],
                facing=actor.facings[slot],
                walking=walks[slot],
                moved=any(walks),
                matches=tuple(match for match in matched if match.actor == actor.number),
            )
        )
    return KeyframeTruth(
        time=time,
        scene=scene_number,
        scene_type=scene.type,
        module=scene.module,
        since_cut=time - scene.start,
        until_cut=scene.end - time,
        excluded=scene.fades_in and time - scene.start < FADE_SECONDS,
        people=tuple(people),
    )


def visible_people(scene: Scene, time: float) -> list[tuple[Actor, Box]]:
    """Actors in the frame at `time` with their boxes in [0,1], in number order, without those hidden by others."""
    shown: list[tuple[Actor, Box]] = []
    nearer: list[Box] = []
    for actor in reversed(paint_order(scene, time)):
        box = frame_box(actor_box(scene, actor, time), scene.width)
        if box is None:
            continue
        if _covered(box, nearer) <= _HIDDEN:
            shown.append((actor, box))
        nearer.append(box)
    return sorted(shown, key=lambda pair: pair[0].number)


def _covered(box: Box, others: list[Box]) -> float:
    """Share of the box's area behind the others, on a grid of points."""
    inside = 0
    for row in range(_GRID):
        y = box[1] + (row + 0.5) / _GRID * (box[3] - box[1])
        for column in range(_GRID):
            x = box[0] + (column + 0.5) / _GRID * (box[2] - box[0])
            inside += any(o[0] <= x <= o[2] and o[1] <= y <= o[3] for o in others)
    return inside / _GRID**2

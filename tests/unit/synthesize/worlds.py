"""Many planned scenes without drawing them, for the tests of the world's rules."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from stages.synthesize.scenes import (
    Cut,
    Programme,
    Stage,
    clip_programme,
    invent_scene,
    long_programme,
)
from stages.synthesize.streams import stream
from stages.synthesize.world import Scene, SceneType

CLEARANCE = 75.0
STAGES = {
    "film": Stage("film", 262 * 128 / 130, CLEARANCE, (4, 5)),
    "comic": Stage("comic", 278 * 128 / 138, CLEARANCE, (4, 5)),
}
SLOTS: dict[SceneType, int] = {"long": 12, "short": 3, "clip": 5, "filler": 4, "empty": 3}


def scene(scene_type: SceneType, number: int, programme: Programme | None = None) -> Scene:
    rng = stream(7, "tests", scene_type, str(number))
    stage = STAGES["film" if scene_type in ("long", "short") else "comic"]
    slots = SLOTS[scene_type]
    if programme is None and scene_type == "long":
        programme = long_programme(7, "tests", number)
    if programme is None and scene_type == "clip":
        programme = clip_programme(7, "tests", number)
    return invent_scene(rng, stage, Cut(10.5, 10.5, 10.5 + slots, slots), scene_type, programme)


@cache
def scenes(scene_type: SceneType, count: int) -> tuple[Scene, ...]:
    return tuple(scene(scene_type, number) for number in range(count))


def all_scenes(count: int) -> Iterator[Scene]:
    for scene_type in SLOTS:
        yield from scenes(scene_type, count)

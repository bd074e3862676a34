"""Scenes of each type: which play is put on, with what evidence, between which two cuts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from stages.synthesize.cast import Draft, Evidence
from stages.synthesize.looks import Style
from stages.synthesize.plays import play_body, play_bus, play_objects, play_talk, play_watch
from stages.synthesize.things import THING_KINDS, ThingKind
from stages.synthesize.world import Bus, Module, Scene, SceneType, Thing

_CONTEXT_KINDS: Final[tuple[ThingKind, ...]] = ("tv", "radio", "sign")
_EVENT_KINDS: Final[tuple[ThingKind, ...]] = ("phone", "door")
_MIX: Final[dict[SceneType, tuple[tuple[Module, float], ...]]] = {
    "long": (("objects", 0.58), ("talk", 0.42)),
    "short": (("objects", 0.42), ("watch", 0.22), ("bus", 0.18), ("body", 0.18)),
    "clip": (("objects", 0.46), ("talk", 0.18), ("watch", 0.14), ("bus", 0.12), ("body", 0.10)),
    "filler": (("objects", 0.5), ("watch", 0.15), ("bus", 0.15), ("body", 0.2)),
    "empty": (("empty", 1.0),),
}


@dataclass(frozen=True)
class Cut:
    """Where a scene lies: slot k spans [origin + k, origin + k + 1); shown from `start` to `end` (s of the original video)."""

    origin: float
    start: float
    end: float
    slots: int
    fades_in: bool = False


@dataclass(frozen=True)
class Stage:
    """What all scenes of a video share: style, world width (units), clearance (units), and seconds an event may last."""

    style: Style
    width: float
    clearance: float
    event_seconds: tuple[int, int]
    long_term_share: float


def invent_scene(rng: np.random.Generator, stage: Stage, cut: Cut, scene_type: SceneType) -> Scene:
    """Draw a whole scene; everything in it comes from `rng`."""
    evidence: Evidence = "timeline" if scene_type == "long" else "live" if scene_type == "clip" else "none"
    low, high = stage.event_seconds
    event_slots = low if rng.random() < 0.7 else int(rng.integers(low, high + 1))
    draft = Draft(rng, stage.style, stage.width, cut.slots, stage.clearance, evidence, min(event_slots, cut.slots))
    other = scene_type == "long" and rng.random() >= stage.long_term_share
    module = pick_module(rng, "short" if other else scene_type)
    things, bus = _put_on(draft, module, scene_type, long_term=not other)
    return Scene(
        type=scene_type,
        module=module,
        style=stage.style,
        backdrop_seed=int(rng.integers(1 << 62)),
        width=stage.width,
        origin=cut.origin,
        start=cut.start,
        end=cut.end,
        slots=cut.slots,
        actors=tuple(draft.actors),
        things=things,
        bus=bus,
        fades_in=cut.fades_in,
    )


def pick_module(rng: np.random.Generator, scene_type: SceneType) -> Module:
    """Choose a play with the frequencies of this type of scene."""
    modules, shares = zip(*_MIX[scene_type], strict=True)
    chosen: Module = modules[int(np.searchsorted(np.cumsum(shares), rng.random() * 0.999999, side="right"))]
    return chosen


def _put_on(draft: Draft, module: Module, scene_type: SceneType, *, long_term: bool) -> tuple[tuple[Thing, ...], Bus | None]:
    match module:
        case "objects":
            return play_objects(draft, _pick_kinds(draft, scene_type, long_term=long_term)), None
        case "talk":
            play_talk(draft)
        case "watch":
            play_watch(draft)
        case "bus":
            return (), play_bus(draft)
        case "body":
            play_body(draft)
        case "empty":
            things = play_objects(draft, _pick_kinds(draft, "clip", long_term=True))
            draft.actors.clear()
            return things, None
    return (), None


def _pick_kinds(draft: Draft, scene_type: SceneType, *, long_term: bool) -> list[ThingKind]:
    """One or two different objects; short shots hold none whose past matters, long scenes mostly such."""
    two = draft.chance(0.6)
    if scene_type in ("short", "filler") or not long_term:
        return _sample(draft, _CONTEXT_KINDS, 1 + two)
    if scene_type == "long":
        kinds = _sample(draft, _EVENT_KINDS, 2)
        return kinds if draft.chance(0.55) else [kinds[0], *_sample(draft, _CONTEXT_KINDS, int(two))]
    return _sample(draft, THING_KINDS, 1 + two)


def _sample(draft: Draft, kinds: Sequence[ThingKind], count: int) -> list[ThingKind]:
    return [kinds[int(k)] for k in draft.rng.permutation(len(kinds))[:count]]

"""Scenes of each type: which play is put on, with what evidence, between which two cuts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Final

import numpy as np

from stages.synthesize.cast import Draft, Evidence
from stages.synthesize.looks import Style
from stages.synthesize.plays import play_body, play_bus, play_objects, play_talk, play_watch
from stages.synthesize.streams import stream
from stages.synthesize.things import THING_KINDS, ThingKind
from stages.synthesize.world import Bus, Module, Scene, SceneType, Thing

_CONTEXT_KINDS: Final[tuple[ThingKind, ...]] = ("tv", "radio", "sign")
_EVENT_KINDS: Final[tuple[ThingKind, ...]] = ("phone", "door")
_MIX: Final[dict[SceneType, tuple[tuple[Module, float], ...]]] = {
    "short": (("objects", 0.42), ("watch", 0.22), ("bus", 0.18), ("body", 0.18)),
    "filler": (("objects", 0.5), ("watch", 0.15), ("bus", 0.15), ("body", 0.2)),
    "empty": (("empty", 1.0),),
}


@dataclass(frozen=True)
class Programme:
    """What is put on: the play, its objects, and whether the events of kind d happen."""

    module: Module
    kinds: tuple[ThingKind, ...] = ()
    context: bool = False
    """Whether an object of kind b may stand opposite."""
    fates: Mapping[str, bool] = field(default_factory=dict)


def _long_programmes() -> Iterator[Programme]:
    """Every event happens in half of its scenes, whatever stands opposite."""
    for happens in (True, False):
        yield from [Programme("talk", fates={"talk": happens})] * 3
        for kind in _EVENT_KINDS:
            yield Programme("objects", (kind,), context=True, fates={kind: happens})
        for other in (True, False):
            yield Programme(
                "objects", _EVENT_KINDS, fates=dict(zip(_EVENT_KINDS, (happens, other), strict=True))
            )


def _clip_programmes() -> Iterator[Programme]:
    """Every pair of objects, events of kind d once more alone; every event happens in half of its scenes."""
    for happens in (True, False):
        for pair in combinations(THING_KINDS, 2):
            yield Programme(
                "objects", pair, fates={pair[0]: happens, pair[1]: happens} if pair != _EVENT_KINDS else {}
            )
        for kind in _EVENT_KINDS:
            yield Programme("objects", (kind,), context=True, fates={kind: happens})
        yield from [Programme("talk", fates={"talk": happens})] * 5
        yield from [Programme("watch")] * 3
        yield from [Programme("bus")] * 2
        yield Programme("body")


_LONG_PROGRAMMES: Final = tuple(_long_programmes())
_CLIP_PROGRAMMES: Final = tuple(_clip_programmes())


def long_programme(seed: int, split: str, number: int) -> Programme:
    """The programme of the long scene with this number in its split: every programme once per shuffled round."""
    return _dealt(_LONG_PROGRAMMES, seed, "long", split, number)


def clip_programme(seed: int, split: str, number: int) -> Programme:
    """The programme of the annotated clip with this number in its split: every programme once per shuffled round."""
    return _dealt(_CLIP_PROGRAMMES, seed, "clip", split, number)


def _dealt(programmes: Sequence[Programme], seed: int, kind: str, split: str, number: int) -> Programme:
    size = len(programmes)
    order = stream(seed, "programmes", kind, split, str(number // size)).permutation(size)
    return programmes[int(order[number % size])]


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


def invent_scene(
    rng: np.random.Generator,
    stage: Stage,
    cut: Cut,
    scene_type: SceneType,
    programme: Programme | None = None,
) -> Scene:
    """Draw a whole scene; without a programme, one of those of the scene's type is chosen. All comes from `rng`."""
    evidence: Evidence = "timeline" if scene_type == "long" else "live" if scene_type == "clip" else "none"
    low, high = stage.event_seconds
    event_slots = low if rng.random() < 0.7 else int(rng.integers(low, high + 1))
    programme = programme or random_programme(rng, "short" if scene_type == "long" else scene_type)
    draft = Draft(
        rng,
        stage.style,
        stage.width,
        cut.slots,
        stage.clearance,
        evidence,
        min(event_slots, cut.slots),
        programme.fates,
    )
    things, bus = _put_on(draft, programme)
    return Scene(
        type=scene_type,
        module=programme.module,
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


def random_programme(rng: np.random.Generator, scene_type: SceneType) -> Programme:
    """A play with the frequencies of this type of scene; short shots hold no object whose past matters."""
    modules, shares = zip(*_MIX[scene_type], strict=True)
    module: Module = modules[int(np.searchsorted(np.cumsum(shares), rng.random() * 0.999999, side="right"))]
    kinds = _CONTEXT_KINDS if scene_type in ("short", "filler") else THING_KINDS
    return Programme(module, tuple(_sample(rng, kinds, 1 + int(rng.random() < 0.6))))


def _put_on(draft: Draft, programme: Programme) -> tuple[tuple[Thing, ...], Bus | None]:
    match programme.module:
        case "objects":
            return play_objects(draft, _kinds(draft, programme)), None
        case "talk":
            play_talk(draft)
        case "watch":
            play_watch(draft)
        case "bus":
            return (), play_bus(draft)
        case "body":
            play_body(draft)
        case "empty":
            things = play_objects(draft, _kinds(draft, programme))
            draft.actors.clear()
            return things, None
    return (), None


def _kinds(draft: Draft, programme: Programme) -> list[ThingKind]:
    """The programme's objects in random order, with one of kind b opposite if it says so (two times in three)."""
    opposite = _sample(draft.rng, _CONTEXT_KINDS, 1) if programme.context and draft.chance(0.67) else []
    return _sample(draft.rng, [*programme.kinds, *opposite], 2)


def _sample(rng: np.random.Generator, kinds: Sequence[ThingKind], count: int) -> list[ThingKind]:
    return [kinds[int(k)] for k in rng.permutation(len(kinds))[:count]]

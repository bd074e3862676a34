"""How people look knows nothing of the context: neither do the same dice give others, nor do looks differ on average."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields

import numpy as np
import pytest
from numpy.typing import NDArray

from stages.synthesize.cast import Draft
from stages.synthesize.labels import matches
from stages.synthesize.looks import Look
from stages.synthesize.scenes import Programme
from stages.synthesize.streams import stream
from stages.synthesize.things import THING_KINDS
from stages.synthesize.world import Scene, SceneType
from tests.unit.synthesize.worlds import scene

DICE = 60
SCENES = 600
LIMIT = 4.0
"""Standard errors; p = 0.00006 for one column, and some hundred columns are looked at."""

MODULES: list[tuple[SceneType, Programme]] = [
    *(("long", Programme("objects", (kind,))) for kind in THING_KINDS),
    ("clip", Programme("objects", ("tv", "phone"))),
    ("short", Programme("objects", ("radio", "sign"))),
    ("long", Programme("talk")),
    ("clip", Programme("talk")),
    ("short", Programme("watch")),
    ("clip", Programme("watch")),
    ("short", Programme("bus")),
    ("clip", Programme("bus")),
]
IDS = [f"{programme.module}-{'-'.join(programme.kinds)}-{name}" for name, programme in MODULES]


def looks(made: Scene) -> list[tuple[str, Look]]:
    return [(actor.role, actor.look) for actor in made.actors]


def states(made: Scene) -> list[tuple[object, ...]]:
    """Everything that decides other people's labels."""
    deciders = [actor for actor in made.actors if actor.role in ("talker", "performer", "driver")]
    return [thing.states for thing in made.things] + [(actor.poses, actor.arms) for actor in deciders]


@pytest.fixture
def opposite_fate(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From the call on, whatever is switched on stays off and the other way round, by the same dice."""

    def turn() -> None:
        for name in ("switches", "event"):
            draw = getattr(Draft, name)

            def turned(
                draft: Draft, what: object, draw: Callable[..., tuple[bool, ...]] = draw
            ) -> tuple[bool, ...]:
                return tuple(not on for on in draw(draft, what))

            monkeypatch.setattr(Draft, name, turned)

    return turn


@pytest.mark.parametrize(("scene_type", "programme"), MODULES, ids=IDS)
def test_the_same_dice_with_the_opposite_fate_give_the_same_people(
    scene_type: SceneType, programme: Programme, opposite_fate: Callable[[], None]
) -> None:
    before = [scene(scene_type, number, programme) for number in range(DICE)]
    opposite_fate()
    after = [scene(scene_type, number, programme) for number in range(DICE)]
    changed = 0
    for one, other in zip(before, after, strict=True):
        assert looks(one) == looks(other)
        assert [actor.xs[0] for actor in one.actors] == [actor.xs[0] for actor in other.actors]
        changed += states(one) != states(other)
    assert changed > 0.8 * DICE, "the fate must be another one, or the test says nothing"


@pytest.mark.parametrize(("kind", "module"), [("phone", "objects"), ("door", "objects"), ("talk", "talk")])
def test_what_a_programme_decides_gives_the_same_people(kind: str, module: str) -> None:
    kinds = (kind,) if module == "objects" else ()
    for number in range(DICE):
        happens, never = (
            scene("long", number, Programme(module, kinds, fates={kind: fate})) for fate in (True, False)
        )
        assert looks(happens) == looks(never)
        assert states(happens) != states(never)


def columns(people: list[Look]) -> dict[str, NDArray[np.float64]]:
    """Every field as numbers: colours by channel, names and numbered choices as one column per value."""
    found = {}
    for name in (field.name for field in fields(Look)):
        values = [getattr(look, name) for look in people]
        if isinstance(values[0], str):
            found |= {
                f"{name} {word}": np.array([value == word for value in values], float)
                for word in sorted(set(values))
            }
        elif isinstance(values[0], tuple):
            found |= {f"{name} {channel}": np.array(values, float)[:, k] for k, channel in enumerate("rgb")}
        else:
            found[name] = np.array(values, float)
    return found


def standard_errors(values: NDArray[np.float64], positive: NDArray[np.bool_]) -> float:
    """Difference of the means of both groups in standard errors; nothing where all values are equal."""
    if values.std() == 0:
        return 0.0
    error = values.std() * np.sqrt(1 / positive.sum() + 1 / (~positive).sum())
    return float(abs(values[positive].mean() - values[~positive].mean()) / error)


@pytest.mark.parametrize(("scene_type", "programme"), MODULES, ids=IDS)
def test_people_whose_label_hangs_on_the_context_look_the_same_either_way(
    scene_type: SceneType, programme: Programme
) -> None:
    """One random match of each scene: somebody whose own pixels fit, and whether the context makes it true."""
    people, answers = [], []
    for number in range(SCENES):
        made = scene(scene_type, number, programme)
        rng = stream(3, "looks", scene_type, programme.module, *programme.kinds, str(number))
        found = matches(made, int(rng.integers(made.slots)))
        if found:
            match = found[int(rng.integers(len(found)))]
            people.append(next(actor.look for actor in made.actors if actor.number == match.actor))
            answers.append(match.positive)
    positive = np.array(answers)
    assert min(positive.sum(), (~positive).sum()) > 40, "both states must be common"
    table = columns(people)
    assert {name.split()[0] for name in table} == {field.name for field in fields(Look)}
    strayed = {name: standard_errors(values, positive) for name, values in table.items()}
    assert max(strayed.values()) < LIMIT, strayed
    assert standard_errors(table["height"] + 0.8 * table["height"].std() * positive, positive) > LIMIT

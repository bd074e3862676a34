"""Small steps of inventing a scene: random runs of states, places, and the people who fill it.

Whether a person fulfils the own-pixel part of a class (`own`) is drawn here from a stream that never sees the context's
state: that independence is what makes the labels need their context.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np

from stages.synthesize.looks import Look, Style, random_look
from stages.synthesize.people import Facing
from stages.synthesize.skeleton import Arm, Pose
from stages.synthesize.world import Actor, Role

Evidence = Literal["timeline", "live", "none"]
"""Events of kind d: at the scene's start (timeline), through the whole scene (live), or never (none)."""

FORWARD: Final = 0.50
"""How far an outstretched arm reaches from the body's middle, in heights."""
SIDEWAYS: Final = 0.30
"""How far anything else reaches."""
STRIDE: Final = 0.40
"""How far somebody who talks, jumps, waves or walks reaches."""
FACINGS: Final[tuple[Facing, Facing]] = (-1, 1)


@dataclass
class Draft:
    """A scene in the making: the dice, its size and rules, and the people invented so far."""

    rng: np.random.Generator
    style: Style
    width: float
    slots: int
    clearance: float
    evidence: Evidence
    event_slots: int
    fates: Mapping[str, bool] = field(default_factory=dict)
    """Whether the event of an object kind, or a talk, happens; drawn at random where not given."""
    actors: list[Actor] = field(default_factory=list)

    @property
    def is_long(self) -> bool:
        """Whether an event may be over in this scene."""
        return self.evidence == "timeline"

    def chance(self, probability: float) -> bool:
        """True with that probability."""
        return bool(self.rng.random() < probability)

    def look(self) -> Look:
        """A new person's appearance."""
        return random_look(self.rng, self.style)

    def facing(self) -> Facing:
        """Left or right, evenly."""
        return FACINGS[int(self.rng.integers(2))]

    def depth(self) -> float:
        """Where a person's feet stand (world units from the top)."""
        return float(self.rng.uniform(115.0, 123.0))

    def switches(self, share: float) -> tuple[bool, ...]:
        """On/off per slot in random runs (2-5 s in long scenes), on for about `share` of the time."""
        return random_runs(self.rng, [share] * self.slots, shortest=2 if self.is_long else 1)

    def own(self, weight: float = 1.0) -> tuple[bool, ...]:
        """Per slot, whether a candidate fulfils the own-pixel part; rarer early in long scenes, where events are live."""
        early, late = (0.55 * weight, 0.70 * weight) if self.is_long else (0.64 * weight, 0.64 * weight)
        return random_runs(
            self.rng, [early] * self.event_slots + [late] * (self.slots - self.event_slots), shortest=2
        )

    def event(self, what: str) -> tuple[bool, ...]:
        """Per slot, whether the event of kind d that belongs to `what` goes on."""
        happens = self.fates.get(what, self.chance(0.5)) and self.evidence != "none"
        length = self.event_slots if self.is_long else self.slots
        return tuple(happens and slot < length for slot in range(self.slots))

    def add(
        self,
        look: Look,
        role: Role,
        y: float,
        xs: Sequence[float],
        poses: Sequence[Pose],
        arms: Sequence[Arm],
        facings: Sequence[Facing],
    ) -> None:
        """Put a person into the scene."""
        assert len(xs) == self.slots + 1
        assert len(poses) == len(arms) == len(facings) == self.slots
        number = len(self.actors) + 1
        self.actors.append(Actor(number, look, role, y, tuple(xs), tuple(poses), tuple(arms), tuple(facings)))


def random_runs(rng: np.random.Generator, shares: Sequence[float], shortest: int) -> tuple[bool, ...]:
    """Random on/off runs of `shortest` to 5 slots; a run is on with the share of its first slot."""
    states: list[bool] = []
    while len(states) < len(shares):
        value = bool(rng.random() < shares[len(states)])
        states.extend([value] * int(rng.integers(shortest, 6)))
    offset = int(rng.integers(shortest)) if len(states) > len(shares) + shortest else 0
    return tuple(states[offset : offset + len(shares)])


def random_arms(draft: Draft, pool: Sequence[Arm]) -> list[Arm]:
    """An arm position per slot from `pool`, held for 2-5 slots."""
    arms: list[Arm] = []
    while len(arms) < draft.slots:
        arms.extend([pool[int(draft.rng.integers(len(pool)))]] * int(draft.rng.integers(2, 6)))
    return arms[: draft.slots]


def spread(draft: Draft, low: float, high: float, count: int, gap: float = 17.0) -> list[float]:
    """Up to `count` places in [low, high], at least `gap` apart, in random order."""
    if high < low:
        return []
    count = min(count, 1 + int((high - low) / gap))
    slack = (high - low) - gap * (count - 1)
    offsets = np.sort(draft.rng.uniform(0.0, slack, count))
    places = [low + float(offset) + gap * k for k, offset in enumerate(offsets)]
    return [places[k] for k in draft.rng.permutation(count)]


def stroll(
    draft: Draft, x: float, low: float, high: float, poses: list[Pose], facings: list[Facing]
) -> list[float]:
    """Positions per slot boundary of somebody who walks once, for one slot, within [low, high]; else stays at `x`.

    Changes `poses` and `facings` in the slot of the walk.
    """
    xs = [x] * (draft.slots + 1)
    target = float(draft.rng.uniform(low, high))
    if draft.slots < 3 or not draft.chance(0.2) or abs(target - x) < 20.0:
        return xs
    slot = int(draft.rng.integers(1, draft.slots - 1))
    poses[slot] = "walk"
    facings[slot] = 1 if target > x else -1
    return xs[: slot + 1] + [target] * (draft.slots - slot)


def add_walker(draft: Draft) -> None:
    """Somebody who walks through the frame, in from one side and out at the other."""
    look, facing = draft.look(), draft.facing()
    speed = float(draft.rng.uniform(27.0, 40.0)) * look.height / 75.0
    middle = float(draft.rng.uniform(0.1, 0.9)) * draft.slots
    centre = float(draft.rng.uniform(0.3, 0.7)) * draft.width
    xs = [centre + facing * speed * (k - middle) for k in range(draft.slots + 1)]
    n = draft.slots
    draft.add(look, "walker", draft.depth() + 1.5, xs, ["walk"] * n, ["rest"] * n, [facing] * n)


def add_bender(draft: Draft, low: float, high: float) -> None:
    """Somebody who bends down, in a free place of [low, high] if there is one."""
    look, facing = draft.look(), draft.facing()
    for _ in range(8):
        x = float(draft.rng.uniform(low, high))
        if all(abs(x - other.xs[0]) > 26.0 for other in draft.actors):
            n = draft.slots
            draft.add(
                look, "bystander", draft.depth(), [x] * (n + 1), ["bend"] * n, ["rest"] * n, [facing] * n
            )
            return

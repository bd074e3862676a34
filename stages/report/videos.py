"""Own videos: which people and actions belong to a moment, and names of the files that are written.

K keyframes, N boxes, A classes.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from stages.lib.artifacts.predictions import BoxSet
from stages.report.draw import Actor


@dataclass(frozen=True)
class Moments:
    """A video's keyframes: seconds from its first frame (K,), ascending, and the actors of each."""

    seconds: NDArray[np.float64]
    actors: tuple[tuple[Actor, ...], ...]

    @property
    def reach(self) -> float:
        """Seconds for which a keyframe is held to either side: half the usual distance of keyframes."""
        return 0.5 * float(np.median(np.diff(self.seconds))) if len(self.seconds) > 1 else 0.5

    @property
    def busiest(self) -> float | None:
        """Time of the keyframe with the most actions, of equal ones the first; None without keyframes."""
        counts = [sum(1 + len(actor.actions) for actor in people) for people in self.actors]
        return float(self.seconds[int(np.argmax(counts))]) if counts else None

    def at(self, seconds: float) -> tuple[Actor, ...]:
        """Actors of the nearest keyframe, held for half the usual distance of keyframes to either side."""
        if len(self.seconds) == 0:
            return ()
        nearest = int(np.abs(self.seconds - seconds).argmin())
        return (
            self.actors[nearest] if abs(float(self.seconds[nearest]) - seconds) <= self.reach + 1e-6 else ()
        )


def actors_of(
    boxset: BoxSet,
    probabilities_NA: NDArray[np.float64],
    names: Sequence[str],
    top: int,
    least: float,
    numbers: Mapping[int, int] | None = None,
) -> tuple[tuple[Actor, ...], ...]:
    """The actors of each keyframe with up to `top` actions of probability `least` or more; `numbers` are theirs by box."""
    found = []
    for k in range(len(boxset.boxes.row_splits) - 1):
        rows = range(*boxset.boxes.of(k).indices(len(boxset.boxes)))
        people = (_actor(boxset, n, probabilities_NA[n], names, top, least) for n in rows)
        found.append(
            tuple(replace(one, number=(numbers or {}).get(n, 0)) for one, n in zip(people, rows, strict=True))
        )
    return tuple(found)


def _actor(
    boxset: BoxSet, row: int, probability_A: NDArray[np.float64], names: Sequence[str], top: int, least: float
) -> Actor:
    order = [int(a) for a in np.argsort(-probability_A, kind="stable")[:top] if probability_A[a] >= least]
    x1, y1, x2, y2 = (float(side) for side in boxset.boxes.boxes[row])
    actions = tuple((a, _ascii(names[a]), float(probability_A[a])) for a in order)
    return Actor((x1, y1, x2, y2), float(boxset.boxes.scores[row]), actions)


def _ascii(text: str) -> str:
    """The drawing font knows ASCII only: accents are dropped, other letters become question marks."""
    plain = unicodedata.normalize("NFKD", text)
    return "".join(c for c in plain if not unicodedata.combining(c)).encode("ascii", "replace").decode()


def output_names(originals: Sequence[str]) -> list[str]:
    """File names without folders or unsafe characters, in the order given; equal ones get a number."""
    used: set[str] = set()
    names = []
    for original in originals:
        stem = (
            re.sub(r"[^\w.-]+", "_", original.rsplit("/", 1)[-1].rsplit(".", 1)[0]).strip("._-")[:80]
            or "video"
        )
        name, number = stem, 2
        while name.casefold() in used:
            name, number = f"{stem}-{number}", number + 1
        used.add(name.casefold())
        names.append(name)
    return names

"""A picture of one video: its actors from top to bottom, time from left to right, their top actions as bars."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Final

from stages.report.draw import class_colour
from stages.report.html import esc
from stages.report.svg import drawing, label, rule, shorten, ticks
from stages.report.videos import Moments

MOST_ACTORS: Final = 24
_LEFT, _WIDTH, _TOP, _LANE, _GAP = 230, 720, 26, 17, 9
Point = tuple[float, float]


def timeline(moments: Moments, names: Sequence[str], duration: float, lanes: int) -> str:
    """The svg: up to `lanes` actions of each actor (the largest sums of probability); the stronger a bar, the surer.

    Only the actions that are written beside the person count. Actors stand in the order in which they appear; of more than
    24 those with the most keyframes are shown, and how many there are is said.
    """
    actors = _lanes(moments, lanes)
    shown = sorted(sorted(actors, key=lambda number: -_length(actors[number]))[:MOST_ACTORS])
    length = max(duration, float(moments.seconds.max(initial=0.0)), 0.1)
    reach = moments.reach
    rows = sum(max(len(actors[number]), 1) for number in shown)
    height = _TOP + rows * _LANE + len(shown) * _GAP + 34
    parts = [f'<rect width="100%" height="{height}" fill="#ffffff"/>']
    for tick in ticks(0.0, length):
        x = _LEFT + _WIDTH * tick / length
        parts += [
            rule(x, _TOP - 6, x, height - 30),
            label(x, _TOP - 10, f"{tick:g} s", 11, "#5b6575", "middle"),
        ]
    y = float(_TOP)
    for number in shown:
        parts.append(label(8, y + _LANE - 4, f"#{number}", 13))
        if not actors[number]:
            parts.append(label(_LEFT - 8, y + _LANE - 4, "no action", 11, "#5b6575", "end"))
            y += _LANE
        for index, points in actors[number].items():
            parts.append(label(_LEFT - 8, y + _LANE - 5, shorten(names[index], 28), 12, "#1c2330", "end"))
            parts += [_bar(point, y, length, reach, index, names[index]) for point in points]
            y += _LANE
        y += _GAP
        parts.append(rule(8, y - _GAP / 2, _LEFT + _WIDTH, y - _GAP / 2))
    hidden = len(actors) - len(shown)
    note = f"{hidden} more actors of fewer keyframes are not shown" if hidden else ""
    note = note if actors else "nobody was detected"
    parts.append(label(8, height - 10, note, 12, "#5b6575"))
    return drawing(_LEFT + _WIDTH + 16, height, parts)


def _bar(point: Point, y: float, length: float, reach: float, index: int, name: str) -> str:
    time, probability = point
    start, end = max(time - reach, 0.0), min(time + reach, length)
    red, green, blue = class_colour(index)
    colour = f"rgb({int(0.8 * red)},{int(0.8 * green)},{int(0.8 * blue)})"
    tip = esc(f"{name} {probability:.2f} at {time:g} s")
    return (
        f'<rect x="{_LEFT + _WIDTH * start / length:.1f}" y="{y + 2:.1f}" width="{_WIDTH * (end - start) / length:.1f}" '
        f'height="{_LANE - 5}" fill="{colour}" fill-opacity="{0.2 + 0.8 * probability:.2f}"><title>{tip}</title></rect>'
    )


def _lanes(moments: Moments, most: int) -> dict[int, dict[int, list[Point]]]:
    """(seconds, probability) of the strongest actions of each actor, by class."""
    found: dict[int, dict[int, list[Point]]] = defaultdict(lambda: defaultdict(list))
    for seconds, people in zip(moments.seconds.tolist(), moments.actors, strict=True):
        for person in people:
            lanes = found[person.number]
            for index, _, probability in person.actions:
                lanes[index].append((seconds, probability))
    return {
        number: dict(sorted(lanes.items(), key=lambda lane: -sum(p for _, p in lane[1]))[:most])
        for number, lanes in found.items()
    }


def _length(lanes: dict[int, list[Point]]) -> int:
    return len({time for points in lanes.values() for time, _ in points})

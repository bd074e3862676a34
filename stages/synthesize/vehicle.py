"""The bus: a body with windows behind the people in it, and a steering wheel in front of the driver.

World units; `heading` is the side to which the bus looks. Nothing of it moves, so it does not tell whether it is driven.
"""

from __future__ import annotations

from typing import Final

from stages.synthesize.people import Facing
from stages.synthesize.shapes import Colour, Shape, box_of, disc, line, poly

FLOOR: Final = 16.0
"""Height of the bus's floor above the street."""
DRIVER_FROM_FRONT: Final = 34.0
"""Distance of the driver's seat from the bus's front."""


def bus_shapes(x1: float, x2: float, y: float, paint: Colour, heading: Facing) -> list[Shape]:
    """The bus between `x1` and `x2` on a street at `y`, everything that people inside it hide."""
    trim = (max(0, paint[0] - 50), max(0, paint[1] - 50), max(0, paint[2] - 50))
    top = y - 104.0
    shapes = [
        poly(box_of(x1, top, x2, y - 9), trim),
        poly(box_of(x1 + 3, top + 8, x2 - 3, y - 42), (205, 225, 240)),
        poly(box_of(x1 + 2, y - 44, x2 - 2, y - 10), paint),
    ]
    pillars = 4
    for k in range(1, pillars):
        middle = x1 + (x2 - x1) * k / pillars
        shapes.append(poly(box_of(middle - 1.5, top + 6, middle + 1.5, y - 42), trim))
    for centre in (x1 + 34, x2 - 34):
        shapes += [disc((centre, y - 9), 11.0, (26, 26, 30)), disc((centre, y - 9), 4.5, (170, 170, 176))]
    front = x2 if heading > 0 else x1
    shapes.append(disc((front - heading * 3, y - 22), 3.2, (255, 240, 150)))
    return shapes


def seat_shapes(x: float, y: float, height: float, facing: Facing) -> list[Shape]:
    """A seat for somebody of `height` whose place is (x, y), the bus's floor."""
    back = x - facing * 0.17 * height
    level = y - 0.22 * height
    return [
        line([(back, y - 0.52 * height), (back, level)], 4.0, (70, 60, 84)),
        line([(back, level), (x + facing * 0.08 * height, level)], 4.5, (70, 60, 84)),
    ]


def wheel_shapes(x: float, y: float, height: float, facing: Facing) -> list[Shape]:
    """The steering wheel, seen from the side, and its column, in front of a driver's place (x, y)."""
    hub = (x + facing * 0.25 * height, y - 0.46 * height)
    low, high = (hub[0] - facing * 3.0, hub[1] + 9.0), (hub[0] + facing * 3.0, hub[1] - 9.0)
    column = line([hub, (x + facing * 0.36 * height, y - 0.1 * height)], 2.5, (50, 50, 56))
    return [column, line([low, high], 3.2, (16, 16, 18)), disc(hub, 2.4, (200, 200, 205))]

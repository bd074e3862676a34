"""Objects that decide labels: television, radio, sign, telephone and door, each on or off, at an edge of the frame.

World units; `side` -1 stands at the left edge and is turned to the right, +1 the other way round. An object's extent
(`HALF_WIDTH` left and right of its x) holds everything it ever shows, so that clearances do not depend on its state.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final, Literal, get_args

from stages.synthesize.shapes import Colour, Point, Shape, box_of, disc, line, poly

ThingKind = Literal["tv", "radio", "sign", "phone", "door"]
THING_KINDS: Final[tuple[ThingKind, ...]] = get_args(ThingKind)
HALF_WIDTH: Final = 18.0
EDGE: Final = 22.0
"""Distance of an object's x from the frame's edge."""
MOVING_WHEN_ON: Final[frozenset[ThingKind]] = frozenset({"tv", "radio", "phone"})

_BLACK: Final[Colour] = (22, 22, 26)
_GREY: Final[Colour] = (88, 90, 96)
_SCREEN_COLOURS: Final[tuple[Colour, ...]] = (
    (120, 230, 255), (255, 150, 190), (170, 255, 140), (255, 230, 120), (200, 170, 255), (255, 255, 255)
)  # fmt: skip
Side = Literal[-1, 1]
_Place = Callable[[float, float], Point]


def thing_shapes(
    kind: ThingKind, side: Side, x: float, y: float, time: float, paint: Colour, on: int
) -> list[Shape]:
    """Shapes of an object whose foot stands at (x, y); `on` is 0 or 1, `paint` the colour of its body."""

    def at(inwards: float, up: float) -> Point:
        return x - side * inwards, y - up

    match kind:
        case "tv":
            return _tv(at, time, paint, on)
        case "radio":
            return _radio(at, time, paint, on)
        case "sign":
            return _sign(at, paint, on)
        case "phone":
            return _phone(at, time, paint, on)
        case "door":
            return _door(at, paint, on)


def _tv(at: _Place, time: float, paint: Colour, on: int) -> list[Shape]:
    """A screen in perspective: the edge towards the room is the taller one."""
    shapes = [
        line([at(-2, 0), at(-2, 34)], 4.0, _BLACK),
        line([at(-10, 0.5), at(6, 0.5)], 3.0, _BLACK),
        poly([at(-15, 34), at(-15, 68), at(17, 78), at(17, 26)], paint),
    ]
    step = int(time * 6.0)
    screen = (46, 50, 56) if not on else _SCREEN_COLOURS[(step * 7) % len(_SCREEN_COLOURS)]
    shapes.append(poly([at(-12, 38), at(-12, 65), at(14, 73), at(14, 31)], screen))
    if on:
        shapes.append(
            disc(
                at(-4 + 9 * math.sin(2.2 * time), 52 + 6 * math.sin(5 * time)),
                6.5,
                _SCREEN_COLOURS[(step * 5 + 2) % 6],
            )
        )
    else:
        shapes.append(line([at(-8, 60), at(6, 48)], 1.5, (70, 76, 84)))
    return shapes


def _radio(at: _Place, time: float, paint: Colour, on: int) -> list[Shape]:
    case = (250, 210, 40) if on else paint
    shapes = [
        poly([at(-14, 0), at(-14, 22), at(14, 22), at(14, 0)], (70, 56, 44)),
        poly([at(-17, 22), at(-17, 50), at(17, 50), at(17, 22)], case),
        line([at(8, 50), at(15, 66)], 1.5, _BLACK),
    ]
    beat = 0.5 + 0.5 * math.sin(2 * math.pi * 2.0 * time)
    for centre in (-8.5, 8.5):
        radius = 4.5 + 2.6 * beat if on else 5.0
        shapes.append(disc(at(centre, 36), 7.6, _BLACK))
        shapes.append(disc(at(centre, 36), radius, (255, 90, 30) if on else _GREY))
    if on:
        rise = (time * 0.8) % 1.0
        for offset, lag in ((-7.0, 0.0), (4.0, 0.5)):
            up = 54 + 20 * ((rise + lag) % 1.0)
            shapes.append(disc(at(offset, up), 3.2, (230, 30, 120)))
            shapes.append(line([at(offset + 2.6, up), at(offset + 2.6, up + 9)], 1.6, (230, 30, 120)))
    return shapes


def _sign(at: _Place, paint: Colour, on: int) -> list[Shape]:
    shapes = [line([at(0, 0), at(0, 60)], 4.0, (96, 96, 100))]
    if on:
        rays = [(17.5 * math.cos(k * math.pi / 4), 17.5 * math.sin(k * math.pi / 4)) for k in range(8)]
        shapes += [
            line([at(0.7 * dx, 72 + 0.7 * dy), at(dx, 72 + dy)], 2.2, (255, 240, 90)) for dx, dy in rays
        ]
        shapes += [disc(at(0, 72), 14.0, (240, 30, 30)), disc(at(0, 72), 8.0, (255, 255, 255))]
    else:
        shapes += [disc(at(0, 72), 14.0, paint), disc(at(0, 72), 8.0, (72, 74, 80))]
    return shapes


def _phone(at: _Place, time: float, paint: Colour, on: int) -> list[Shape]:
    shapes = [
        line([at(-12, 0), at(-12, 28)], 3.0, (104, 74, 46)),
        line([at(12, 0), at(12, 28)], 3.0, (104, 74, 46)),
        poly([at(-17, 27), at(-17, 31), at(17, 31), at(17, 27)], (128, 92, 56)),
    ]
    shake = 2.4 * math.sin(2 * math.pi * 6.0 * time) if on else 0.0
    if on:
        turn = math.pi / 8 * (int(time * 6.0) % 2)
        for k in range(8):
            angle = turn + k * math.pi / 4
            left, right = angle - 0.24, angle + 0.24
            tip = at(17.0 * math.cos(angle), 48 + 20.0 * math.sin(angle))
            base = [at(9 * math.cos(a), 48 + 9 * math.sin(a)) for a in (left, right)]
            shapes.append(poly([tip, *base], (255, 225, 30)))
        shapes.append(disc(at(0, 48), 11.0, (255, 225, 30)))
    body = (235, 40, 40) if on else paint
    lift = 5.0 if on else 0.0
    shapes.append(poly([at(-11, 31), at(-6, 42), at(6, 42), at(11, 31)], body))
    shapes.append(disc(at(0, 36), 3.6, (245, 245, 240)))
    shapes.append(line([at(-10, 45 + lift + shake), at(10, 45 + lift - shake)], 5.0, body))
    shapes += [disc(at(s * 10, 43.5 + lift - s * shake), 3.4, body) for s in (-1, 1)]
    return shapes


def _door(at: _Place, paint: Colour, on: int) -> list[Shape]:
    frame = poly([at(-18, 0), at(-18, 86), at(18, 86), at(18, 0)], (60, 46, 38))
    if not on:
        panel = poly([at(-15, 0), at(-15, 83), at(15, 83), at(15, 0)], paint)
        inset = tuple(max(0, int(c * 0.75)) for c in paint)
        boards = [
            poly(box_of(*at(-11, top), *at(11, top - 30)), (inset[0], inset[1], inset[2])) for top in (77, 40)
        ]
        return [frame, panel, *boards, disc(at(10, 42), 2.4, (250, 215, 60))]
    night = poly([at(-15, 0), at(-15, 83), at(15, 83), at(15, 0)], (18, 24, 70))
    moon = disc(at(4, 64), 7.0, (255, 250, 200))
    path = poly([at(-6, 0), at(3, 34), at(7, 34), at(15, 0)], (120, 220, 90))
    leaf = poly([at(-15, 0), at(-15, 83), at(-5, 74), at(-5, -7)], paint)
    return [frame, night, moon, path, leaf, disc(at(-7, 36), 1.8, (250, 215, 60))]

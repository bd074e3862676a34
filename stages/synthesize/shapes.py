"""Primitives of a drawing and how they are painted: anti-aliased, at 1/16 of a pixel.

World unit: 1/128 of the frame height, x to the right and y downwards, origin at the frame's top left corner.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Colour = tuple[int, int, int]
Point = tuple[float, float]
Frame = NDArray[np.uint8]

WORLD_HEIGHT = 128.0
_SHIFT = 4
_ONE = 1 << _SHIFT
_FINE = 3.5
"""Lines and discs thinner than this get no contour."""
_SPREAD = 0.85
"""How far anti-aliased painting spreads beyond the geometric edge (measured; world units, about pixels)."""


class Shape(NamedTuple):
    """A filled polygon, a round-capped line of some width, or a disc (width = diameter); world units."""

    form: Literal["poly", "line", "disc"]
    points: Sequence[Point]
    width: float
    colour: Colour


def poly(points: Sequence[Point], colour: Colour) -> Shape:
    """A filled polygon."""
    return Shape("poly", points, 0.0, colour)


def line(points: Sequence[Point], width: float, colour: Colour) -> Shape:
    """An open line through `points` with round caps."""
    return Shape("line", points, width, colour)


def disc(centre: Point, radius: float, colour: Colour) -> Shape:
    """A filled circle."""
    return Shape("disc", (centre,), 2.0 * radius, colour)


def box_of(x1: float, y1: float, x2: float, y2: float) -> tuple[Point, Point, Point, Point]:
    """The corners of an upright rectangle."""
    return (x1, y1), (x2, y1), (x2, y2), (x1, y2)


def extent(shapes: Iterable[Shape], outline: float = 0.0) -> tuple[float, float, float, float]:
    """Bounding box (x1, y1, x2, y2) of what `paint` would colour, in world units."""
    x1, y1, x2, y2 = math.inf, math.inf, -math.inf, -math.inf
    for shape in shapes:
        margin = shape.width / 2 + _margin(shape, outline) + _SPREAD
        for x, y in shape.points:
            x1, y1, x2, y2 = (
                min(x1, x - margin),
                min(y1, y - margin),
                max(x2, x + margin),
                max(y2, y + margin),
            )
    return x1, y1, x2, y2


def _margin(shape: Shape, outline: float) -> float:
    return 0.0 if shape.form != "poly" and shape.width < _FINE else outline


def paint(
    canvas: Frame, shapes: Iterable[Shape], scale: float, outline: float = 0.0, ink: Colour = (0, 0, 0)
) -> None:
    """Draw `shapes` onto `canvas` (H, W, 3), in order; each gets a contour of `outline` world units in `ink`."""
    listed = list(shapes)
    if not listed:
        return
    everything = np.array([point for shape in listed for point in shape.points])
    fixed = np.rint(everything * (scale * _ONE) - _ONE / 2).astype(np.int32)  # a pixel's centre is at .5
    start = 0
    for shape in listed:
        end = start + len(shape.points)
        _paint_one(canvas, shape, fixed[start:end], scale, _margin(shape, outline), ink)
        start = end


def _paint_one(
    canvas: Frame, shape: Shape, fixed: NDArray[np.int32], scale: float, margin: float, ink: Colour
) -> None:
    if margin:
        _contour(canvas, shape, fixed, scale, margin, ink)
    if shape.form == "poly":
        cv2.fillConvexPoly(canvas, fixed, shape.colour, cv2.LINE_AA, _SHIFT)
    elif shape.form == "line":
        thickness = max(1, round(shape.width * scale))
        cv2.polylines(canvas, [fixed], False, shape.colour, thickness, cv2.LINE_AA, _SHIFT)
    else:
        _circle(canvas, fixed, shape.width / 2 * scale, shape.colour)


def _contour(
    canvas: Frame, shape: Shape, fixed: NDArray[np.int32], scale: float, outline: float, ink: Colour
) -> None:
    if shape.form == "poly":
        cv2.polylines(canvas, [fixed], True, ink, max(1, round(2 * outline * scale)), cv2.LINE_AA, _SHIFT)
    elif shape.form == "line":
        thickness = max(1, round((shape.width + 2 * outline) * scale))
        cv2.polylines(canvas, [fixed], False, ink, thickness, cv2.LINE_AA, _SHIFT)
    else:
        _circle(canvas, fixed, (shape.width / 2 + outline) * scale, ink)


def _circle(canvas: Frame, fixed: NDArray[np.int32], radius: float, colour: Colour) -> None:
    centre = (int(fixed[0, 0]), int(fixed[0, 1]))
    cv2.circle(canvas, centre, max(1, round(radius * _ONE)), colour, -1, cv2.LINE_AA, _SHIFT)

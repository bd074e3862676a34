"""A person as shapes: a profile figure with two-part limbs whose nose, eye and hair show which side it faces."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Literal

from stages.synthesize.looks import INK, Look, shade
from stages.synthesize.shapes import Colour, Point, Shape, box_of, disc, extent, line, poly
from stages.synthesize.skeleton import SEAT, Arm, Joint, Joints, Limb, Pose, joints

Facing = Literal[-1, 1]
"""-1 faces left, 1 faces right."""


class _Figure:
    """Maps the body frame of one person into the world and collects shapes."""

    def __init__(self, look: Look, facing: Facing, x: float, y: float) -> None:
        self.look, self.facing, self.x, self.y = look, facing, x, y

    def at(self, joint: Joint) -> Point:
        return self.x + self.facing * joint[0] * self.look.height, self.y - joint[1] * self.look.height

    def size(self, fraction: float) -> float:
        return fraction * self.look.height

    def limb(self, limb: Limb, width: float, colour: Colour) -> Shape:
        return line([self.at(joint) for joint in limb], self.size(width), colour)

    def disc(self, joint: Joint, radius: float, colour: Colour) -> Shape:
        return disc(self.at(joint), self.size(radius), colour)


def person_shapes(
    look: Look, pose: Pose, arm: Arm, facing: Facing, x: float, y: float, time: float
) -> list[Shape]:
    """The shapes of one person whose feet stand at (x, y), world units, in painting order."""
    figure = _Figure(look, facing, x, y)
    body = joints(pose, arm, look.tempo * time + 3.0 * look.phase)
    return list(_shapes(figure, body, look, arm if pose in ("stand", "sit") else "rest"))


def person_extent(shapes: list[Shape], look: Look) -> tuple[float, float, float, float]:
    """The person's box (x1, y1, x2, y2) in world units, contour included."""
    return extent(shapes, look.outline)


def _shapes(figure: _Figure, body: Joints, look: Look, arm: Arm) -> Iterator[Shape]:
    far_arm, near_arm = body.arms
    far_leg, near_leg = body.legs
    yield from _arm(figure, far_arm, shade(look.sleeve, 0.85))
    yield figure.limb(far_leg, look.limb * 1.25, shade(look.trousers, 0.8))
    yield _shoe(figure, far_leg)
    yield figure.limb(near_leg, look.limb * 1.25, look.trousers)
    yield _shoe(figure, near_leg)
    yield _torso(figure, body)
    yield from _head(figure, body)
    if arm == "point":
        tip = near_arm[2][0] + 0.07, near_arm[2][1]
        yield line([figure.at(near_arm[2]), figure.at(tip)], figure.size(0.03), look.skin)
    yield from _arm(figure, near_arm, look.sleeve)


def _arm(figure: _Figure, limb: Limb, colour: Colour) -> Iterator[Shape]:
    yield figure.limb(limb, figure.look.limb, colour)
    yield figure.disc(limb[2], 0.043, figure.look.skin)


def _shoe(figure: _Figure, leg: Limb) -> Shape:
    foot = leg[2]
    return line([figure.at(foot), figure.at((foot[0] + 0.05, foot[1]))], figure.size(0.04), figure.look.shoes)


def _torso(figure: _Figure, body: Joints) -> Shape:
    look = figure.look
    if look.style == "film":
        top = _between(body.hip, body.neck, 0.78)
        return line([figure.at(body.hip), figure.at(top)], figure.size(look.build), look.shirt)
    ax, ay = body.neck[0] - body.hip[0], body.neck[1] - body.hip[1]
    length = math.hypot(ax, ay)
    nx, ny = -ay / length, ax / length
    wide, narrow = look.build / 2 + 0.03, look.build / 2 - 0.03
    low = _between(body.hip, body.neck, -0.18)
    corners = [
        (low[0] + wide * nx, low[1] + wide * ny),
        (body.neck[0] + narrow * nx, body.neck[1] + narrow * ny),
        (body.neck[0] - narrow * nx, body.neck[1] - narrow * ny),
        (low[0] - wide * nx, low[1] - wide * ny),
    ]
    return poly([figure.at(corner) for corner in corners], look.shirt)


def _between(a: Joint, b: Joint, share: float) -> Joint:
    return a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1])


def _on_head(figure: _Figure, body: Joints) -> Callable[[float, float], Point]:
    """Maps a place on the head (towards the face, towards the crown; head radii) into the world."""
    dx, dy = body.head[0] - body.neck[0], body.head[1] - body.neck[1]
    angle = min(1.2, max(0.0, math.atan2(dx, dy) - 0.25))
    radius = figure.look.head
    cos, sin = radius * math.cos(angle), radius * math.sin(angle)
    x, y = body.head

    def place(along: float, up: float) -> Point:
        return figure.at((x + along * cos + up * sin, y + up * cos - along * sin))

    return place


def _head(figure: _Figure, body: Joints) -> Iterator[Shape]:
    look = figure.look
    point = _on_head(figure, body)
    yield poly([point(0.75, 0.25), point(1.5, -0.2), point(0.7, -0.4)], look.skin)
    if look.form == "square":
        yield poly([point(-0.85, 0.9), point(0.85, 0.9), point(0.8, -0.95), point(-0.7, -0.95)], look.skin)
    elif look.form == "egg":
        yield line([point(-0.05, 0.25), point(0.1, -0.25)], figure.size(1.6 * look.head), look.skin)
    else:
        yield figure.disc(body.head, look.head, look.skin)
    crown = [point(-0.98, 0.15), point(-0.75, 0.8), point(0.0, 1.05), point(0.75, 0.8), point(0.85, 0.42)]
    yield poly(crown, look.hair)
    yield poly([point(-0.98, 0.25), point(-0.88, -0.5), point(-0.5, -0.5), point(-0.3, 0.3)], look.hair)
    if look.beard:
        yield poly([point(0.1, -0.6), point(0.75, -0.55), point(0.4, -1.1)], look.hair)
    yield from _hat(figure, point)
    size = figure.size(look.head)
    yield disc(point(0.5, 0.1), 0.15 * size, INK)
    if body.mouth > 0.0:
        yield disc(point(0.5, -0.5), (0.14 + 0.22 * body.mouth) * size, (150, 16, 24))
    else:
        yield line([point(0.4, -0.52), point(0.75, -0.5)], 0.14 * size, (150, 40, 40))


def _hat(figure: _Figure, point: Callable[[float, float], Point]) -> Iterator[Shape]:
    look = figure.look
    match look.hat:
        case "cap":
            yield poly([point(-0.95, 0.55), point(-0.6, 1.2), point(0.5, 1.25), point(0.9, 0.55)], look.hair)
            yield line([point(0.3, 0.6), point(1.5, 0.5)], 0.25 * figure.size(look.head), look.hair)
        case "tall":
            yield poly([point(-0.7, 0.7), point(-0.65, 1.75), point(0.65, 1.75), point(0.7, 0.7)], look.hair)
            yield line([point(-1.1, 0.75), point(1.1, 0.75)], 0.22 * figure.size(look.head), look.hair)
        case "cone":
            yield poly([point(-0.9, 0.6), point(-0.25, 2.0), point(0.9, 0.6)], look.hair)
        case "bun":
            yield disc(point(-0.9, 0.75), 0.45 * figure.size(look.head), look.hair)
        case "none":
            return


def stool_shapes(look: Look, x: float, y: float, facing: Facing) -> list[Shape]:
    """The stool under somebody who sits at (x, y); it is not part of the person's box."""
    seat = y - (SEAT - 0.03) * look.height
    middle = x - facing * 0.04 * look.height
    half = 0.11 * look.height
    wood = shade(look.hair, 0.9)
    return [
        line([(middle - half + 2, seat), (middle - half + 1, y - 1)], 2.2, wood),
        line([(middle + half - 2, seat), (middle + half - 1, y - 1)], 2.2, wood),
        poly(box_of(middle - half, seat - 2.0, middle + half, seat + 2.5), shade(wood, 1.3)),
    ]

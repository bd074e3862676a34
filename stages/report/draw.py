"""Boxes and action labels drawn into frames, readable from 340 x 256 to 1920 x 1080.

H, W frame size; boxes are xyxy in [0, 1] of the frame. Colours are RGB.
"""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

Frame = NDArray[np.uint8]
Colour = tuple[int, int, int]
_FONT: Final = cv2.FONT_HERSHEY_SIMPLEX
_CAP_HEIGHT: Final = 21.0  # pixels of a capital letter at scale one
_BACK: Final = (18, 20, 26)


@dataclass(frozen=True)
class Actor:
    """One person of a keyframe: box, detection score, (class, name, probability), the likeliest first, and its number.

    The number tells who it is over the keyframes of a video; 0: not known.
    """

    box: tuple[float, float, float, float]
    score: float
    actions: tuple[tuple[int, str, float], ...]
    number: int = 0


def class_colour(index: int) -> Colour:
    """A bright colour for a class; neighbours differ clearly (golden-ratio steps around the circle)."""
    red, green, blue = colorsys.hsv_to_rgb((0.58 + 0.618034 * index) % 1.0, 0.55, 1.0)
    return int(255 * red), int(255 * green), int(255 * blue)


def draw_actors(frame_HW3: Frame, actors: Sequence[Actor]) -> Frame:
    """A copy of an RGB frame with every actor's box and actions; texts avoid each other and stay inside."""
    canvas = np.ascontiguousarray(frame_HW3).copy()
    height, width = canvas.shape[:2]
    letter = max(8.0, min(height, width * 0.75) / 40)
    line = max(1, round(letter / 6))
    taken: list[tuple[int, int, int, int]] = []
    for actor in sorted(actors, key=lambda one: one.box[1]):
        x1, y1, x2, y2 = (
            round(side * size) for side, size in zip(actor.box, (width, height) * 2, strict=True)
        )
        colour = class_colour(actor.actions[0][0]) if actor.actions else (235, 235, 235)
        cv2.rectangle(canvas, (x1, y1), (x2 - 1, y2 - 1), _BACK, line + 2, cv2.LINE_AA)
        cv2.rectangle(canvas, (x1, y1), (x2 - 1, y2 - 1), colour, line, cv2.LINE_AA)
    for actor in sorted(actors, key=lambda one: one.box[1]):
        _label(canvas, actor, letter, taken)
    return canvas


def _label(canvas: Frame, actor: Actor, letter: float, taken: list[tuple[int, int, int, int]]) -> None:
    """The actions as lines on a dark plate above the box, or below its upper edge where there is no room."""
    height, width = canvas.shape[:2]
    lines = [(f"{name} {probability:.2f}", class_colour(place)) for place, name, probability in actor.actions]
    lines = lines or [(f"person {actor.score:.2f}", (235, 235, 235))]
    if actor.number:
        lines[0] = (f"#{actor.number} {lines[0][0]}", lines[0][1])
    scale, pad = letter / _CAP_HEIGHT, max(2, round(letter * 0.35))
    thick = max(1, round(letter / 9))
    sizes = [cv2.getTextSize(text, _FONT, scale, thick)[0] for text, _ in lines]
    step = round(letter * 1.6)
    plate_w, plate_h = max(size[0] for size in sizes) + 2 * pad, step * len(lines) + pad
    x, y = _place(actor, (plate_w, plate_h), (width, height), taken)
    taken.append((x, y, x + plate_w, y + plate_h))
    view = canvas[y : y + plate_h, x : x + plate_w]
    view[:] = (0.28 * view + 0.72 * np.array(_BACK)).astype(np.uint8)
    for number, (text, colour) in enumerate(lines):
        base = (x + pad, y + pad + step * number + round(letter))
        cv2.putText(canvas, text, base, _FONT, scale, colour, thick, cv2.LINE_AA)


def _place(
    actor: Actor, plate: tuple[int, int], size: tuple[int, int], taken: Sequence[tuple[int, int, int, int]]
) -> tuple[int, int]:
    """Upper left corner of a plate: above the box, inside its top, at its foot, or lower until it is free."""
    (plate_w, plate_h), (width, height) = plate, size
    x1, y1, x2, y2 = (round(side * scale) for side, scale in zip(actor.box, (width, height) * 2, strict=True))
    low_x, low_y = max(width - plate_w, 0), max(height - plate_h, 0)
    wanted = [(x1, y1 - plate_h), (x1, y1 + 2), (x2 - plate_w, y1 + 2), (x1, y2 - plate_h), (x1, y2)]
    wanted += [(x1, y1 + shift) for shift in range(0, height, max(plate_h // 2, 1))]
    spots = [(min(max(x, 0), low_x), min(max(y, 0), low_y)) for x, y in wanted if y >= 0] or [(0, 0)]
    free = [spot for spot in spots if not any(_meets(spot, plate, other) for other in taken)]
    return (free or spots)[0]


def _meets(spot: tuple[int, int], plate: tuple[int, int], other: tuple[int, int, int, int]) -> bool:
    x, y = spot
    return x < other[2] and other[0] < x + plate[0] and y < other[3] and other[1] < y + plate[1]

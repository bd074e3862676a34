"""Textured backgrounds with meaningless objects on them, one recipe per drawing style."""

from __future__ import annotations

import cv2
import numpy as np

from stages.synthesize.looks import INK, INKS, Style, vivid
from stages.synthesize.shapes import WORLD_HEIGHT, Colour, Frame, Shape, box_of, line, paint, poly

HORIZON = 108.0
"""Least height (world units from the top) at which the floor begins."""


def backdrop(rng: np.random.Generator, style: Style, width: int, height: int) -> Frame:
    """A background (H, W, 3), RGB: wall, floor, texture, grain, and a few distractors on the wall."""
    scale = height / WORLD_HEIGHT
    world_width = width / scale
    canvas = _film_wall(rng, width, height) if style == "film" else _comic_wall(rng, width, height)
    floor = float(rng.uniform(HORIZON - 4, HORIZON + 6))
    _floor(canvas, rng, style, floor * scale)
    paint(canvas, _distractors(rng, style, world_width, floor), scale, INKS[style], INK)
    grain = rng.integers(0, 9 if style == "film" else 4, canvas.shape, dtype=np.uint8)
    result: Frame = np.minimum(canvas, 246) + grain
    return result


def _film_wall(rng: np.random.Generator, width: int, height: int) -> Frame:
    """A vertical gradient between two muted colours under low-frequency noise."""
    top, bottom = (np.array(vivid(rng, (0.05, 0.5), (0.3, 0.85)), np.float32) for _ in range(2))
    ramp = np.linspace(0.0, 1.0, height, dtype=np.float32)[:, None, None]
    blotches = rng.normal(0.0, 1.0, (int(rng.integers(5, 16)), int(rng.integers(8, 30)), 3)).astype(
        np.float32
    )
    noise = cv2.resize(blotches, (width, height), interpolation=cv2.INTER_CUBIC) * float(
        rng.uniform(6.0, 24.0)
    )
    return np.clip(top * (1 - ramp) + bottom * ramp + noise, 0, 246).astype(np.uint8)


def _comic_wall(rng: np.random.Generator, width: int, height: int) -> Frame:
    """Flat light (or, one time in four, night-dark) paper with stripes, dots or tiles."""
    dark = rng.random() < 0.25
    value = (0.18, 0.32) if dark else (0.82, 0.96)
    base, other = vivid(rng, (0.05, 0.3), value), vivid(rng, (0.05, 0.35), value)
    canvas = np.full((height, width, 3), base, np.uint8)
    step, kind = int(rng.integers(9, 26)), int(rng.integers(4))
    if kind == 0:
        for x in range(0, width, step):
            cv2.rectangle(canvas, (x, 0), (x + step // 3, height), other, -1)
    elif kind == 1:
        for number, y in enumerate(range(step // 2, height, step)):
            for x in range(step // 2 + (number % 2) * step // 2, width, step):
                cv2.circle(canvas, (x, y), max(1, step // 5), other, -1, cv2.LINE_AA)
    elif kind == 2:
        for x in range(-height, width, step):
            cv2.line(canvas, (x, height), (x + height, 0), other, max(1, step // 5), cv2.LINE_AA)
    else:
        for x in range(0, width, step):
            cv2.line(canvas, (x, 0), (x, height), other, 1)
        for y in range(0, height, step):
            cv2.line(canvas, (0, y), (width, y), other, 1)
    return canvas


def _floor(canvas: Frame, rng: np.random.Generator, style: Style, top: float) -> None:
    height, width = canvas.shape[:2]
    row = int(top)
    tone = np.array(vivid(rng, (0.1, 0.5), (0.2, 0.6) if style == "film" else (0.6, 0.9)), np.float32)
    canvas[row:] = np.clip(0.4 * canvas[row:] + 0.6 * tone, 0, 246).astype(np.uint8)
    colour = tuple(int(c) for c in 0.6 * tone)
    for _ in range(int(rng.integers(2, 7))):
        x = int(rng.uniform(0, width))
        cv2.line(canvas, (x, row), (int(x + rng.uniform(-30, 30)), height), colour, 1, cv2.LINE_AA)
    if style == "comic":
        cv2.line(canvas, (0, row), (width, row), INK, 1)


def _distractors(rng: np.random.Generator, style: Style, width: float, floor: float) -> list[Shape]:
    """Pictures, lamps, plants and boxes; they mean nothing."""
    shapes: list[Shape] = []
    for _ in range(int(rng.integers(2, 6))):
        x, y = float(rng.uniform(6, width - 6)), float(rng.uniform(6, 50))
        colour = (
            vivid(rng, (0.2, 0.8), (0.3, 0.9)) if style == "film" else vivid(rng, (0.1, 0.4), (0.6, 0.95))
        )
        shapes += _ornament(rng, x, y, colour, floor)
    return shapes


def _ornament(rng: np.random.Generator, x: float, y: float, colour: Colour, floor: float) -> list[Shape]:
    half, tall = float(rng.uniform(4, 15)), float(rng.uniform(3, 9))
    match int(rng.integers(5)):
        case 0 | 1:
            return [poly(box_of(x - half, y - tall, x + half, y + tall), colour)]
        case 2:
            return [
                line([(x, 0), (x, y * 0.4)], 1.0, INK),
                poly([(x - 7, y * 0.4 + 7), (x, y * 0.4), (x + 7, y * 0.4 + 7)], colour),
            ]
        case 3:
            return plant_shapes(x, floor + 6, colour)
        case _:
            return [poly(box_of(x - half, floor + 4 - 1.5 * tall, x + half, floor + 4), colour)]


def plant_shapes(x: float, y: float, pot: Colour) -> list[Shape]:
    """A pot plant standing at (x, y)."""
    leaves = [
        line([(x, y - 10), (x + dx, y - 28 + abs(dx) * 0.7)], 3.6, (52, 130, 60))
        for dx in (-9.0, -3.0, 4.0, 10.0)
    ]
    return [*leaves, poly([(x - 6, y - 12), (x + 6, y - 12), (x + 4, y), (x - 4, y)], pot)]

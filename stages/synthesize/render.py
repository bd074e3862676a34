"""Frames of a scene: a layer with everything that keeps still, redrawn twice a second, and what moves on top of it."""

from __future__ import annotations

import cv2
import numpy as np

from stages.synthesize.backdrop import backdrop
from stages.synthesize.looks import INK, INKS
from stages.synthesize.people import stool_shapes
from stages.synthesize.shapes import WORLD_HEIGHT, Frame, Shape, paint
from stages.synthesize.things import MOVING_WHEN_ON, thing_shapes
from stages.synthesize.vehicle import DRIVER_FROM_FRONT, FLOOR, bus_shapes, seat_shapes, wheel_shapes
from stages.synthesize.world import (
    FADE_SECONDS,
    STILL_STEP,
    Actor,
    Scene,
    Thing,
    actor_shapes,
    actor_x,
    paint_order,
)

_EMPTY_SEAT_HEIGHT = 75.0


class SceneRenderer:
    """Draws one scene at given times; frames are (H, W, 3) uint8 RGB and must not be changed by the caller."""

    def __init__(self, scene: Scene, width: int, height: int) -> None:
        self.scene, self.scale = scene, height / WORLD_HEIGHT
        self.outline = INKS[scene.style]
        self._background = backdrop(np.random.default_rng(scene.backdrop_seed), scene.style, width, height)
        if scene.bus:
            bus = scene.bus
            self._paint(self._background, bus_shapes(bus.x1, bus.x2, bus.y, bus.colour, bus.heading))
        self._layer, self._layer_step = self._background, -1

    def frame(self, time: float) -> Frame:
        """The drawing at `time` (s of the original video)."""
        slot = self.scene.slot(time)
        step = int((time - self.scene.origin) / STILL_STEP)
        if step != self._layer_step:
            self._layer, self._layer_step = self._still_layer(slot, time), step
        moving_things = [thing for thing in self.scene.things if _flickers(thing, slot)]
        moving_actors = [actor for actor in paint_order(self.scene, time) if actor.moves(slot)]
        fading = self.scene.fades_in and time < self.scene.start + FADE_SECONDS
        if not (moving_things or moving_actors or fading):
            return self._layer
        canvas = self._layer.copy()
        for thing in moving_things:
            self._paint_thing(canvas, thing, slot, time)
        for actor in moving_actors:
            self._paint_actor(canvas, actor, slot, time)
        return _faded(canvas, (time - self.scene.start) / FADE_SECONDS) if fading else canvas

    def _still_layer(self, slot: int, time: float) -> Frame:
        canvas = self._background.copy()
        for thing in self.scene.things:
            if not _flickers(thing, slot):
                self._paint_thing(canvas, thing, slot, time)
        for actor in paint_order(self.scene, time):
            if not actor.moves(slot):
                self._paint_actor(canvas, actor, slot, time)
        if self.scene.bus:
            self._paint_cockpit(canvas)
        return canvas

    def _paint(self, canvas: Frame, shapes: list[Shape]) -> None:
        paint(canvas, shapes, self.scale, self.outline, INK)

    def _paint_thing(self, canvas: Frame, thing: Thing, slot: int, time: float) -> None:
        self._paint(
            canvas,
            thing_shapes(
                thing.kind, thing.side, thing.x, thing.y, time, thing.colour, int(thing.states[slot])
            ),
        )

    def _paint_actor(self, canvas: Frame, actor: Actor, slot: int, time: float) -> None:
        if actor.poses[slot] == "sit":
            x, facing = actor_x(self.scene, actor, time), actor.facings[slot]
            if self.scene.bus:
                self._paint(canvas, seat_shapes(x, actor.y, actor.look.height, facing))
            else:
                self._paint(canvas, stool_shapes(actor.look, x, actor.y, facing))
        self._paint(canvas, actor_shapes(self.scene, actor, time))

    def _paint_cockpit(self, canvas: Frame) -> None:
        """The steering wheel, and the driver's seat when nobody sits on it."""
        bus = self.scene.bus
        assert bus is not None
        driver = next((actor for actor in self.scene.actors if actor.role == "driver"), None)
        front = bus.x2 if bus.heading > 0 else bus.x1
        x = front - bus.heading * DRIVER_FROM_FRONT
        height = driver.look.height if driver else _EMPTY_SEAT_HEIGHT
        floor = driver.y if driver else bus.y - FLOOR
        if driver is None:
            self._paint(canvas, seat_shapes(x, floor, height, bus.heading))
        self._paint(canvas, wheel_shapes(x, floor, height, bus.heading))


def _flickers(thing: Thing, slot: int) -> bool:
    return thing.states[slot] and thing.kind in MOVING_WHEN_ON


def _faded(frame: Frame, share: float) -> Frame:
    """The frame out of the dark: `share` 0 is black, 1 is clear; blurred in between."""
    share = min(1.0, max(0.0, share))
    blurred = cv2.GaussianBlur(frame, (0, 0), 0.5 + 4.0 * (1.0 - share))
    result: Frame = (blurred * share).astype(np.uint8)
    return result

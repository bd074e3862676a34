"""A video before it is drawn: its format, its scenes in order, and which drawing every frame shows."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from stages.synthesize.render import SceneRenderer
from stages.synthesize.shapes import WORLD_HEIGHT, Frame
from stages.synthesize.world import Scene

RATES: Final[tuple[Fraction, ...]] = (Fraction(30), Fraction(24), Fraction(30000, 1001), Fraction(25))
WIDE_SIZES: Final[tuple[tuple[int, int], ...]] = ((262, 130), (270, 134), (278, 138))
"""Width and height of the wide videos: even, no multiples of 16, nearly one aspect ratio."""
_DRAWN_AT: Final = 30
"""`draw_every` counts frames of this rate; slower videos hold a drawing for fewer frames (29.97 counts as 30)."""


@dataclass(frozen=True)
class VideoFormat:
    """Size in pixels, frames a second, frames per drawing; `long_gop`: B-frames and one I-frame in 250."""

    width: int
    height: int
    rate: Fraction
    hold: int
    long_gop: bool = False

    @property
    def world_width(self) -> float:
        """Frame width in world units."""
        return self.width * WORLD_HEIGHT / self.height


@dataclass(frozen=True)
class Timeline:
    """A planned video; `start` is the time of its first frame (s of the original video)."""

    form: VideoFormat
    start: float
    scenes: tuple[Scene, ...]

    @property
    def frame_count(self) -> int:
        """Number of video frames."""
        return round((self.scenes[-1].end - self.start) * self.form.rate)

    def shown(self, time: float) -> float:
        """Time of the drawing that the frame nearest to `time` shows."""
        index = min(self.frame_count - 1, max(0, round((time - self.start) * self.form.rate)))
        return self.start + float((index - index % self.form.hold) / self.form.rate)


def frames_held(rate: Fraction, draw_every: int) -> int:
    """Frames for which one drawing is held at this rate."""
    return max(1, int(draw_every * rate / _DRAWN_AT + Fraction(1, 100)))


def drawings(timeline: Timeline) -> Iterator[tuple[Frame, int]]:
    """All drawings (H, W, 3) of a video in order, each with the number of frames for which it is held."""
    form, total = timeline.form, timeline.frame_count
    starts = [scene.start for scene in timeline.scenes]
    current, renderer = -1, None
    for index in range(0, total, form.hold):
        time = timeline.start + float(index / form.rate)
        number = max(0, bisect_right(starts, time) - 1)
        if renderer is None or number != current:
            renderer, current = SceneRenderer(timeline.scenes[number], form.width, form.height), number
        yield renderer.frame(time), min(form.hold, total - index)

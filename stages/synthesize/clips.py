"""The plan of an annotated clip: ten seconds, one keyframe at a fractional time, cuts before and after its scene."""

from __future__ import annotations

from typing import Final

import numpy as np

from stages.lib.config.playground import CLIP_SECONDS
from stages.lib.config.synthesize import SynthesizeConfig
from stages.synthesize.scenes import Cut, Programme, Stage, invent_scene
from stages.synthesize.timeline import RATES, WIDE_SIZES, Timeline, VideoFormat, frames_held
from stages.synthesize.world import KEY_PLACE, Scene, SceneType

_EARLIEST: Final = 0.9
"""Keyframes keep this distance from both ends of a clip (s)."""
_SHORTEST_FILLER: Final = 0.8
_LONGEST_FILLER: Final = 4.0


def plan_clip(
    cfg: SynthesizeConfig, rng: np.random.Generator, start: float, programme: Programme
) -> tuple[Timeline, float]:
    """The scenes of a clip whose original video reached `start` seconds at its first frame, and its keyframe (s there)."""
    width, height = WIDE_SIZES[int(rng.integers(len(WIDE_SIZES)))]
    rate = RATES[int(rng.integers(len(RATES)))]
    form = VideoFormat(width, height, rate, frames_held(rate, cfg.draw_every))
    stage = Stage("comic", form.world_width, cfg.clearance, cfg.movies.event_seconds)
    end = start + CLIP_SECONDS
    key = round(start + float(rng.uniform(_EARLIEST, CLIP_SECONDS - _EARLIEST)), 6)
    kind: SceneType = "empty" if rng.random() < cfg.clips.empty_share else "clip"
    scene_start, scene_end = _around(rng, key, start, end)
    before, after = int(np.ceil(key - KEY_PLACE - scene_start)), int(np.ceil(scene_end - key - 1 + KEY_PLACE))
    cut = Cut(key - KEY_PLACE - max(0, before), scene_start, scene_end, max(0, before) + 1 + max(0, after))
    scene = invent_scene(rng, stage, cut, kind, programme if kind == "clip" else None)
    scenes = [*_fillers(rng, stage, start, scene_start), scene, *_fillers(rng, stage, scene_end, end)]
    return Timeline(form, start, tuple(scenes)), key


def _around(rng: np.random.Generator, key: float, start: float, end: float) -> tuple[float, float]:
    """Where the keyframe's scene begins and ends: cuts lie 1.5 to 3.5 s away, or at the ends of the clip."""
    if rng.random() < 0.25:
        return start, end
    first = key - KEY_PLACE
    left, right = first - int(rng.integers(1, 4)), first + 1 + int(rng.integers(1, 4))
    return (
        start if left - start < _SHORTEST_FILLER else left,
        end if end - right < _SHORTEST_FILLER else right,
    )


def _fillers(rng: np.random.Generator, stage: Stage, start: float, end: float) -> list[Scene]:
    """Scenes without a keyframe that fill [start, end]."""
    if end - start < 1e-6:
        return []
    count = int(np.ceil((end - start) / _LONGEST_FILLER))
    edges = np.linspace(start, end, count + 1)
    return [
        invent_scene(rng, stage, Cut(a, a, b, int(np.ceil(b - a - 1e-9))), "filler")
        for a, b in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)
    ]

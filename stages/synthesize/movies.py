"""The plan of a movie: long scenes whose past matters, parted by stretches of short shots that tell nothing about it."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from stages.lib.config.synthesize import MoviesConfig, SynthesizeConfig
from stages.synthesize.scenes import Cut, Stage, invent_scene, long_programme
from stages.synthesize.timeline import RATES, WIDE_SIZES, Timeline, VideoFormat, frames_held
from stages.synthesize.world import KEY_PLACE, Scene, SceneType

_FIRST_ORIGIN: Final = -KEY_PLACE
"""A movie starts at its first keyframe, so that keyframes lie at whole seconds."""


def movie_format(cfg: SynthesizeConfig, number: int) -> VideoFormat:
    """Format of the movie with this number in its split; the first of each split has B-frames and a long GOP."""
    width, height = WIDE_SIZES[number % len(WIDE_SIZES)]
    rate = RATES[number % len(RATES)]
    return VideoFormat(width, height, rate, frames_held(rate, cfg.draw_every), long_gop=number == 0)


def plan_movie(cfg: SynthesizeConfig, rng: np.random.Generator, split: str, number: int) -> Timeline:
    """All scenes of the movie with this number in its split; it begins with a fade from black."""
    movies, form = cfg.movies, movie_format(cfg, number)
    stage = Stage("film", form.world_width, cfg.clearance, movies.event_seconds)
    dealt = number * math.ceil(movies.seconds / (movies.long_seconds[1] + movies.stretch_seconds))
    scenes: list[Scene] = []
    origin = _FIRST_ORIGIN
    starts_long = bool(rng.random() < 0.5)
    while origin < movies.seconds:
        for scene_type, seconds in _round(rng, movies, first_long=starts_long):
            fades = not scenes or bool(rng.random() < movies.fade_share)
            cut = Cut(origin, max(0.0, origin), origin + seconds, seconds, fades)
            long_term = scene_type == "long" and bool(rng.random() < movies.long_term_share)
            programme = long_programme(cfg.seed, split, dealt) if long_term else None
            scenes.append(invent_scene(rng, stage, cut, scene_type, programme))
            dealt += long_term
            origin += seconds
    return Timeline(form, 0.0, tuple(_until(scenes, float(movies.seconds))))


def _round(rng: np.random.Generator, cfg: MoviesConfig, *, first_long: bool) -> list[tuple[SceneType, int]]:
    """One long scene and one stretch of short shots, in that order or the other."""
    low, high = cfg.long_seconds
    long: list[tuple[SceneType, int]] = [
        ("long", high if rng.random() < 0.7 else int(rng.integers(low, high + 1)))
    ]
    stretch: list[tuple[SceneType, int]] = []
    left = cfg.stretch_seconds
    shortest, longest = cfg.shot_seconds
    while left > 0:
        seconds = min(left, int(rng.integers(shortest, longest + 1)))
        if 0 < left - seconds < shortest:
            seconds = left if left <= longest else shortest
        stretch.append(("short", seconds))
        left -= seconds
    return long + stretch if first_long else stretch + long


def _until(scenes: list[Scene], seconds: float) -> list[Scene]:
    """Scenes up to the first boundary at or after `seconds`."""
    last = next((k for k, scene in enumerate(scenes) if scene.end >= seconds), len(scenes) - 1)
    return scenes[: last + 1]

"""The drawn world: how much of it there is, how it is drawn, and the mix of its scenes."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from stages.lib.config.base import Section
from stages.lib.config.types import Fraction


class MoviesConfig(Section):
    """`playground-movies`: AVA-like videos of a few minutes, one keyframe a second."""

    train: int = Field(default=12, ge=0, description="number of train movies")
    val: int = Field(default=3, ge=0, description="number of val movies")
    test: int = Field(default=5, ge=0, description="number of test movies")
    seconds: int = Field(
        default=150, ge=2, description="length of a movie is the first scene boundary at or after this"
    )
    long_seconds: tuple[int, int] = Field(
        default=(11, 12), description="shortest and longest long scene, in seconds"
    )
    event_seconds: tuple[int, int] = Field(
        default=(4, 5),
        description="shortest and longest event (ring, open door, speech) at the start of a long scene",
    )
    stretch_seconds: int = Field(
        default=9,
        ge=0,
        description="seconds of short shots between two long scenes; they hold no evidence of kind d",
    )
    shot_seconds: tuple[int, int] = Field(
        default=(2, 3), description="shortest and longest short shot, in seconds"
    )
    long_term_share: Fraction = Field(
        default=0.9, description="share of long scenes whose content is of kind d"
    )
    fade_share: Fraction = Field(
        default=0.06,
        description="share of cuts followed by a fade from black; the keyframe in it is excluded",
    )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        for name in ("long_seconds", "event_seconds", "shot_seconds"):
            low, high = getattr(self, name)
            if not 1 <= low <= high:
                raise ValueError(f"{name}: give shortest and longest, 1 <= shortest <= longest")
        if self.event_seconds[1] >= self.long_seconds[0]:
            raise ValueError("event_seconds must be shorter than long_seconds: nothing would be long-term")
        return self


class ClipsConfig(Section):
    """`playground-clips`: ten-second clips, annotated (one keyframe each) or classified (for pre-training)."""

    train: int = Field(default=300, ge=0, description="number of annotated train clips")
    val: int = Field(default=80, ge=0, description="number of annotated val clips")
    test: int = Field(default=160, ge=0, description="number of annotated test clips")
    empty_share: Fraction = Field(
        default=0.04, description="share of annotated clips whose keyframe shows nobody"
    )
    classified_train: int = Field(default=480, ge=0, description="number of classified train clips")
    classified_val: int = Field(default=48, ge=0, description="number of classified val clips")
    classified_shots: int = Field(
        default=8, ge=1, le=20, description="independent renderings in one classified clip"
    )
    classified_distractor: Fraction = Field(
        default=0.3, description="share of the shots of a classified clip that show a distractor object too"
    )


class SynthesizeConfig(Section):
    """The embedded data set."""

    seed: int = Field(default=2020, ge=0, description="seed of the three worlds (train, val, test)")
    draw_every: int = Field(
        default=2, ge=1, le=4, description="video frames for which one drawing is held (animation on twos)"
    )
    crf: int = Field(
        default=21, ge=0, le=40, description="constant rate factor of x264; lower is better and larger"
    )
    clearance: float = Field(
        default=75.0,
        ge=0.0,
        le=85.0,
        description="least distance between an actor's box and what decides its label, in pixels of a 128-pixel-high frame",
    )
    memory_window: int = Field(
        default=8,
        ge=0,
        description="half width of the memory in seconds, only used to flag windows that cross a cut",
    )
    movies: MoviesConfig = Field(default=MoviesConfig(), description="the AVA-like data set")
    clips: ClipsConfig = Field(default=ClipsConfig(), description="the AVA-Kinetics-like data set")

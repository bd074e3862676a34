"""How people look: two drawing styles, and a random appearance within one of them."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from stages.synthesize.shapes import Colour

Style = Literal["film", "comic"]
HeadForm = Literal["round", "square", "egg"]
Hat = Literal["none", "cap", "tall", "bun", "cone"]

_SKINS: Final[tuple[Colour, ...]] = (
    (241, 194, 150),
    (224, 172, 120),
    (198, 134, 86),
    (141, 85, 54),
    (255, 219, 188),
    (110, 70, 48),
)
_COMIC_SKINS: Final[tuple[Colour, ...]] = (
    (246, 246, 240),
    (214, 232, 250),
    (226, 246, 214),
    (250, 232, 200),
    (236, 214, 246),
)
_HAIRS: Final[tuple[Colour, ...]] = (
    (30, 22, 18),
    (86, 54, 26),
    (160, 110, 40),
    (60, 60, 66),
    (130, 40, 26),
    (20, 26, 60),
)
INKS: Final[dict[Style, float]] = {"film": 0.0, "comic": 0.8}
INK: Final[Colour] = (24, 20, 30)


@dataclass(frozen=True)
class Look:
    """One person's appearance; lengths are fractions of the height unless said otherwise."""

    style: Style
    height: float
    """Standing height in world units."""
    head: float
    build: float
    limb: float
    form: HeadForm
    hat: Hat
    skin: Colour
    hair: Colour
    shirt: Colour
    sleeve: Colour
    trousers: Colour
    shoes: Colour
    tempo: float
    phase: float
    beard: bool

    @property
    def outline(self) -> float:
        """Width of the contour in world units."""
        return INKS[self.style]


def vivid(rng: np.random.Generator, saturation: tuple[float, float], value: tuple[float, float]) -> Colour:
    """A random colour of any hue."""
    red, green, blue = colorsys.hsv_to_rgb(
        float(rng.random()), float(rng.uniform(*saturation)), float(rng.uniform(*value))
    )
    return int(255 * red), int(255 * green), int(255 * blue)


def shade(colour: Colour, factor: float) -> Colour:
    """The colour made darker (factor < 1) or lighter (> 1)."""
    red, green, blue = (min(255, int(channel * factor)) for channel in colour)
    return red, green, blue


def _choice(rng: np.random.Generator, options: tuple[Colour, ...]) -> Colour:
    return options[int(rng.integers(len(options)))]


def random_look(rng: np.random.Generator, style: Style) -> Look:
    """Draw an appearance; it depends on nothing but `rng` and the style."""
    film = style == "film"
    shirt = vivid(rng, (0.45, 0.95), (0.4, 0.95)) if film else vivid(rng, (0.12, 0.45), (0.8, 1.0))
    forms: tuple[HeadForm, ...] = ("round", "round", "egg") if film else ("square", "egg", "square")
    hats: tuple[Hat, ...] = ("none", "none", "none", "bun") if film else ("cap", "tall", "cone", "bun", "cap")
    return Look(
        style=style,
        height=float(rng.uniform(66.0, 84.0)),
        head=float(rng.uniform(0.100, 0.116)),
        build=float(rng.uniform(0.15, 0.22)) if film else float(rng.uniform(0.19, 0.26)),
        limb=float(rng.uniform(0.070, 0.092)) if film else float(rng.uniform(0.048, 0.066)),
        form=forms[int(rng.integers(len(forms)))],
        hat=hats[int(rng.integers(len(hats)))],
        skin=_choice(rng, _SKINS if film else _COMIC_SKINS),
        hair=_choice(rng, _HAIRS) if film else vivid(rng, (0.3, 0.9), (0.3, 0.9)),
        shirt=shirt,
        sleeve=shade(shirt, float(rng.uniform(0.6, 0.85))),
        trousers=vivid(rng, (0.2, 0.9), (0.2, 0.8)) if film else vivid(rng, (0.1, 0.4), (0.7, 1.0)),
        shoes=vivid(rng, (0.2, 0.6), (0.1, 0.4)),
        tempo=float(rng.uniform(0.88, 1.12)),
        phase=float(rng.random()),
        beard=bool(rng.random() < 0.25),
    )

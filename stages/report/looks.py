"""Pictures of relations: a keyframe with everybody's box, and the cells that one person's relation reads as a heat map.

h w cells of the relation map, H W cells of the context map.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stages.report.html import esc

Floats = NDArray[np.float64]
_MORE, _LESS, _OWN, _OTHER = "#ff7a1a", "#2f7bff", "#ffe14d", "#ffffff"
_DARKEST: Final = 0.75
CAPTION: Final = (
    "Yellow: the person whose relation is shown; white: the others whom it may read. {head}, last HR2O layer, canonical "
    "view, without a bank. At every cell HR2O mixes the value maps V of all people of the frame with attention A. Left, "
    "'from others': the norm of the sum over j of A_ij (V_j - V_i), which is how far reading the others moves the person's "
    "own mixture (nothing where all weight is its own, or where the others say the same). Right, 'class score': the "
    "classifier's weights for the named class, applied to the relation at each cell, orange for the class and blue against "
    "it; the mean over the cells is what the relation adds to the logit, from whomever it was read. Colours are scaled "
    "within each picture. A cell stands over the middle of what it reads, which is at least five context cells wide; the "
    "frame's border is read by the cells beside it. Shown are the surest people to whom the truth gives a class of kind c, "
    "where kinds are known, classes and videos taking turns; else the surest of any class that is no pose."
)


@dataclass(frozen=True)
class Look:
    """A keyframe (title, JPEG, width and height in pixels), boxes in it, whose relation is shown, and its maps (2,h,w)."""

    title: str
    jpeg: bytes
    size: tuple[int, int]
    boxes: tuple[tuple[float, ...], ...]
    own: int
    action: str
    probability: float
    context: tuple[int, int]
    maps_2hw: NDArray[np.float16]


def cell_edges(cells: int, context: int) -> Floats:
    """Edges (cells + 1,) of a relation map's cells in [0, 1] of the frame, for `context` cells of the context map.

    A 3x3 convolution without padding and a 3x3 pooling of stride 2 leave cell k centred on context cell 2k + 1.
    """
    return np.clip((2.0 * np.arange(cells + 1) + 0.5) / context, 0.0, 1.0)


def look_card(look: Look) -> str:
    """Both heat maps of a person over the frame, as html."""
    others, score = look.maps_2hw.astype(np.float64)
    pictures = "".join(
        f"<div>{_over_frame(look, values)}<span class=note>{name}</span></div>"
        for name, values in (("from others", others), ("class score", score))
    )
    text = f"{look.title}: {look.action} {look.probability:.2f}; the relation adds {score.mean():+.2f} to its logit"
    return f'<figure><div class="looks">{pictures}</div><figcaption>{esc(text)}</figcaption></figure>'


def _over_frame(look: Look, values_hw: Floats) -> str:
    width, height = look.size
    data = base64.b64encode(look.jpeg).decode()
    parts = [f'<image href="data:image/jpeg;base64,{data}" width="{width}" height="{height}"/>']
    ys = height * cell_edges(values_hw.shape[0], look.context[0])
    xs = width * cell_edges(values_hw.shape[1], look.context[1])
    largest = float(np.abs(values_hw).max(initial=0.0)) or 1.0
    for (y, x), value in np.ndenumerate(values_hw):
        parts.append(
            f'<rect x="{xs[x]:.1f}" y="{ys[y]:.1f}" width="{xs[x + 1] - xs[x]:.1f}" '
            f'height="{ys[y + 1] - ys[y]:.1f}" fill="{_MORE if value >= 0 else _LESS}" '
            f'fill-opacity="{_DARKEST * abs(value) / largest:.2f}"/>'
        )
    line = max(width / 220, 1.0)
    for number, box in enumerate(look.boxes):
        x1, y1, x2, y2 = (side * scale for side, scale in zip(box, (width, height) * 2, strict=True))
        ink, thick = (_OWN, 1.6 * line) if number == look.own else (_OTHER, 0.7 * line)
        parts.append(
            f'<rect x="{x1:.1f}" y="{y1:.1f}" width="{x2 - x1:.1f}" height="{y2 - y1:.1f}" fill="none" '
            f'stroke="{ink}" stroke-width="{thick:.1f}"/>'
        )
    return f'<svg viewBox="0 0 {width} {height}">{"".join(parts)}</svg>'

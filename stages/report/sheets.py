"""Contact sheets: the worst examples of each cause of error on their cached frames, captioned as the challenge's slides do."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np

from stages.report.frames import find_frames, stored_frame
from stages.report.html import esc

WIDTH: Final = 320  # pixels of an embedded picture
_DETECTION, _TRUTH, _EDGE = "#ff4d3d", "#37e07d", "#101318"
LEGEND: Final = {"detection (solid)": _DETECTION, "truth (dashed)": _TRUTH}


@dataclass(frozen=True)
class Shot:
    """One example with its frame: JPEG bytes, width and height in pixels; see `stages.evaluate` for the example."""

    example: Mapping[str, Any]
    jpeg: bytes
    size: tuple[int, int]


def shoot(
    examples: Mapping[str, Sequence[Mapping[str, Any]]], decoded: Sequence[Path], count: int
) -> dict[str, list[Shot]]:
    """Up to `count` shots of each cause, the worst whose frames are in the files of decode."""
    shots: dict[str, list[Shot]] = {}
    with ExitStack() as stack:
        frames = find_frames(decoded, stack) if count else {}
        for cause, found in examples.items():
            there = [one for one in found if (one["video"], one["ms"]) in frames][:count]
            shots[cause] = [Shot(one, *_small(*frames[one["video"], one["ms"]])) for one in there]
    return shots


def _small(reader: Any, keyframe: int) -> tuple[bytes, tuple[int, int]]:
    """A stored keyframe, no wider than WIDTH."""
    jpeg, (width, height) = stored_frame(reader, keyframe)
    if width <= WIDTH:
        return jpeg, (width, height)
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None, "a stored keyframe is a whole JPEG"
    size = (WIDTH, max(round(height * WIDTH / width), 1))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 80])[1].tobytes(), size


def sheet(shots: Sequence[Shot]) -> str:
    """The shots side by side, as html."""
    return f'<div class="cards sheet">{"".join(_card(shot) for shot in shots)}</div>'


def _card(shot: Shot) -> str:
    width, height = shot.size
    data = base64.b64encode(shot.jpeg).decode()
    parts = [f'<image href="data:image/jpeg;base64,{data}" width="{width}" height="{height}"/>']
    line = width / 110
    for box, ink, dash in (
        (shot.example["box"], _DETECTION, ""),
        (shot.example["truth"], _TRUTH, f' stroke-dasharray="{3 * line:.1f} {2 * line:.1f}"'),
    ):
        if box is not None:
            x1, y1, x2, y2 = (side * scale for side, scale in zip(box, shot.size * 2, strict=True))
            place = f'x="{x1:.1f}" y="{y1:.1f}" width="{x2 - x1:.1f}" height="{y2 - y1:.1f}" fill="none"'
            parts.append(
                f'<rect {place} stroke="{_EDGE}" stroke-opacity="0.55" stroke-width="{1.8 * line:.1f}"{dash}/>'
                f'<rect {place} stroke="{ink}" stroke-width="{line:.1f}"{dash}/>'
            )
    picture = f'<svg viewBox="0 0 {width} {height}">{"".join(parts)}</svg>'
    place = f"{shot.example['video']} at {shot.example['ms'] / 1000:g} s"
    return (
        f"<figure>{picture}<div>{_caption(shot.example)}</div><figcaption>{esc(place)}</figcaption></figure>"
    )


def _caption(example: Mapping[str, Any]) -> str:
    """What the truth says there and what was said: "[GT] get up · Prediction [0.51] bend"; right and wrong claims differ."""
    truth = ", ".join(map(short, example["gt"])) if example["gt"] else _absent(example)
    said = ", ".join(
        f'<span class="{"good" if right else "bad"}">[{score:.2f}]&nbsp;{esc(short(name))}</span>'
        for name, score, right in example["said"]
    )
    unsaid = "nothing" if example["box"] is not None else "nobody"
    return f"[GT] {esc(truth)} · Prediction {said or unsaid}"


def _absent(example: Mapping[str, Any]) -> str:
    return "nobody" if example["truth"] is None else "no evaluated class"


def short(name: str) -> str:
    """A class's name without its examples: AVA's `ride (e.g., a bike, a car, a horse)` is `ride`."""
    return name.split(" (e.g.")[0]

"""Keyframes with truth and predictions: which ones are shown, and what is written beside each person.

N predicted boxes, P truth boxes, A classes.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stages.lib.artifacts.tables import Index
from stages.lib.geometry.boxes import iou_matrix
from stages.report.html import esc

MIN_IOU: Final = 0.5
GOOD, BAD, MISSED = "good", "bad", "miss"
_INK: Final = {GOOD: "#2fd06f", BAD: "#ff5a50", MISSED: "#ffb020"}


@dataclass(frozen=True)
class Person:
    """A box with texts of three states: said rightly, said wrongly, in the truth but not said."""

    box: tuple[float, float, float, float]
    found: str
    labels: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Picture:
    """A keyframe: title, JPEG bytes, width and height in pixels, its people, and the boxes of the truth."""

    title: str
    jpeg: bytes
    size: tuple[int, int]
    people: tuple[Person, ...]
    truth: tuple[tuple[float, ...], ...] = ()


def choose(index: Index, rows: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Up to `count` of the keyframes `rows` that have a labelled person, spread evenly over them."""
    labelled = np.zeros(len(index.keyframes), dtype=bool)
    labelled[index.truth().keyframe_of()[index.truth_labels.any(axis=1)]] = True
    candidates = rows[labelled[rows]]
    if len(candidates) <= count:
        return candidates
    return candidates[np.linspace(0, len(candidates) - 1, 2 * count + 1).round().astype(np.int64)[1::2]]


def people_of(
    truth_P4: NDArray[np.float32],
    labels_PA: NDArray[np.uint8],
    boxes_N4: NDArray[np.float32],
    probabilities_NA: NDArray[np.float64],
    names: Sequence[str],
    top: int,
    least: float,
) -> tuple[Person, ...]:
    """Predicted people, each with the free truth person it overlaps most; then people nobody found."""
    people, free = [], np.ones(len(truth_P4), dtype=bool)
    overlap = iou_matrix(boxes_N4, truth_P4)
    for n in np.argsort(-overlap.max(axis=1, initial=0.0), kind="stable").tolist():
        place = int(np.where(free, overlap[n], -1.0).argmax()) if free.any() else -1
        same = place >= 0 and overlap[n, place] >= MIN_IOU
        if same:
            free[place] = False
        wanted = labels_PA[place].astype(bool) if same else np.zeros(len(names), bool)
        people.append(
            Person(
                _box(boxes_N4[n]),
                GOOD if same else BAD,
                _labels(probabilities_NA[n], wanted, names, top, least),
            )
        )
    for p in np.flatnonzero(free):
        labels = tuple((names[a], MISSED) for a in np.flatnonzero(labels_PA[p]).tolist())
        people.append(Person(_box(truth_P4[p]), MISSED, labels))
    return tuple(people)


def _labels(
    probability_A: NDArray[np.float64],
    wanted_A: NDArray[np.bool_],
    names: Sequence[str],
    top: int,
    least: float,
) -> tuple[tuple[str, str], ...]:
    order = [a for a in np.argsort(-probability_A, kind="stable")[:top].tolist() if probability_A[a] >= least]
    said = tuple((f"{names[a]} {probability_A[a]:.2f}", GOOD if wanted_A[a] else BAD) for a in order)
    return said + tuple((names[a], MISSED) for a in np.flatnonzero(wanted_A).tolist() if a not in order)


def _box(box: NDArray[np.float32]) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = (float(side) for side in box)
    return x1, y1, x2, y2


def card(picture: Picture) -> str:
    """The picture with numbered boxes over it, and the people's labels below it, as html."""
    width, height = picture.size
    data = base64.b64encode(picture.jpeg).decode()
    parts = [f'<image href="data:image/jpeg;base64,{data}" width="{width}" height="{height}"/>']
    line, size = max(width / 220, 1.0), max(width / 24, 7.0)
    for box in picture.truth:
        x1, y1, x2, y2 = (side * scale for side, scale in zip(box, (width, height) * 2, strict=True))
        parts.append(
            f'<rect x="{x1:.1f}" y="{y1:.1f}" width="{x2 - x1:.1f}" height="{y2 - y1:.1f}" fill="none" '
            f'stroke="#fff" stroke-opacity="0.85" stroke-width="{line / 2:.1f}" stroke-dasharray="{2 * line:.1f}"/>'
        )
    for number, person in enumerate(picture.people, start=1):
        x1, y1, x2, y2 = (side * scale for side, scale in zip(person.box, (width, height) * 2, strict=True))
        ink = _INK[person.found]
        dash = f' stroke-dasharray="{3 * line:.1f}"' if person.found == MISSED else ""
        parts.append(
            f'<rect x="{x1:.1f}" y="{y1:.1f}" width="{x2 - x1:.1f}" height="{y2 - y1:.1f}" fill="none" '
            f'stroke="{ink}" stroke-width="{line:.1f}"{dash}/>'
            f'<rect x="{x1:.1f}" y="{y1:.1f}" width="{1.1 * size:.1f}" '
            f'height="{1.2 * size:.1f}" fill="{ink}"/>'
            f'<text x="{x1 + size * 0.55:.1f}" y="{y1 + size * 0.95:.1f}" font-size="{size:.1f}" fill="#111" '
            f'font-family="Arial, sans-serif" font-weight="700" text-anchor="middle">{number}</text>'
        )
    image = f'<svg viewBox="0 0 {width} {height}">{"".join(parts)}</svg>'
    rows = "".join(_person(number, person) for number, person in enumerate(picture.people, start=1))
    return (
        f'<figure>{image}<figcaption>{esc(picture.title)}</figcaption><ul class="people">{rows}</ul></figure>'
    )


def _person(number: int, person: Person) -> str:
    marks = {GOOD: "✓ ", BAD: "✗ ", MISSED: "not said: "}
    tags = " ".join(
        f'<span class="tag {state}">{marks[state]}{esc(text)}</span>' for text, state in person.labels
    )
    remark = {GOOD: "", BAD: "nobody in the truth", MISSED: "person not found"}[person.found]
    note = f'<span class="tag {person.found}">{remark}</span>' if remark else ""
    return f"<li><b>{number}</b>{note} {tags or '<span class=note>no action</span>'}</li>"

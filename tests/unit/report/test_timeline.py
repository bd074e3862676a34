"""Actors linked over keyframes, against a literal twin; the timeline's bars against the numbers that they stand for."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from stages.lib.artifacts.tables import Boxes
from stages.report.draw import Actor
from stages.report.timeline import MOST_ACTORS, timeline
from stages.report.tracks import MIN_IOU, link_actors
from stages.report.videos import Moments

NAMES = ("walk", "talk <to> & listen", "sit")


def iou(a: np.ndarray, b: np.ndarray) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return float(shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared))


def literal(frames: list[np.ndarray]) -> list[int]:
    """The best pair first, again and again, until none overlaps enough."""
    numbers: list[int] = []
    memory: dict[int, tuple[int, np.ndarray]] = {}
    for place, boxes in enumerate(frames):
        mine: dict[int, int] = {}
        while True:
            pairs = [
                (iou(box, old), -i, -number)
                for i, box in enumerate(boxes)
                for number, (seen, old) in memory.items()
                if place - seen <= 2 and i not in mine and number not in mine.values()
            ]
            if not pairs or max(pairs)[0] < MIN_IOU:
                break
            _, i, number = max(pairs)
            mine[-i] = -number
        for i in range(len(boxes)):
            mine.setdefault(i, max([*memory, *mine.values()], default=0) + 1)
            memory[mine[i]] = (place, boxes[i])
        numbers += [mine[i] for i in range(len(boxes))]
    return numbers


corners = st.tuples(st.floats(0, 0.5, width=32), st.floats(0, 0.5, width=32))
frame = st.lists(corners, max_size=4, unique=True)


@given(st.lists(frame, max_size=6))
@settings(deadline=None)
def test_links_equal_those_of_a_literal_twin(content: list[list[tuple[float, float]]]) -> None:
    frames = [
        np.array([[x, y, x + 0.4, y + 0.5] for x, y in people], np.float32).reshape(-1, 4)
        for people in content
    ]
    boxes = Boxes.stack([(people, np.ones(len(people))) for people in frames])
    pairs = [(one, other) for k, one in enumerate(frames) for other in frames[k + 1 : k + 3]]
    overlaps = sorted(iou(a, b) for one, other in pairs for a in one for b in other)
    assume(min(np.diff([value for value in overlaps if value > 0.2]), default=1.0) > 1e-4)  # no ties
    assume(all(abs(value - MIN_IOU) > 1e-4 for value in overlaps))
    found = link_actors(boxes, np.arange(len(frames)))
    assert [found[row] for row in range(len(boxes))] == literal(frames)


def test_a_person_is_found_again_after_one_keyframe_but_not_after_two() -> None:
    here, there = np.array([[0.1, 0.1, 0.4, 0.9]]), np.array([[0.6, 0.1, 0.9, 0.9]])
    nobody = np.zeros((0, 4))
    frames = [
        np.concatenate([there, here]),
        here + 0.02,
        np.concatenate([here, there]),
        here,
        nobody,
        nobody,
        there,
    ]
    boxes = Boxes.stack([(people, np.ones(len(people))) for people in frames])
    found = link_actors(boxes, np.arange(7))
    assert [found[row] for row in range(7)] == [1, 2, 2, 2, 1, 2, 3]
    backwards = link_actors(boxes, np.array([2, 3]))
    assert set(backwards) == {3, 4, 5}, "only the keyframes asked for"


def person(number: int, *actions: tuple[int, float]) -> Actor:
    return Actor((0.0, 0.0, 1.0, 1.0), 0.9, tuple((k, NAMES[k], p) for k, p in actions), number)


def bars(svg: str) -> list[tuple[float, float, float, str]]:
    """(x, width, opacity, text) of every bar."""
    root = ET.fromstring(svg)
    return [
        (float(r.get("x", "")), float(r.get("width", "")), float(r.get("fill-opacity", "")), r[0].text or "")
        for r in root.iter("rect")
        if len(r)
    ]


def test_bars_stand_where_and_are_as_strong_as_the_actions() -> None:
    moments = Moments(
        np.array([1.0, 2.0, 3.0]), ((person(1, (1, 0.5)),), (person(1, (1, 1.0), (0, 0.4)),), (person(2),))
    )
    svg = timeline(moments, NAMES, 4.0, 3)
    found = bars(svg)
    scale = 720 / 4.0
    assert [x for x, *_ in found] == pytest.approx([230 + 0.5 * scale] + 2 * [230 + 1.5 * scale])
    assert [width for _, width, *_ in found] == pytest.approx(3 * [scale])
    assert [opacity for _, _, opacity, _ in found] == pytest.approx([0.6, 1.0, 0.52])
    assert found[0][3] == "talk <to> & listen 0.50 at 1 s"
    texts = [element.text for element in ET.fromstring(svg).iter("text")]
    assert {"#1", "#2", "no action", "talk <to> & listen", "walk"} <= set(texts)
    assert texts.index("talk <to> & listen") < texts.index("walk"), "the surest action first"


@pytest.mark.fault("F11")
def test_lanes_are_limited_and_hidden_actors_are_counted() -> None:
    moments = Moments(
        np.array([1.0]), (tuple(person(n + 1, (0, 0.9), (1, 0.5), (2, 0.4)) for n in range(30)),)
    )
    svg = timeline(moments, NAMES, 2.0, 2)
    assert len(bars(svg)) == 2 * MOST_ACTORS
    assert f"{30 - MOST_ACTORS} more actors of fewer keyframes are not shown" in svg


def test_nobody() -> None:
    assert "nobody was detected" in timeline(Moments(np.zeros(0), ()), NAMES, 0.0, 3)
    assert "nobody was detected" in timeline(Moments(np.array([1.0]), ((),)), NAMES, 2.0, 3)

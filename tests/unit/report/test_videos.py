"""Drawing into frames, holding keyframes, names of files, and the video reader and writer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.lib.artifacts.predictions import BoxSet
from stages.lib.artifacts.tables import Boxes
from stages.lib.video.source import open_video
from stages.lib.video.writer import VideoWriter
from stages.report.draw import Actor, class_colour, draw_actors
from stages.report.videos import Moments, actors_of, output_names

WALKER = Actor((0.25, 0.25, 0.75, 1.0), 0.9, ((0, "walk", 0.91), (1, "talk to", 0.5)))


@pytest.mark.parametrize("size", [(256, 340), (1080, 1920)])
def test_boxes_are_drawn_where_they_are(size: tuple[int, int]) -> None:
    height, width = size
    frame = np.full((height, width, 3), 100, np.uint8)
    drawn = draw_actors(frame, [WALKER])
    assert drawn.shape == frame.shape
    assert (frame == 100).all(), "the frame itself stays as it is"
    changed = (drawn != 100).any(axis=2)
    edge = changed[round(0.9 * height), :]
    assert abs(np.flatnonzero(edge).min() - 0.25 * width) <= 0.02 * width + 3
    assert abs(np.flatnonzero(edge).max() - 0.75 * width) <= 0.02 * width + 3
    assert not changed[round(0.9 * height), round(0.5 * width)], "the inside of the box is left free"


def test_nothing_is_drawn_without_people() -> None:
    frame = np.arange(300, dtype=np.uint8).reshape(10, 10, 3)
    assert np.array_equal(draw_actors(frame, []), frame)


@given(st.lists(st.tuples(*[st.floats(0, 1, width=32)] * 4), max_size=6))
def test_any_boxes_can_be_drawn(boxes: list[tuple[float, float, float, float]]) -> None:
    people = [Actor(box, 0.5, ((3, "a very long action name indeed", 0.5),)) for box in boxes]
    assert draw_actors(np.zeros((60, 80, 3), np.uint8), people).shape == (60, 80, 3)


def test_plates_of_different_people_do_not_overlap() -> None:
    people = [Actor((0.1, 0.1, 0.9, 0.9), 1.0, ((k, "walk", 0.9),)) for k in range(4)]
    one = (draw_actors(np.full((600, 800, 3), 255, np.uint8), people[:1]) != 255).any(axis=2).sum()
    four = (draw_actors(np.full((600, 800, 3), 255, np.uint8), people) != 255).any(axis=2).sum()
    assert four > 1.3 * one


def test_neighbouring_classes_have_different_colours() -> None:
    colours = np.array([class_colour(k) for k in range(60)], int)
    assert np.abs(np.diff(colours, axis=0)).sum(axis=1).min() > 60


def test_a_keyframe_is_held_for_half_the_distance() -> None:
    moments = Moments(np.array([1.0, 2.0, 3.0]), ((WALKER,), (), (WALKER, WALKER)))
    found = [len(moments.at(t)) for t in (0.4, 0.51, 1.49, 1.51, 2.49, 2.51, 3.5, 3.6)]
    assert found == [0, 1, 1, 0, 0, 2, 2, 0]
    assert Moments(np.zeros(0), ()).at(1.0) == ()
    assert len(Moments(np.array([1.0]), ((WALKER,),)).at(1.4)) == 1


def test_actions_of_people_are_sorted_cut_and_spelled_in_ascii() -> None:
    boxes = Boxes.stack([(np.zeros((0, 4)), []), (np.array([[0, 0, 1, 1]]), [0.75])])
    probabilities = np.array([[0.2, 0.9, 0.5, 0.4]])
    found = actors_of(BoxSet(boxes, {}), probabilities, ("a", "tomar café", "c", "d"), 2, 0.45)
    assert found[0] == ()
    assert found[1][0].actions == ((1, "tomar cafe", 0.9), (2, "c", 0.5))


def test_output_names_are_safe_and_unique() -> None:
    names = output_names(
        ["a/b c.mp4", "x/b c.avi", "../../etc/passwd", '"; rm -rf $HOME.mp4', "日本.mov", "...", "-"]
    )
    assert names[:2] == ["b_c", "b_c-2"]
    assert names[2] == "passwd"
    assert len(set(names)) == len(names)
    assert not any(set(name) & set('/\\"; $') or name.startswith((".", "-")) for name in names)


def write_video(path: Path, rate: float, count: int, size: tuple[int, int] = (48, 64)) -> Path:
    with VideoWriter(path, rate) as writer:
        for number in range(count):
            writer.write(np.full((*size, 3), 8 * number % 256, np.uint8), number / rate)
    return path


@pytest.mark.parametrize("rate", [25.0, 30000 / 1001, 2160 / 77, 6.0])
def test_rate_count_and_size_survive(tmp_path: Path, rate: float) -> None:
    with open_video(write_video(tmp_path / "a.mp4", rate, 20, (48, 63)), prefer="pyav") as video:
        frames = [picture.rgb() for _, picture in video.read(np.arange(20))]
        assert video.info.frames == 20
        assert video.info.rate == pytest.approx(rate, rel=1e-3)
        assert np.allclose(video.info.starts, np.arange(20) / rate, atol=2e-4)
    assert frames[0].shape == (48, 62, 3)
    assert np.allclose([float(image.mean()) for image in frames], 8.0 * np.arange(20), atol=6)


def test_irregular_times_survive(tmp_path: Path) -> None:
    times = [0.0, 0.04, 0.2, 0.21, 1.5]
    with VideoWriter(tmp_path / "a.mp4", 25.0) as writer:
        for number, seconds in enumerate(times):
            writer.write(np.full((32, 32, 3), 40 * number, np.uint8), seconds)
    with open_video(tmp_path / "a.mp4", prefer="pyav") as video:
        assert np.allclose(video.info.starts, times, atol=1e-4)


def test_writing_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    first = write_video(tmp_path / "a.mp4", 25.0, 9)
    assert first.read_bytes() == write_video(tmp_path / "b.mp4", 25.0, 9).read_bytes()

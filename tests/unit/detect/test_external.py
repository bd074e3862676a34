"""Boxes from a csv: read strictly, placed on keyframes."""

from __future__ import annotations

import numpy as np
import pytest

from stages.detect.external import parse_boxes, place_boxes
from stages.detect.names import spellings
from stages.lib.errors import StageError
from stages.lib.metrics.tables import to_milliseconds

VIDEOS = spellings([("a-id", "a.mp4"), ("b-id", "b.mp4"), ("c1", "x/c.mp4"), ("c2", "y/c.mp4")])
GOOD = "a,0902,0.1,0.2,0.3,0.4,,0.9"


def test_rows_become_boxes() -> None:
    read = parse_boxes([GOOD, "", "b,1.5,-0.005,0,1.01,1,12,0.25"], "x.csv", VIDEOS)
    assert read.videos == ("a-id", "b-id")
    assert read.times.tolist() == [902_000, 1500]
    np.testing.assert_allclose(read.boxes, [[0.1, 0.2, 0.3, 0.4], [0, 0, 1, 1]], atol=1e-7)
    np.testing.assert_allclose(read.scores, [0.9, 0.25], atol=1e-7)
    assert read.clipped.tolist() == [False, True]
    assert read.lines.tolist() == [1, 3]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("a,0902,0.1,0.2,0.3,0.4,0.9", "7 columns instead of 8"),
        ("a,0902,0.1,0.2,0.3,0.4,,0.9,1", "9 columns"),
        ("a,0902,zero,0.2,0.3,0.4,,0.9", "x1 is 'zero', not a number"),
        ("a,0902,nan,0.2,0.3,0.4,,0.9", "x1 is 'nan'"),
        ("a,soon,0.1,0.2,0.3,0.4,,0.9", "second is 'soon'"),
        ("a,0902,0.1,0.2,0.3,0.4,,", "score is ''"),
        ("a,0902,0.1,0.2,0.3,0.4,,1.5", "score is 1.5"),
        ("a,0902,0.1,0.2,0.3,0.4,run,0.5", "action column holds 'run'"),
        ("a,0902,0.1,0.2,1.02,0.4,,0.9", "x2 is 1.02, outside"),
        ("a,0902,-0.02,0.2,0.3,0.4,,0.9", "x1 is -0.02, outside"),
        ("a,0902,12,0.2,300,0.4,,0.9", "x1 is 12, outside"),
        ("a,0902,0.3,0.2,0.1,0.4,,0.9", "inverted"),
        ("a,0902,0.1,0.4,0.3,0.4,,0.9", "inverted or empty"),
        ("a,0902,1.005,0.2,1.008,0.4,,0.9", "inverted or empty"),
        ("d,0902,0.1,0.2,0.3,0.4,,0.9", "unknown video 'd'"),
        ("c,0902,0.1,0.2,0.3,0.4,,0.9", "'c' may be any of x/c.mp4, y/c.mp4"),
        ("c.mp4,0902,0.1,0.2,0.3,0.4,,0.9", "'c.mp4' may be any of"),
    ],
)
def test_bad_lines_are_refused_by_file_and_number(line: str, message: str) -> None:
    with pytest.raises(StageError, match=rf"^boxes\.csv, line 2: .*{message}"):
        parse_boxes([GOOD, line, GOOD], "boxes.csv", VIDEOS)


def test_placed_on_keyframes_in_their_order() -> None:
    lines = [
        "a,1,0.1,0.1,0.2,0.2,,0.3",
        "a,1,0.5,0.5,0.9,0.9,,0.8",
        "a,1,0.1,0.1,0.2,0.2,12,0.4",
        "a,7,0.1,0.1,0.2,0.2,,0.9",
        "b,1,0.3,0.3,0.4,0.4,,0.04",
    ]
    placed = place_boxes(parse_boxes(lines, "x", VIDEOS), [("b-id", 1000), ("a-id", 2000), ("a-id", 1000)])
    assert placed.unused == (4,)
    assert placed.boxes.row_splits.tolist() == [0, 1, 1, 3]
    np.testing.assert_allclose(placed.boxes.scores, [0.04, 0.8, 0.4], atol=1e-7)
    np.testing.assert_allclose(placed.boxes.boxes[2], [0.1, 0.1, 0.2, 0.2], atol=1e-7)


@pytest.mark.parametrize("text", ["c1", "x/c.mp4", "x/c"])
def test_the_path_tells_files_of_one_name_apart(text: str) -> None:
    assert parse_boxes([GOOD.replace("a,", f"{text},")], "x.csv", VIDEOS).videos == ("c1",)


def test_clips_of_one_video_are_no_ambiguity() -> None:
    names = spellings([("k", "k_1_11.mp4"), ("k", "k_20_30.mp4")])
    assert parse_boxes([GOOD.replace("a,", "k,")], "x.csv", names).videos == ("k",)


def test_times_are_rounded_as_those_of_the_keyframes() -> None:
    """Half a millisecond goes up, as everywhere, and not to the even one."""
    read = parse_boxes([GOOD.replace("0902", "0.0625"), GOOD.replace("0902", "0.0005")], "x.csv", VIDEOS)
    assert read.times.tolist() == to_milliseconds([0.0625, 0.0005]).tolist() == [63, 1]


def test_boxes_of_some_videos() -> None:
    read = parse_boxes([GOOD, "b,1.5,0,0,1,1,12,0.25", GOOD], "x.csv", VIDEOS).of({"b-id"})
    assert (read.videos, read.lines.tolist(), read.boxes.shape) == (("b-id",), [2], (1, 4))


def test_an_empty_csv_gives_no_boxes() -> None:
    placed = place_boxes(parse_boxes([], "x", VIDEOS), [("a-id", 0)])
    assert placed.boxes.boxes.shape == (0, 4)
    assert placed.boxes.row_splits.tolist() == [0, 0]

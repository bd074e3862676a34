"""Boxes from a csv: read strictly, placed on keyframes."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from stages.detect.external import ExternalBoxes, place_boxes, read_boxes
from stages.detect.names import spellings
from stages.lib.annotations import lines as blocks_of_lines
from stages.lib.errors import StageError
from stages.lib.metrics.tables import to_milliseconds

VIDEOS = spellings([("a-id", "a.mp4"), ("b-id", "b.mp4"), ("c1", "x/c.mp4"), ("c2", "y/c.mp4")])
IDS = ("a-id", "b-id", "c1", "c2", "k")
GOOD = "a,0902,0.1,0.2,0.3,0.4,,0.9"


def read(
    folder: Path, lines: Sequence[str], videos: Mapping[str, Mapping[str, str]] = VIDEOS
) -> ExternalBoxes:
    path = folder / "boxes.csv"
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="")
    return read_boxes(path, videos, IDS)


def test_rows_become_boxes(tmp_path: Path) -> None:
    found = read(tmp_path, [GOOD, "", "b,1.5,-0.005,0,1.01,1,12,0.25"])
    assert found.videos == ("a-id", "b-id")
    assert found.times.tolist() == [902_000, 1500]
    np.testing.assert_allclose(found.boxes, [[0.1, 0.2, 0.3, 0.4], [0, 0, 1, 1]], atol=1e-7)
    np.testing.assert_allclose(found.scores, [0.9, 0.25], atol=1e-7)
    assert found.clipped.tolist() == [False, True]
    assert found.lines.tolist() == [1, 3]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("a,0902,0.1,0.2,0.3,0.4,0.9", "7 comma-separated columns where 8"),
        ("a,0902,0.1,0.2,0.3,0.4,,0.9,1", "9 comma-separated columns"),
        ("a\t0902\t0.1\t0.2\t0.3\t0.4\t\t0.9", "1 comma-separated columns"),
        ("a,0902,zero,0.2,0.3,0.4,,0.9", 'x1 "zero" is not a finite number'),
        ("a,0902,nan,0.2,0.3,0.4,,0.9", 'x1 "nan"'),
        ("a,soon,0.1,0.2,0.3,0.4,,0.9", 'timestamp "soon" is no time'),
        ("a,-1,0.1,0.2,0.3,0.4,,0.9", 'timestamp "-1" is no time'),
        ("a,0902,0.1,0.2,0.3,0.4,,", 'score "" is not a finite number'),
        ("a,0902,0.1,0.2,0.3,0.4,,nan", 'score "nan" is not a finite number'),
        ("a,0902,0.1,0.2,0.3,0.4,,3_", 'score "3_" is not a finite number'),
        ("a,0902,0.1,0.2,0.3,0.4,,1.5", "the score lies outside of [0, 1]: 1.5"),
        ("a,0902,0.1,0.2,0.3,0.4,run,0.5", "the action column is to be empty or an id: run"),
        ("a,0902,0.1,0.2,0.3,0.4,1.5,0.5", "the action column is to be empty or an id: 1.5"),
        (f"a,0902,0.1,0.2,0.3,0.4,{'1' * 30},0.5", "the action column is to be empty or an id"),
        ("a,0902,0.1,0.2,1.02,0.4,,0.9", "the box leaves the frame: 0.1, 0.2, 1.02, 0.4"),
        ("a,0902,-0.02,0.2,0.3,0.4,,0.9", "the box leaves the frame"),
        ("a,0902,12,0.2,300,0.4,,0.9", "the box leaves the frame"),
        ("a,0902,0.3,0.2,0.1,0.4,,0.9", "the box is inverted"),
        ("a,0902,0.1,0.4,0.3,0.4,,0.9", "or empty inside the frame"),
        ("a,0902,1.005,0.2,1.008,0.4,,0.9", "or empty inside the frame"),
        ("d,0902,0.1,0.2,0.3,0.4,,0.9", "unknown video 'd'"),
        ("../a,0902,0.1,0.2,0.3,0.4,,0.9", "unknown video '../a'"),
        (f"{'d' * 5000},0902,0.1,0.2,0.3,0.4,,0.9", "unknown video 'ddd"),
        ("c,0902,0.1,0.2,0.3,0.4,,0.9", "'c' may be any of x/c.mp4, y/c.mp4"),
        ("c.mp4,0902,0.1,0.2,0.3,0.4,,0.9", "'c.mp4' may be any of"),
        ('"a,0902,0.1,0.2,0.3,0.4,,0.9', "is no csv"),
    ],
)
@pytest.mark.parametrize("quoted", [False, True])
def test_bad_lines_are_refused_by_file_and_number(
    tmp_path: Path, line: str, message: str, quoted: bool
) -> None:
    good = GOOD.replace("a,", '"a",') if quoted else GOOD
    with pytest.raises(StageError) as caught:
        read(tmp_path, [good, line, good])
    assert message in caught.value.what
    assert caught.value.where == f"{tmp_path / 'boxes.csv'}:2"
    assert caught.value.fix


def test_a_header_a_byte_order_mark_and_other_line_ends(tmp_path: Path) -> None:
    with pytest.raises(StageError, match=r"boxes\.csv:1: .*remove the header line"):
        read(tmp_path, ["a,second,x1,y1,x2,y2,,score", GOOD])
    assert read(tmp_path, ["\ufeff" + GOOD + "\r", "\r", GOOD + "\r"]).lines.tolist() == [1, 3]
    with pytest.raises(StageError, match="cannot be read"):
        read_boxes(tmp_path / "nowhere.csv", VIDEOS, IDS)


NAMES = ["my film.mp4", "käse 日本.mp4", 'say "hi", you.mp4', "it's.mp4", "a, b/c.mp4", "$(touch x).mp4"]


def test_own_videos_may_have_any_name_quoted_as_csv_writers_quote(tmp_path: Path) -> None:
    names = spellings([(f"id-{place}", name) for place, name in enumerate(NAMES)])
    path = tmp_path / "boxes.csv"
    with path.open("w", encoding="utf-8", newline="") as handle:
        for second in range(3):
            csv.writer(handle).writerows([name, second, 0.1, 0.2, 0.3, 0.4, "", 0.5] for name in NAMES)
    found = read_boxes(path, names, [f"id-{place}" for place in (0, 1, 2, 4)])
    assert found.videos == ("id-0", "id-1", "id-2", "id-4") * 3
    assert found.lines.tolist() == [row + 6 * second for second in range(3) for row in (1, 2, 3, 5)]
    assert found.others == 6


def test_many_blocks_are_read_as_plain_python_reads_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks_of_lines, "BLOCK", 500)
    rng = np.random.default_rng(2)
    lines = []
    for _ in range(400):
        box = [
            f"{value:.{rng.integers(1, 8)}f}" for value in (*rng.uniform(0, 0.4, 2), *rng.uniform(0.5, 1, 2))
        ]
        name, action = rng.choice(["a", "a.mp4", "b-id", '"y/c"']), rng.choice(["", "3", " 12"])
        lines.append(",".join([name, f"{rng.uniform(0, 100):.4f}", *box, action, f"{rng.random():.5f}"]))
        lines += [""] * int(rng.integers(0, 2))
    found = read(tmp_path, lines)
    rows = [(number, line.split(",")) for number, line in enumerate(lines, start=1) if line]
    meant = {"a": "a-id", "a.mp4": "a-id", "b-id": "b-id", '"y/c"': "c2"}
    assert found.lines.tolist() == [number for number, _ in rows]
    assert found.videos == tuple(meant[cells[0]] for _, cells in rows)
    assert found.times.tolist() == to_milliseconds([float(cells[1]) for _, cells in rows]).tolist()
    assert found.boxes.tolist() == [[float(np.float32(cell)) for cell in cells[2:6]] for _, cells in rows]
    assert found.scores.tolist() == [float(np.float32(cells[7])) for _, cells in rows]


def test_placed_on_keyframes_in_their_order(tmp_path: Path) -> None:
    lines = [
        "a,1,0.1,0.1,0.2,0.2,,0.3",
        "a,1,0.5,0.5,0.9,0.9,,0.8",
        "a,1,0.1,0.1,0.2,0.2,12,0.4",
        "a,7,0.1,0.1,0.2,0.2,,0.9",
        "b,1,0.3,0.3,0.4,0.4,,0.04",
    ]
    placed = place_boxes(read(tmp_path, lines), [("b-id", 1000), ("a-id", 2000), ("a-id", 1000)])
    assert placed.unused == (4,)
    assert placed.boxes.row_splits.tolist() == [0, 1, 1, 3]
    np.testing.assert_allclose(placed.boxes.scores, [0.04, 0.8, 0.4], atol=1e-7)
    np.testing.assert_allclose(placed.boxes.boxes[2], [0.1, 0.1, 0.2, 0.2], atol=1e-7)


@pytest.mark.parametrize("text", ["c1", "x/c.mp4", "x/c"])
def test_the_path_tells_files_of_one_name_apart(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, [GOOD.replace("a,", f"{text},")]).videos == ("c1",)


def test_clips_of_one_video_are_no_ambiguity(tmp_path: Path) -> None:
    names = spellings([("k", "k_1_11.mp4"), ("k", "k_20_30.mp4")])
    assert read(tmp_path, [GOOD.replace("a,", "k,")], names).videos == ("k",)


def test_times_are_rounded_as_those_of_the_keyframes(tmp_path: Path) -> None:
    """Half a millisecond goes up, as everywhere, and not to the even one."""
    found = read(tmp_path, [GOOD.replace("0902", "0.0625"), GOOD.replace("0902", "0.0005")])
    assert found.times.tolist() == to_milliseconds([0.0625, 0.0005]).tolist() == [63, 1]


def test_an_empty_csv_gives_no_boxes(tmp_path: Path) -> None:
    placed = place_boxes(read(tmp_path, []), [("a-id", 0)])
    assert placed.boxes.boxes.shape == (0, 4)
    assert placed.boxes.row_splits.tolist() == [0, 0]

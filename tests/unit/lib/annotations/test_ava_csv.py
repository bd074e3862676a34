from __future__ import annotations

import math
import random
from pathlib import Path

import numpy as np
import pytest

from stages.lib.annotations import lines
from stages.lib.annotations.ava_csv import read_detections, read_exclusions, read_truth
from stages.lib.annotations.labelmap import AVA_EVALUATED, label_map
from stages.lib.errors import StageError

AVA = label_map(AVA_EVALUATED, [f"class {i}" for i in AVA_EVALUATED])
SMALL = label_map([1, 12], ["bend", "stand"])
GOOD = "-5KQ66BBWC4,0902,0.077,0.151,0.283,0.811,12,1\n"


def write(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "rows.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_the_three_row_forms_stand_side_by_side(tmp_path: Path) -> None:
    text = (
        GOOD
        + "_b-c,5.016949\n"
        + "_b-c,17.000000,0.5,0.25,1,1.0,80\n"
        + "-5KQ66BBWC4,902.000000,0,0,1,1,1,2\n"
    )
    truth, counts = read_truth(write(tmp_path, text), AVA)
    assert truth.videos == ("-5KQ66BBWC4", "_b-c")
    assert truth.key_ms.tolist() == [902000, 5017, 17000]
    assert truth.key_seconds.tolist() == [902.0, 5.016949, 17.0]
    assert truth.class_id.tolist() == [12, 80, 1]
    assert truth.person_id.tolist() == [1, -1, 2]
    assert truth.boxes[0].tolist() == [0.077, 0.151, 0.283, 0.811]
    assert (counts.rows, counts.negatives) == (3, 1)


def test_the_files_of_ava_in_their_own_form(tmp_path: Path) -> None:
    """v2.1 and v2.2 have one form: four-digit seconds, three decimals, a row per person and action; exclusions likewise."""
    rng = np.random.default_rng(9)
    corner = rng.integers(0, 500, (897, 2)) / 1000
    boxes = np.round(np.concatenate([corner, corner + rng.integers(1, 500, (897, 2)) / 1000], 1), 3)
    rows = [
        f"{video},{second:04d},{','.join(f'{side:.3f}' for side in boxes[second - 902])},{action},{second % 7}"
        for video in ("-5KQ66BBWC4", "zlVkeKC6Ha8")
        for second in range(902, 1799)
        for action in (11, 79)
    ]
    truth, counts = read_truth(write(tmp_path, "\n".join(rows) + "\n"), AVA)
    assert (counts.rows, counts.negatives, counts.duplicates, counts.unlisted) == (4 * 897, 0, 0, 0)
    assert truth.videos == ("-5KQ66BBWC4", "zlVkeKC6Ha8")
    assert truth.key_ms.tolist() == 2 * list(range(902_000, 1_799_000, 1000))
    np.testing.assert_array_equal(truth.boxes, np.tile(np.repeat(boxes, 2, axis=0), (2, 1)))
    assert truth.class_id.tolist() == 2 * 897 * [11, 79]
    assert truth.person_id.tolist() == [
        second % 7 for _ in range(2) for second in range(902, 1799) for _ in "ab"
    ]
    gone = read_exclusions(write(tmp_path, "-5KQ66BBWC4,0902\nzlVkeKC6Ha8,1798\n"))
    assert gone == {("-5KQ66BBWC4", 902_000_000), ("zlVkeKC6Ha8", 1_798_000_000)}


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("last", ["", "\n", "\n\n  \n"])
def test_byte_order_mark_line_ends_and_blank_lines(
    tmp_path: Path, newline: str, mark: str, last: str
) -> None:
    text = mark + (GOOD + "v,903\n" + GOOD.rstrip("\n")).replace("\n", newline) + last.replace("\n", newline)
    if last.startswith("\n\n"):
        with pytest.raises(StageError, match="1 comma-separated columns"):
            read_truth(write(tmp_path, text), AVA)
        text = text.replace("  ", "")
    truth, counts = read_truth(write(tmp_path, text), AVA)
    assert (len(truth.video), len(truth.key_ms), counts.duplicates) == (2, 2, 1)
    assert counts.blank_lines == (2 if last.startswith("\n\n") else 0)
    assert truth.person_id.tolist() == [1, 1]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("v,902,0,0,1,1,12,1,9", "9 comma-separated columns"),
        ("v\t902\t0\t0\t1\t1\t12\t1", "1 comma-separated columns"),
        ("v,902,0,0,1,1", "6 comma-separated columns"),
        ("v,902,0,0,1,1,81,1", 'unknown action id "81"'),
        ("v,902,0,0,1,1,0,1", 'unknown action id "0"'),
        ("v,902,0,0,1,1,1.5,1", 'unknown action id "1.5"'),
        ("v,902,0,0,1,1,stand,1", 'action id "stand" is not a finite number'),
        ("v,902,0,0,1,1,,1", 'action id "" is not a finite number'),
        ("v,902,0,zero,1,1,12,1", 'y1 "zero" is not a finite number'),
        ("v,902,0,nan,1,1,12,1", 'y1 "nan"'),
        ("v,902,0,0,1e400,1,12,1", 'x2 "1e400"'),
        ("v,soon,0,0,1,1,12,1", 'timestamp "soon"'),
        ("v,-1,0,0,1,1,12,1", 'timestamp "-1"'),
        ("v,902000000,0,0,1,1,12,1", 'timestamp "902000000"'),
        ("v,902,0,0,1.02,1,12,1", "the box leaves the frame: 0, 0, 1.02, 1"),
        ("v,902,-0.011,0,1,1,12,1", "the box leaves the frame"),
        ("v,902,0.5,0,0.4,1,12,1", "the box is inverted"),
        ("v,902,0,0.9,1,0.1,12,1", "the box is inverted"),
        ("v,902,0.4,0,0.4,1,12,1", "empty inside the frame"),
        ("v,902,0,0.5,1,0.5,12,1", "empty inside the frame"),
        ("v,902,1,0,1.009,1,12,1", "empty inside the frame"),
        ("v,902,0,-0.009,1,-0.001,12,1", "empty inside the frame"),
        ("v,902,0,0,1,1,12,3_", 'person id "3_" is not a finite number'),
        ("v,902,0,0,1,1,12,1.5", "person id is no whole number"),
        ("a b,902,0,0,1,1,12,1", "video id 'a b'"),
        ("../up,902,0,0,1,1,12,1", "video id '../up'"),
        (f"{'x' * 65},902,0,0,1,1,12,1", "is not made of 1 to 64"),
        (f"{'x' * 200},902,0,0,1,1,12,1", "is not made of 1 to 64"),
        ("käse,902,0,0,1,1,12,1", "video id 'käse'"),
        ("日本,902", "video id '日本'"),
        ("/etc/passwd,902", "video id '/etc/passwd'"),
        ("$(touch x),902", "video id '$(touch x)'"),
        ("a\0b,902", "is not made of 1 to 64"),
        (".hidden,902", "video id '.hidden'"),
        (",902,0,0,1,1,12,1", "video id ''"),
        ('"v",902,0,0,1,1,12,1', "video id '\"v\"'"),
    ],
)
def test_a_broken_row_is_named_with_its_line(tmp_path: Path, row: str, message: str) -> None:
    path = write(tmp_path, GOOD * 3 + "\n" + row + "\n" + GOOD)
    with pytest.raises(StageError) as caught:
        read_truth(path, AVA)
    assert message in caught.value.what
    assert caught.value.where == f"{path}:5"
    assert caught.value.fix


def test_the_line_is_counted_over_block_borders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "BLOCK", 200)
    path = write(tmp_path, GOOD * 400 + "v,902,0,0,1,1,81,1\n" + GOOD * 100 + "v,bad\n")
    with pytest.raises(StageError) as caught:
        read_truth(path, AVA)
    assert caught.value.where == f"{path}:401"
    truth, counts = read_truth(write(tmp_path, GOOD * 400), AVA)
    assert (counts.rows, counts.duplicates, len(truth.key_ms)) == (400, 399, 1)


def test_ids_may_begin_with_dashes_and_underscores_and_keyframes_stand_once(tmp_path: Path) -> None:
    rows = [
        "-5KQ66BBWC4,0902",
        "-5KQ66BBWC4,902.0",
        "-5KQ66BBWC4,902.0000004,0,0,1,1,12,1",
        "-5KQ66BBWC4,902.000001",
        "__x,3",
        "__x,0003",
        "__x,3",
    ]
    truth, counts = read_truth(write(tmp_path, "\n".join(rows)), AVA)
    keys = [(truth.videos[v], us) for v, us in zip(truth.key_video, truth.key_us, strict=True)]
    assert keys == [("-5KQ66BBWC4", 902_000_000), ("-5KQ66BBWC4", 902_000_001), ("__x", 3_000_000)]
    assert (counts.rows, counts.negatives) == (1, 6)


def test_a_header_is_called_a_header(tmp_path: Path) -> None:
    with pytest.raises(StageError, match="remove the header line"):
        read_truth(write(tmp_path, "video_id,timestamp,x1,y1,x2,y2,action_id,person_id\n" + GOOD))


SCORED = "v,902,0,0,1,1,12,0.5\n"


@pytest.mark.parametrize(
    "row",
    [
        "v,902,0,0,1,1,12,nan\n",
        "v,902,0,nan,1,1,12,0.5\n",
        "v,902,0,0,1,1,kick,0.5\n",
        "v,-1,0,0,1,1,12,0.5\n",
    ],
)
@pytest.mark.parametrize("before", [0, 10, 20])
def test_a_bad_number_is_no_header_at_the_start_of_file_or_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, row: str, before: int
) -> None:
    monkeypatch.setattr(lines, "BLOCK", 10 * len(SCORED))
    path = write(tmp_path, SCORED * before + row + SCORED)
    with pytest.raises(StageError) as caught:
        read_detections(path)
    assert caught.value.where == f"{path}:{before + 1}"
    assert "header" not in caught.value.fix


def test_a_time_that_is_no_number_is_a_header_only_in_the_first_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "BLOCK", 10 * len(SCORED))
    bad = "v,time,0,0,1,1,12,0.5\n"
    for before, fix in ((0, "remove the header line"), (1, "write plain"), (10, "write plain")):
        with pytest.raises(StageError) as caught:
            read_detections(write(tmp_path, SCORED * before + bad + SCORED * 10))
        assert caught.value.fix.startswith(fix)


def test_the_twenty_classes_that_are_not_evaluated_stay_and_are_counted(tmp_path: Path) -> None:
    text = GOOD + "v,902,0,0,1,1,2,1\n"
    truth, counts = read_truth(write(tmp_path, text), AVA)
    assert (truth.class_id.tolist(), counts.unlisted) == ([12, 2], 1)
    with pytest.raises(StageError, match="unknown action id"):
        read_truth(write(tmp_path, text), SMALL)


def test_boxes_a_little_outside_are_clipped_and_counted_or_kept(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD + "v,902,-0.01,0,1.004,1,12,1\n")
    truth, counts = read_truth(path)
    assert (truth.boxes[1].tolist(), counts.clipped) == ([0, 0, 1, 1], 1)
    truth, counts = read_truth(path, outside="keep")
    assert (truth.boxes[1].tolist(), counts.clipped, counts.outside) == ([-0.01, 0, 1.004, 1], 0, 1)


def test_empty_and_missing_files(tmp_path: Path) -> None:
    for text in ("", "\ufeff", "\n\n"):
        with pytest.raises(StageError, match="no rows"):
            read_truth(write(tmp_path, text))
        assert len(read_detections(write(tmp_path, text))[0].video) == 0
    with pytest.raises(StageError, match="cannot be read"):
        read_truth(tmp_path / "nowhere.csv")


def test_detections_are_read_as_they_stand(tmp_path: Path) -> None:
    text = "v,0902,0.1,0.2,0.3,0.4,12,0.5\nv,902.000000,-0.002,0.2,1.7,0.1,2,1e-05\nw,7.25,0,0,1,1,80,0.12345678901234567\n"
    table, counts = read_detections(write(tmp_path, text), AVA)
    assert table.timestamp_ms.tolist() == [902000, 902000, 7250]
    assert table.boxes[1].tolist() == [-0.002, 0.2, 1.7, 0.1]
    assert table.score.tolist() == [0.5, 1e-05, 0.12345678901234567]
    assert (counts.rows, counts.outside, counts.inverted, counts.unlisted) == (3, 1, 1, 1)


@pytest.mark.parametrize("score", ["nan", "1.01", "-0.1", "inf", "-3.2e1", "", "high"])
def test_scores_must_be_probabilities(tmp_path: Path, score: str) -> None:
    path = write(tmp_path, f"v,902,0,0,1,1,12,0.5\nv,902,0,0,1,1,12,{score}\n")
    with pytest.raises(StageError) as caught:
        read_detections(path)
    assert caught.value.where == f"{path}:2"


def test_detections_need_eight_columns(tmp_path: Path) -> None:
    with pytest.raises(StageError, match="7 comma-separated columns where 8"):
        read_detections(write(tmp_path, "v,902,0,0,1,1,12\n"))


@pytest.mark.parametrize(
    "name", ["../x", "/etc/passwd", "a\0b", "$(touch x)", "x" * 200, "käse", ".hidden", "a b", '"a"', ""]
)
def test_bad_ids_are_refused_in_detections_and_exclusions_too(tmp_path: Path, name: str) -> None:
    path = write(tmp_path, f"{SCORED}-5KQ66BBWC4,1,0,0,1,1,12,1\n{name},902,0,0,1,1,12,0.5\n")
    with pytest.raises(StageError, match="is not made of 1 to 64 letters") as caught:
        read_detections(path)
    assert caught.value.where == f"{path}:3"
    path = write(tmp_path, f"-5KQ66BBWC4,902\n__x,903\n{name},902\n")
    with pytest.raises(StageError, match="is not made of 1 to 64 letters") as caught:
        read_exclusions(path)
    assert caught.value.where == f"{path}:3"


def test_a_fault_in_the_last_of_a_million_lines(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD * 1_000_000)
    truth, counts = read_truth(path, AVA)
    assert (len(truth.video), len(truth.key_us), counts.duplicates) == (1_000_000, 1, 999_999)
    assert counts.first_duplicate == f"{path}:2"
    with path.open("a") as handle:
        handle.write(GOOD.rstrip("1\n") + "3_")
    with pytest.raises(StageError, match='person id "3_"') as caught:
        read_truth(path, AVA)
    assert caught.value.where == f"{path}:1000001"


def test_exclusions(tmp_path: Path) -> None:
    assert read_exclusions(write(tmp_path, "v,0902\nw,5.5\r\nv,902.000000\n")) == {
        ("v", 902000000),
        ("w", 5500000),
    }
    assert read_exclusions(write(tmp_path, "")) == set()
    with pytest.raises(StageError, match="3 comma-separated columns"):
        read_exclusions(write(tmp_path, "v,0902,1\n"))


def test_every_spelling_of_a_number_is_read_as_float_reads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "BLOCK", 5000)
    rng = random.Random(3)
    spellings = [
        "0",
        "1",
        "1.",
        ".5",
        "1e-05",
        "0.30848900",
        "1.000000",
        "0.9999999999999999",
        "00000000.5",
        " 0.5 ",
        "+1",
    ]
    for _ in range(3000):
        spellings.append(f"{rng.random():.{rng.randrange(20)}f}")
        spellings.append(repr(rng.random() * 10 ** -rng.randrange(9)))
    spellings = [s for s in spellings if 0 <= float(s) <= 1]
    text = "".join(
        f"v{i % 7},{i // 60}.{i % 60:02d},{s},0,0.5,-{s},12,{s}\n" for i, s in enumerate(spellings)
    )
    table, _ = read_detections(write(tmp_path, text))
    assert table.score.tolist() == [float(s) for s in spellings]
    assert table.boxes[:, 0].tolist() == table.score.tolist()
    assert table.timestamp_ms.tolist() == [
        math.floor(float(f"{i // 60}.{i % 60:02d}") * 1000 + 0.5) for i in range(len(spellings))
    ]
    assert [table.videos[v] for v in table.video] == [f"v{i % 7}" for i in range(len(spellings))]


def test_ids_of_any_length_are_told_apart(tmp_path: Path) -> None:
    names = ["a", "ab", "abcdefgh", "abcdefghi", "abcdefghj", "x" * 63 + "y", "x" * 64, "x" * 63]
    text = "".join(f"{name},902,0,0,1,1,12,0.5\n" for name in names for _ in range(2))
    table, _ = read_detections(write(tmp_path, text))
    assert [table.videos[v] for v in table.video] == [name for name in names for _ in range(2)]
    assert np.unique(table.video).size == len(names)


def test_boxes_are_told_apart_whatever_their_spelling(tmp_path: Path) -> None:
    long = "0.1" + "0" * 170
    starts = ["v,1,0,0,1,1", "v,1,0,0,1,.9", "v,1,0,0,.9,1", f"v,1,{long},0,1,1", f"v,1,{long},0,1,2"]
    starts += ["v,1,0.1,0.2,0.3,0.41", "v,1,0.1,0.2,0.3,0.42", "v,1,0.1,0.2,0.3,0.42", "v,2,0.1,0.2,0.3,0.42"]
    table, counts = read_detections(
        write(tmp_path, "".join(f"{start},{c},0.5\n" for start in starts for c in (1, 12)))
    )
    for row, start in enumerate(starts):
        expected = [float(side) for side in start.split(",")[1:]]
        for place in (2 * row, 2 * row + 1):
            assert [table.timestamp_ms[place] / 1000, *table.boxes[place]] == expected
    assert (table.class_id.tolist(), counts.outside) == ([1, 12] * len(starts), 2)

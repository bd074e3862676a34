"""`python -m stages.evaluate --groundtruth ...`: plain csv files in, metrics.json out, and what it refuses."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stages.evaluate.__main__ import main
from stages.lib.metrics.dialects import DIALECTS
from tests.property.literal_evaluator import literal_frame_map
from tests.property.test_metric_exactness import CLASSES, random_case

BOX, OTHER = "0.1,0.1,0.4,0.9", "0.6,0.1,0.9,0.9"
LABELS = "".join(f'item {{\n  name: "class {i}"\n  id: {i}\n}}\n' for i in CLASSES)


def evaluate(folder: Path, truth: str, found: str, *flags: str) -> dict[str, Any]:
    """metrics.json of the texts of two files."""
    assert run(folder, truth, found, *flags) == 0
    return json.loads((folder / "metrics.json").read_text())


def run(folder: Path, truth: str, found: str, *flags: str) -> int:
    for name, text in (("gt.csv", truth), ("det.csv", found), ("l.pbtxt", LABELS)):
        (folder / name).write_bytes(text.encode())
    words = ["--groundtruth", folder / "gt.csv", "--detections", folder / "det.csv"]
    words += ["--labelmap", folder / "l.pbtxt", "--out", folder / "metrics.json", *flags]
    return main([str(word) for word in words])


def test_the_json_names_number_dialect_classes_and_counts(tmp_path: Path) -> None:
    truth = f"v,0902,{BOX},1,4\nv,902.000000,{BOX},80,4\nw,5.016949\n"
    found = f"v,902.000000,{BOX},1,0.9\nw,5.016949,{BOX},80,0.8\nv,0902,{BOX},80,0.5\n"
    table = evaluate(tmp_path, truth, found)
    assert table["mAP@0.5IOU"] == pytest.approx((1.0 + 0.5) / 2)
    assert table["dialect"] == "official"
    assert table["per_class"][0] == {
        "id": 1,
        "name": "class 1",
        "kind": "pose",
        "frequency": "head",
        "ap": 1.0,
        "truths": 1,
        "detections": 1,
    }
    assert [row["id"] for row in table["per_class"]] == list(CLASSES)
    assert (table["counts"]["keyframes"], table["counts"]["truths"], table["counts"]["hits"]) == (2, 2, 2)
    assert table["by_kind"] == {"person": 0.5, "pose": 1.0}
    assert table["by_frequency"] == {"head": 1.0, "middle": 0.5}
    assert table["read"]["groundtruth"]["negatives"] == 1


@pytest.mark.parametrize("dialect", sorted(DIALECTS))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), n_rows=st.integers(0, 200))
def test_files_are_scored_as_the_literal_evaluator_scores_them(
    tmp_path: Path, dialect: str, seed: int, n_rows: int
) -> None:
    truths, found, exclusions = random_case(seed, n_rows)
    if not any(len(row) > 2 and row[3] in CLASSES for row in truths):
        return
    truths = spoiled([row for row in truths if len(row) == 2 or row[3] in CLASSES], seed)
    (tmp_path / "ex.csv").write_text("".join(f"{video},{seconds:.6f}\n" for video, seconds in exclusions))
    flags = ["--dialect", dialect, "--exclusions", str(tmp_path / "ex.csv")]
    code = run(tmp_path, csv_of(truths, seed), csv_of(found, seed + 1), *flags)
    rows = [rows_of(tmp_path / name) for name in ("gt.csv", "det.csv")]
    expected, per_class = literal_frame_map(rows[0], rows[1], CLASSES, dialect, exclusions=exclusions)
    if math.isnan(expected):  # every keyframe with truth is excluded
        assert code == 2
        return
    table = json.loads((tmp_path / "metrics.json").read_text())
    assert table["mAP@0.5IOU"] == pytest.approx(expected, abs=1e-9)
    for row in table["per_class"]:
        assert (math.nan if row["ap"] is None else row["ap"]) == pytest.approx(
            per_class[row["id"]], abs=1e-9, nan_ok=True
        )


def spoiled(truths: Sequence[tuple], seed: int) -> list[tuple]:
    """Some of the truth's boxes inverted, empty or far outside of the frame."""
    rng = np.random.default_rng(seed)
    changes = ((2, 1, 0, 3), (0, 1, 0, 3))
    rows = []
    for row in truths:
        if len(row) > 2 and rng.random() < 0.1:
            sides = [row[2][side] for side in changes[rng.integers(2)]]
            row = (*row[:2], tuple(sides), *row[3:])
        elif len(row) > 2 and rng.random() < 0.1:
            row = (*row[:2], tuple(side + 0.3 for side in row[2]), *row[3:])
        rows.append(row)
    return rows


def csv_of(rows: Sequence[tuple], seed: int) -> str:
    """The rows with timestamps spelled in either way, whole seconds at random as integers."""
    rng = np.random.default_rng(seed)
    lines = []
    for video, seconds, *rest in rows:
        whole = seconds == int(seconds) and rng.random() < 0.5
        fields = [video, f"{int(seconds):04d}" if whole else f"{seconds:.6f}"]
        if rest:
            fields += [repr(float(side)) for side in rest[0]]
            fields += [str(rest[1]), *(repr(float(score)) for score in rest[2:])]
        lines.append(",".join(fields))
    return "\n".join(lines) + "\n"


def rows_of(path: Path) -> list[tuple]:
    """The rows of a file as the standard library reads them."""
    rows: list[tuple] = []
    with path.open(newline="") as handle:
        for row in csv.reader(handle):
            key = (row[0], float(row[1])) if row else ()
            more = (tuple(map(float, row[2:6])), int(row[6])) if len(row) > 2 else ()
            rows.append((*key, *more, *map(float, row[7:])))
    return [row for row in rows if row]


def test_keyframes_are_told_apart_by_the_microsecond(tmp_path: Path) -> None:
    truth = f"v,902,{BOX},1,0\nv,5.016949,{BOX},1,0\nv,7.000001,{BOX},3,0\n"
    found = f"v,902.000000,{BOX},1,0.9\nv,5.016950,{BOX},1,0.8\nv,7.0000012,{BOX},3,0.7\n"
    table = evaluate(tmp_path, truth, found)
    assert [row["ap"] for row in table["per_class"][:2]] == [0.5, 1.0]
    assert (table["counts"]["hits"], table["counts"]["unlisted_keyframe"]) == (2, 1)
    (tmp_path / "ex.csv").write_text("v,902.0004\nv,5.0169491\n")
    older = evaluate(tmp_path, truth, found, "--exclusions", str(tmp_path / "ex.csv"), "--dialect", "2020")
    assert older["counts"]["truths"] == 1, "the dialects of 2020 compare whole seconds"


def test_strange_boxes_of_the_truth_count_as_official_evaluators_count_them(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    far, empty, inverted = "0.1,0.1,0.4,1.2", "0.2,0.1,0.2,0.9", "0.4,0.1,0.1,0.9"
    truth = f"w,1\nv,901,{BOX},1,0\nv,902,{far},1,0\n\nv,902,{empty},3,0\nv,903,{inverted},3,0\n"
    found = f"v,901,{BOX},1,0.9\nv,902,{far},1,0.8\nv,902,{OTHER},3,0.7\n"
    table = evaluate(tmp_path, truth, found)
    assert [row["ap"] for row in table["per_class"][:2]] == [1.0, 0.0]
    assert table["per_class"][1]["truths"] == 2
    said = capfd.readouterr().err
    assert "warning: 1 boxes of the ground truth leave the frame by more than 1 %" in said
    assert "warning: 2 boxes of the ground truth are inverted or empty" in said
    assert f"(first: {tmp_path}/gt.csv:3)" in said
    assert f"(first: {tmp_path}/gt.csv:5)" in said


def test_coordinates_of_the_truth_are_used_as_read(tmp_path: Path) -> None:
    truth, found = "v,902,0.5,0,1.008,1,1,0\n", "v,902,0.246,0,1.008,1,1,0.9\n"
    assert (
        evaluate(tmp_path, truth, found, "--iou", "0.6666")["mAP@0.6666IOU"] == 1.0
    )  # 0.656 if it were clipped


def test_further_ious_persons_switches_curves_and_an_interval(tmp_path: Path) -> None:
    truth = "".join(f"v{k},902,{BOX},1,0\nv{k},902,{BOX},3,0\n" for k in range(6)) + f"v0,903,{BOX},2,0\n"
    found = "".join(f"v{k},902,0.1,0.1,0.4,0.74,{c},0.{9 - k}\n" for k in range(6) for c in (1, 3))
    found += f"v0,905,{BOX},1,0.99\n"
    truth = truth.replace(",2,0\n", ",80,0\n")
    flags = ["--ious", "0.75", "0.9", "--persons", "--switches", "--bootstrap", "50"]
    table = evaluate(tmp_path, truth, found, *flags, "--curves", str(tmp_path / "curves.csv"))
    assert table["mAP@0.5IOU"] == pytest.approx(2 / 3)
    assert [table["by_iou"][iou]["mAP"] for iou in ("0.5", "0.75", "0.9")] == pytest.approx([2 / 3, 2 / 3, 0])
    assert table["persons"]["AP@0.5IOU"] == pytest.approx(6 / 7)
    assert (table["persons"]["truths"], table["persons"]["boxes"]) == (7, 6)
    turned = {one["switch"]: one["change"] for one in table["switches"]}
    assert set(turned) == {
        "cap",
        "use_exclusions",
        "ignore_unlisted_keyframes",
        "whole_seconds",
        "best_first",
    }
    assert turned["ignore_unlisted_keyframes"] < -0.02
    assert turned["cap"] == 0.0
    assert table["interval"]["low"] <= table["mAP@0.5IOU"] <= table["interval"]["high"]
    curve = [line.split(",") for line in (tmp_path / "curves.csv").read_text().splitlines()]
    assert curve[0] == ["dialect", "id", "name", "rank", "recall", "precision", "score"]
    assert curve[1] == ["official", "1", '"class 1"', "1", "0.166667", "1.000000", "0.900000"]


def test_is_a_difference_more_than_luck(tmp_path: Path) -> None:
    truth = "".join(f"v{k:02d},902,{BOX},1,0\n" for k in range(30))
    good = "".join(f"v{k:02d},902,{BOX},1,0.{k + 10}\n" for k in range(30))
    (tmp_path / "poor.csv").write_text(good.replace(BOX, OTHER, 12))
    table = evaluate(tmp_path, truth, good, "--compare", str(tmp_path / "poor.csv"))["compared"]
    assert table["difference"] == pytest.approx(1.0 - table["mAP"])
    assert 0 < table["low"] < table["difference"] < table["high"]
    assert table["p_value"] < 0.01
    assert table["dialect"] == "official"
    same = evaluate(tmp_path, truth, good, "--compare", str(tmp_path / "det.csv"))["compared"]
    assert (same["difference"], same["p_value"]) == (0.0, 1.0)
    (tmp_path / "poor.csv").write_text("")
    notes = evaluate(tmp_path, truth, good, "--compare", str(tmp_path / "poor.csv"))["notes"]
    assert any(f"{tmp_path / 'poor.csv'} has no rows" in note for note in notes)
    (tmp_path / "poor.csv").write_text("alien,902,0,0,1,1,12,0.5\n")
    table = evaluate(tmp_path, truth, good, "--compare", str(tmp_path / "poor.csv"))
    assert any(f"alien, {tmp_path / 'poor.csv'}:1" in note for note in table["notes"])
    assert any("no detection counted" in note for note in table["compared"]["notes"])


@pytest.mark.parametrize(
    ("truth", "found", "flags", "note"),
    [
        (f"v,902,{BOX},1,0\n", "", (), "det.csv has no rows"),
        (
            f"v,902,{BOX},1,0\n",
            f"x,902,{BOX},1,0.5\nv,902,{BOX},1,0.4\n",
            (),
            "1 videos of the detections are not in the ground truth, their rows are ignored (first: x, {folder}/det.csv:1)",
        ),
        (
            f"v,902,{BOX},1,0\n",
            f"x,902,{BOX},1,0.5\n",
            ("--dialect", "2020"),
            "their rows are false detections (first: x, {folder}/det.csv:1)",
        ),
        (
            f"v,901\n\nv,902,{BOX},1,0\n" + f"v,902,{BOX},1,0\n",
            "",
            (),
            "1 rows of the ground truth repeat an earlier one and count again (first: {folder}/gt.csv:4)",
        ),
        (
            f"v,902,{BOX},1,0\n",
            f"v,902,{BOX},1,0.5\n" * 3 + f"v,902,{BOX},1,0.4\nv,902,{OTHER},1,0.5\n",
            (),
            "2 detections repeat an earlier row; each copy counts, and is a false one (first: {folder}/det.csv:2)",
        ),
    ],
)
def test_what_a_reader_should_know_is_noted(
    tmp_path: Path, truth: str, found: str, flags: tuple[str, ...], note: str
) -> None:
    notes = evaluate(tmp_path, truth, found, *flags)["notes"]
    assert any(note.replace("{folder}", str(tmp_path)) in line for line in notes), notes


def test_an_exclusions_file_that_the_dialect_does_not_use_is_noted(tmp_path: Path) -> None:
    (tmp_path / "ex.csv").write_text("v,903\n")
    truth = f"v,902,{BOX},1,0\nv,903,{BOX},1,0\n"
    table = evaluate(tmp_path, truth, "", "--exclusions", str(tmp_path / "ex.csv"))
    assert "the dialect official does not use the exclusions file" in table["notes"]
    older = evaluate(tmp_path, truth, "", "--exclusions", str(tmp_path / "ex.csv"), "--dialect", "2020")
    assert older["per_class"][0]["truths"] == 1


def test_a_truth_without_a_class_is_no_truth(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "ex.csv").write_text("v,902\n")
    flags = ("--exclusions", str(tmp_path / "ex.csv"), "--dialect", "2020")
    assert run(tmp_path, f"v,902,{BOX},1,0\n", f"v,902,{BOX},1,0.5\n", *flags) == 2
    assert f"{tmp_path}/gt.csv: no listed class has a ground-truth box" in capfd.readouterr().err


@pytest.mark.fault("F23")
def test_byte_order_mark_and_carriage_returns_change_nothing(tmp_path: Path) -> None:
    truth, found = f"v,902,{BOX},1,0\nv,903\n", f"v,903,{BOX},1,0.9\nv,902,{BOX},1,0.5\n"
    plain = evaluate(tmp_path, truth, found)
    marked = [("\ufeff" + text).replace("\n", "\r\n") for text in (truth, found)]
    assert evaluate(tmp_path, *marked) == plain


@pytest.mark.fault("F23")
@pytest.mark.parametrize(
    ("truth", "found", "flags", "message"),
    [
        (f"v,902,{BOX},1,0\n", f"v,902,{BOX},1\n", (), "det.csv:1: 7 comma-separated columns"),
        (f"v,902,{BOX},1,0\nv\t9\n", "", (), "gt.csv:2: 1 comma-separated columns"),
        (f"v,902,{BOX},1,0\n", f"v,902,{BOX},1,0.5\nv,902,{BOX},1,nan\n", (), 'det.csv:2: score "nan"'),
        (f"v,902,{BOX},1,0\n", f"v,902,{BOX},1,1.5\n", (), "det.csv:1: the score lies outside of [0, 1]"),
        (f"v,902,{BOX},1,0\n", f"a b,902,{BOX},1,0.5\n", (), "det.csv:1: the video id 'a b'"),
        (f"v,902,{BOX},77,0\n", "", (), 'gt.csv:1: unknown action id "77"'),
        ("", "", (), "gt.csv: the ground truth has no rows"),
        ("v,902\n", "", (), "gt.csv: no row of the ground truth has a box"),
        (f"v,902,{BOX},1,0\n", "", ("--dialect", "voc"), "dialect"),
        (f"v,902,{BOX},1,0\n", "", ("--iou", "1.5"), "iou"),
        (f"v,902,{BOX},1,0\n", "", ("--exclusions", "nowhere.csv"), "nowhere.csv: the file cannot be read"),
    ],
)
def test_bad_input_is_refused_with_file_and_line(
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    truth: str,
    found: str,
    flags: tuple[str, ...],
    message: str,
) -> None:
    assert run(tmp_path, truth, found, *flags) == 2
    assert message in capfd.readouterr().err
    assert not (tmp_path / "metrics.json").exists()


def test_a_bad_row_between_rows_of_one_box_is_named(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    rows = [f"v,902,{BOX},{c},0.5\n" for c in CLASSES] * 3
    rows[7] = f"v,902,{BOX},x,0.5\n"
    assert run(tmp_path, f"v,902,{BOX},1,0\n", "".join(rows)) == 2
    assert 'det.csv:8: action id "x" is not a finite number' in capfd.readouterr().err
    rows[7], rows[5] = rows[6], "v,902,0.1,oops,0.4,0.9,1,0.5\n"
    assert run(tmp_path, f"v,902,{BOX},1,0\n", "".join(rows)) == 2
    assert 'det.csv:6: y1 "oops" is not a finite number' in capfd.readouterr().err

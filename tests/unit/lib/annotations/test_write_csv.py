from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stages.lib.annotations.ava_csv import read_detections, read_truth
from stages.lib.annotations.write_csv import spell_seconds, write_detections, write_truth
from stages.lib.metrics.tables import DetectionsTable, Truth
from tests.unit.lib.metrics.tables_for_tests import LEFT, RIGHT, detections_of, truth_of

REAL = Path(__file__).resolve().parents[4].parent / "shared" / "data" / "kinetics_val_v1.0.csv"


def text_of(table: DetectionsTable, **more: Any) -> str:
    stream = io.StringIO()
    write_detections(stream, table, **more)
    return stream.getvalue()


@pytest.mark.skipif(not REAL.exists(), reason="the real validation file of AVA-Kinetics is not here")
def test_the_real_validation_file_is_written_and_read_again_to_the_last_bit(tmp_path: Path) -> None:
    truth, _ = read_truth(REAL)
    path = tmp_path / "again.csv"
    with path.open("w") as stream:
        write_truth(stream, truth)
    again, counts = read_truth(path)
    assert (counts.rows, counts.negatives) == (65172, 8636)
    for name, column in vars(truth).items():
        if name == "videos":
            assert again.videos == column
        elif name.startswith("key"):
            np.testing.assert_array_equal(vars(again)[name], column)
    assert rows_of(again) == rows_of(truth)


def rows_of(truth: Truth) -> list[tuple[Any, ...]]:
    columns = (truth.video, truth.timestamp_us, truth.class_id, truth.person_id)
    return sorted(
        zip(*(column.tolist() for column in columns), map(tuple, truth.boxes.tolist()), strict=True)
    )


def test_rows_are_spelled_in_the_official_form_and_order() -> None:
    rows = [("w", 5.016949, RIGHT, 80, 0.25), ("v", 902, LEFT, 12, 1.0), ("v", 901, LEFT, 1, 1 / 3)]
    assert text_of(detections_of(rows), truth=truth_of([("w", 5.016949)])).splitlines() == [
        "v,0901,0.100000,0.100000,0.400000,0.900000,1,0.333333",
        "v,0902,0.100000,0.100000,0.400000,0.900000,12,1.000000",
        "w,5.016949,0.600000,0.100000,0.900000,0.900000,80,0.250000",
    ]
    assert (
        text_of(detections_of(rows), decimals=3).splitlines()[2]
        == "w,5.017000,0.600,0.100,0.900,0.900,80,0.250"
    )


def test_keyframe_order_of_the_table_leaves_no_trace() -> None:
    rows = [
        (f"v{v}", t, box, c, s)
        for v in range(3)
        for t in range(3)
        for box, c, s in [(LEFT, 3, 0.5), (RIGHT, 1, 0.75)]
    ]
    groups = [rows[i : i + 2] for i in range(0, len(rows), 2)]
    order = np.random.default_rng(0).permutation(len(groups))
    mixed = [row for i in order for row in groups[i]]
    assert text_of(detections_of(mixed)) == text_of(detections_of(rows))


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    table = detections_of([("-v", 902, LEFT, 12, 0.123456), ("w_1", 7.25, RIGHT, 80, 0.5)])
    path = tmp_path / "found.csv"
    path.write_text(text_of(table))
    back, _ = read_detections(path)
    for name in ("video", "timestamp_us", "boxes", "class_id", "score"):
        np.testing.assert_array_equal(vars(back)[name], vars(table)[name])
    assert text_of(detections_of([])) == ""


def test_spelling_of_seconds() -> None:
    assert [spell_seconds(s) for s in (2.0, 902.0, 1798.0, 5.016949, 0.5)] == [
        "0002",
        "0902",
        "1798",
        "5.016949",
        "0.500000",
    ]


@pytest.mark.parametrize("decimals", [1, 3, 6, 9])
def test_lines_are_those_of_plain_formatting(decimals: int) -> None:
    rng = np.random.default_rng(decimals)
    scores = np.concatenate([[0.0, 1.0, 0.5, 2.0**-20], rng.random(300) ** 4]).astype(np.float32)
    rows = [
        ("v\u00fc", t // 60, (LEFT, RIGHT)[t % 2], 1 + t % 80, float(score)) for t, score in enumerate(scores)
    ]
    number = f"%.{decimals}f"
    want = [
        f"{video},{int(t):04d},{','.join(number % float(side) for side in box)},{action},{number % score}"
        for video, t, box, action, score in rows
    ]
    assert text_of(detections_of(rows), decimals=decimals).splitlines() == want

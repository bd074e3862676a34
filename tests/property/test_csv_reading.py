"""The csv readers on whole files: whatever a file holds, against the csv module; the real one, however it is spelled."""

from __future__ import annotations

import csv
import random
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.lib.annotations import lines
from stages.lib.annotations.ava_classes import ava_label_map
from stages.lib.annotations.ava_csv import read_truth

AVA = ava_label_map(60)
REAL = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "kinetics_val_v1.0.csv"


def write(path: Path, text: str) -> Path:
    path.write_bytes(text.encode())
    return path


numbers = st.decimals(0, 1, places=4).map(str)
sides = st.tuples(numbers, numbers).filter(lambda pair: float(pair[0]) < float(pair[1]))
rows = st.tuples(
    st.sampled_from(["-5KQ66BBWC4", "__x", "a", "a" * 64, "Zz-9_", "zz"]),
    st.sampled_from(["0902", "902", "902.000000", "5.016949", "17.5", "0"]),
    st.none()
    | st.tuples(sides, sides, st.sampled_from(["1", "12", "80", "16"]), st.none() | st.integers(-1, 3)),
).map(
    lambda row: (
        ",".join(row[:2])
        if row[2] is None
        else ",".join(
            [*row[:2], row[2][0][0], row[2][1][0], row[2][0][1], row[2][1][1], row[2][2]]
            + ([] if row[2][3] is None else [str(row[2][3])])
        )
    )
)


@settings(max_examples=150, deadline=None)
@given(st.lists(rows, min_size=1, max_size=40), st.sampled_from(["\n", "\r\n", "\n\n"]), st.integers(20, 400))
def test_any_file_is_read_as_the_csv_module_reads_it(found: list[str], newline: str, block: int) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "BLOCK", block)
        path = write(Path(folder) / "rows.csv", newline.join(found))
        truth, counts = read_truth(path, AVA)
        with path.open(newline="") as handle:
            cells = [row for row in csv.reader(handle) if row]
    boxed = [row for row in cells if len(row) > 2]
    assert truth.videos == tuple(sorted({row[0] for row in cells}))
    keys = sorted({(row[0], float(row[1])) for row in cells})
    assert [(truth.videos[v], s) for v, s in zip(truth.key_video, truth.key_seconds, strict=True)] == keys
    assert [truth.videos[v] for v in truth.video] == [row[0] for row in boxed]
    assert (truth.timestamp_us / 1e6).tolist() == [float(row[1]) for row in boxed]
    assert truth.boxes.tolist() == [list(map(float, row[2:6])) for row in boxed]
    assert truth.class_id.tolist() == [int(row[6]) for row in boxed]
    assert truth.person_id.tolist() == [int(row[7]) if len(row) == 8 else -1 for row in boxed]
    assert (counts.rows, counts.negatives) == (len(boxed), len(cells) - len(boxed))
    first = {}
    parsed = [
        (row[0], *map(float, row[1:6]), *map(int, row[6:]), *([-1] if len(row) == 7 else [])) for row in boxed
    ]
    places = [place for place, row in enumerate(parsed) if first.setdefault(row, place) != place]
    assert counts.duplicates == len(places)
    if places:
        number = [place for place, text in enumerate(found) if text.count(",") > 2][places[0]]
        assert counts.first_duplicate == f"{path}:{number * newline.count(chr(10)) + 1}"


@pytest.mark.skipif(not REAL.exists(), reason="the real validation file of AVA-Kinetics is not here")
@pytest.mark.parametrize(
    "spelling", ["crlf", "mark", "cut", "blank", "short times", "shuffled", "eight columns"]
)
def test_the_real_file_reads_the_same_however_it_is_spelled(tmp_path: Path, spelling: str) -> None:
    text = REAL.read_text()
    other = {
        "crlf": text.replace("\n", "\r\n"),
        "mark": "\ufeff" + text,
        "cut": text.rstrip("\n"),
        "blank": text.replace("\n", "\n\n"),
        "short times": text.replace(".000000,", ","),
        "shuffled": "\n".join(random.Random(4).sample(text.splitlines(), text.count("\n"))),
        "eight columns": "\n".join(row + ",-1" * (row.count(",") > 1) for row in text.splitlines()),
    }[spelling]
    straight, _ = read_truth(REAL, AVA)
    bent, counts = read_truth(write(tmp_path / "rows.csv", other), AVA)
    assert (counts.rows, counts.negatives, counts.unlisted) == (65172, 8673, 675)
    order = slice(None)
    if spelling == "shuffled":
        tables = (straight, bent)
        ranks = [np.lexsort((t.class_id, *t.boxes.T, t.timestamp_us, t.video)) for t in tables]
        order, there = ranks
        bent = replace(
            bent,
            **{
                name: vars(bent)[name][there]
                for name in ("video", "timestamp_us", "boxes", "class_id", "person_id")
            },
        )
    for name in ("video", "timestamp_us", "boxes", "class_id", "person_id"):
        np.testing.assert_array_equal(vars(bent)[name], vars(straight)[name][order])
    np.testing.assert_array_equal(bent.key_us, straight.key_us)
    np.testing.assert_array_equal(bent.key_video, straight.key_video)
    assert bent.videos == straight.videos

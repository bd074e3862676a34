"""The description of an annotation file against counts made with the csv module."""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from itertools import pairwise
from pathlib import Path

import pytest

from stages.annotations.__main__ import main

REAL = Path(__file__).resolve().parents[3].parent / "shared" / "data" / "kinetics_val_v1.0.csv"
SMALL = """\
-5KQ66BBWC4,0902,0.1,0.2,0.3,0.4,12,1
-5KQ66BBWC4,0902,0.1,0.2,0.3,0.4,80,1
-5KQ66BBWC4,0902,0.5,0.2,0.7,0.4,12,2
-5KQ66BBWC4,0902,0.5,0.2,0.7,0.4,12,2
-5KQ66BBWC4,0903,0.5,0.2,0.7,1.5,14,2

-5KQ66BBWC4,0903
-5KQ66BBWC4,0905
__x,17.5,0.9,0.2,0.7,0.4,16
__x,40.000000
"""


def told(path: Path, capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, str]:
    assert main(["describe", str(path), *words]) == 0
    lines = capsys.readouterr().out.splitlines()
    facts = dict(re.split(r":\s+", line, maxsplit=1) for line in lines if re.match(r"[a-z].*:\s", line))
    return facts | {"everything": "\n".join(lines)}


def test_a_small_file_with_oddities(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(SMALL)
    facts = told(path, capsys)
    assert facts["videos"] == "2"
    assert facts["keyframes"] == "5: 3 with boxes, 2 negatives"
    assert facts["videos with several keyframes"] == "2 (at most 3)"
    assert facts["neighbours in time"] == "2 pairs of one video less than 10 s apart"
    assert facts["rows"] == "9: 6 with a box, 3 of two columns"
    assert facts["boxes"] == "4, 1.50 labels each"
    assert facts["boxes a keyframe"] == "1.33 where there are any, at most 2; one: 2"
    assert facts["persons with a number"] == "2 in 5 rows"
    assert facts["seconds"] == "17.500000 to 0905"
    assert facts["keyframes at whole seconds"] == "4; between them: 1"
    assert facts["classes"] == "4 of 80 in the list have rows"
    for line in (
        "  1 two-column rows of keyframes that stand there already",
        f"  1 rows that repeat an earlier one (first: {path}:4)",
        "  1 boxes that leave the frame",
        f"  1 of them by more than 1 % (refused in training) (first: {path}:5)",
        f"  1 boxes without area (refused in training) (first: {path}:9)",
        "  1 blank lines",
        "  1 rows of 1 classes that AVA's 60 evaluated ones do not hold",
        "    12          3          1         1  stand",
        "    16          1          1         1  brush teeth",
    ):
        assert line in facts["everything"].splitlines()


def test_other_files_and_class_lists(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "list.txt").write_text("a\nb\n")
    facts = told(tmp_path / "list.txt", capsys)
    assert facts["keyframes"] == "1,794: 0 with boxes, 1,794 negatives"
    assert facts["persons with a number"] == "none (no column of person ids)"
    assert (facts["odd"], facts["classes"]) == ("nothing", "0 of 80 in the list have rows")
    (tmp_path / "names.txt").write_text("stir\nlook\n")
    (tmp_path / "rows.csv").write_text("v,1,0,0,1,1,1,0\nv,2,0,0,1,1,3,0\n")
    assert main(["describe", str(tmp_path / "rows.csv"), "--classes", str(tmp_path / "names.txt")]) == 2
    assert 'rows.csv:2: unknown action id "3"' in capsys.readouterr().err
    (tmp_path / "rows.csv").write_text("v,1,0,0,1,1,1,3_\n")
    assert main(["describe", str(tmp_path / "rows.csv")]) == 2
    assert 'rows.csv:1: person id "3_" is not a finite number' in capsys.readouterr().err


@pytest.mark.skipif(not REAL.exists(), reason="the real validation file of AVA-Kinetics is not here")
def test_the_real_kinetics_validation_file(capsys: pytest.CaptureFixture[str]) -> None:
    """Its figures stand in docs/ava-kinetics.md; here they are counted again, row by row."""
    facts = told(REAL, capsys)
    times, boxes, per_class = defaultdict(set), defaultdict(set), defaultdict(set)
    n_rows = n_two = 0
    with REAL.open(newline="") as handle:
        for cells in csv.reader(handle):
            video, time = cells[0], float(cells[1])
            times[video].add(time)
            n_two += len(cells) == 2
            n_rows += len(cells) == 7
            if len(cells) == 7:
                boxes[video, time].add(tuple(map(float, cells[2:6])))
                per_class[int(cells[6])].add((video, time))
    keyframes = sum(map(len, times.values()))
    close = sum(b - a < 10 for moments in times.values() for a, b in pairwise(sorted(moments)))
    n_boxes = sum(map(len, boxes.values()))
    whole = sum(time.is_integer() for moments in times.values() for time in moments)
    assert facts["videos"] == f"{len(times):,}" == "31,228"
    assert (
        facts["keyframes"]
        == f"{keyframes:,}: {len(boxes):,} with boxes, {keyframes - len(boxes):,} negatives"
    )
    assert facts["keyframes"] == "31,272: 22,636 with boxes, 8,636 negatives"
    assert facts["videos with several keyframes"] == "44 (at most 2)"
    assert facts["neighbours in time"].startswith(f"{close} pairs")
    assert facts["rows"] == f"73,845: {n_rows:,} with a box, {n_two:,} of two columns"
    assert facts["boxes"].startswith(f"{n_boxes:,}, {n_rows / n_boxes:.2f} labels")
    assert facts["keyframes at whole seconds"] == f"{whole:,}; between them: {keyframes - whole:,}"
    assert facts["seconds"] == "0001 to 7354"
    assert facts["persons with a number"].startswith("none")
    redundant = n_two - (keyframes - len(boxes))
    assert f"{redundant} two-column rows of keyframes that stand there already" in facts["everything"]
    assert (
        facts["boxes a keyframe"]
        == f"{n_boxes / len(boxes):.2f} where there are any, at most 11; one: 17,220"
    )
    assert "  675 rows of 19 classes that AVA's 60" in facts["everything"]
    table = dict(re.findall(r"(?m)^ +(\d+) +[\d,]+ +([\d,]+) ", facts["everything"]))
    assert table == {str(number): f"{len(keys):,}" for number, keys in per_class.items()}

"""VIA 3 projects: rectangles at a time, segments of a whole video, options and free text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from stages.annotations.__main__ import main

PROJECT: dict[str, Any] = {
    "project": {"pid": "__VIA_PROJECT_ID__", "data_format_version": "3.1.1"},
    "attribute": {
        "1": {"aname": "posture", "type": 3, "options": {"0": "sit", "1": "stand"}},
        "2": {"aname": "doing", "type": 2, "options": {"0": "talk", "1": "eat"}},
        "3": {"aname": "person_id", "type": 1, "options": {}},
        "4": {"aname": "note", "type": 1, "options": {}},
    },
    "file": {"1": {"fid": "1", "fname": "lunch.mp4"}, "2": {"fid": "2", "fname": "b.mp4"}},
    "view": {"1": {"fid_list": ["1"]}, "2": {"fid_list": ["1", "2"]}},
    "metadata": {
        "1_a": {
            "vid": "1",
            "flg": 0,
            "z": [2.5],
            "xy": [2, 50, 20, 100, 40],
            "av": {"1": "1", "2": "0,1", "3": "4"},
        },
        "1_b": {"vid": "1", "flg": 0, "z": [4], "xy": [2, 0, 0, 20, 20], "av": {"1": "0"}},
        "1_s": {"vid": "1", "flg": 0, "z": [4, 6.5], "xy": [], "av": {"2": "1"}},
        "1_t": {"vid": "1", "flg": 0, "z": [8, 9], "xy": [], "av": {"2": "1"}},
        "1_c": {"vid": "1", "flg": 0, "z": [4], "xy": [3, 9, 9, 5], "av": {"1": "0"}},
        "2_a": {"vid": "2", "flg": 0, "z": [4], "xy": [2, 0, 0, 20, 20], "av": {"1": "0"}},
        "1_x": {"vid": "1", "flg": 0, "z": [7], "xy": [2, 0, 0, 20, 20], "av": {"4": "excluded"}},
    },
}


def run(folder: Path, project: Any, code: int = 0, *flags: str) -> Path:
    path = folder / "project.json"
    path.write_text(project if isinstance(project, str) else json.dumps(project))
    out = folder / "out"
    assert main(["import", f"val={path}", "--size", "200x100", "--out", str(out), *flags]) == code
    return out


def test_rectangles_take_the_actions_of_segments_around_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = run(tmp_path, PROJECT)
    assert (out / "val.csv").read_text().splitlines() == [
        "lunch,2.5,0.25,0.2,0.75,0.6,3,4",
        "lunch,2.5,0.25,0.2,0.75,0.6,4,4",
        "lunch,2.5,0.25,0.2,0.75,0.6,1,4",
        "lunch,0004,0.0,0.0,0.1,0.2,2",
        "lunch,0004,0.0,0.0,0.1,0.2,1",
        "lunch,0007",
    ]
    assert (out / "val.excluded.csv").read_text() == "lunch,0007\n"
    assert 'name: "eat"\n  id: 1' in (out / "classes.pbtxt").read_text()
    said = capsys.readouterr().out
    for what in (
        "segments without a rectangle in their time: 1",
        "circles (boxes are rectangles at one time): 1",
        "entries of views that are not one video: 1",
        "boxes without an action (ground truth has no row for them): 1",
    ):
        assert what in said


def test_only_the_attributes_asked_for(tmp_path: Path) -> None:
    out = run(tmp_path, PROJECT, 0, "--attributes", "posture")
    assert [
        line.split(",")[6] for line in (out / "val.csv").read_text().splitlines() if line.count(",") > 1
    ] == ["2", "1"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"metadata": {"k": {"vid": "1", "z": ["x"], "xy": []}}}, "metadata k: an entry that cannot be read"),
        ({"metadata": {"k": {"vid": "1", "z": [1], "xy": [2, 1, 1, 5, 5], "av": {"1": "9"}}}}, "metadata k"),
        ({"file": {"1": {"fname": "../a b.mp4"}}}, "file 1: the video name 'a b' does not make an id"),
        ({"view": None}, "it lacks view"),
    ],
)
def test_broken_projects_are_refused(
    tmp_path: Path, change: dict[str, Any], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run(tmp_path, PROJECT | change, 2)
    assert message in capsys.readouterr().err


def test_other_json_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(tmp_path, '{"a": ', 2)
    assert "not readable as json" in capsys.readouterr().err

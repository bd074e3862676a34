"""ACAR-Net's pickles: the worked record, what its sampler makes of the windows, and pickles that ask for code."""

from __future__ import annotations

import os
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stages.annotations.__main__ import main

CSV = "-5KQ66BBWC4,0902,0.077,0.151,0.283,0.811,80,1\n-5KQ66BBWC4,0902,0.077,0.151,0.283,0.811,12,1\n-5KQ66BBWC4,0904\n"


def written(folder: Path, csv: str, *flags: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    (folder / "a.csv").write_text(csv)
    assert (
        main(["export", str(folder / "a.csv"), "--to", "acar", "--out", str(folder / "a.pkl"), *flags]) == 0
    )
    loaded: tuple[list[dict[str, Any]], list[dict[str, Any]]] = pickle.loads((folder / "a.pkl").read_bytes())
    assert isinstance(loaded, tuple)
    return loaded


def sampled(record: dict[str, Any]) -> list[int]:
    """The frames that ACAR-Net's test sampler takes of a record, written down from its description (spec 2.2)."""
    numbers = list(range(record["start_frame"], record["start_frame"] + record["n_frames"]))
    begin = max(0, len(numbers) // 2 - 32)
    taken = numbers[begin : begin + 64]
    while len(taken) < 64:
        taken += numbers[: 64 - len(taken)]
    return taken[::2]


def test_the_worked_record(tmp_path: Path) -> None:
    records, classes = written(tmp_path, CSV)
    assert records[0] == {
        "video": "-5KQ66BBWC4",
        "time": 902,
        "format_str": "image_%06d.jpg",
        "start_frame": 16,
        "n_frames": 91,
        "midframe": 61,
        "frame_rate": 30.0,
        "labels": [{"bounding_box": [0.077, 0.151, 0.283, 0.811], "label": [10, 59], "person_id": 1}],
    }
    assert sampled(records[0]) == list(range(29, 92, 2))
    assert len(classes) == 60
    assert (classes[10]["id"], classes[59]["id"]) == (12, 80)
    assert records[1]["labels"] == []


@pytest.mark.parametrize("second", [900, 901, 902, 903, 950])
def test_the_middle_of_a_window_is_the_keyframe_also_at_the_start(
    tmp_path: Path, second: int, capsys: pytest.CaptureFixture[str]
) -> None:
    (record,), _ = written(tmp_path, f"a,{second:04d}\n")
    numbers = range(record["start_frame"], record["start_frame"] + record["n_frames"])
    assert numbers[0] >= 1
    assert numbers[record["n_frames"] // 2] == record["midframe"] == (second - 900) * 30 + 1
    assert (record["n_frames"] == 91) == (second >= 902)
    assert ("windows that ACAR-Net will shorten" in capsys.readouterr().out) == (second < 902)


def test_a_keyframe_before_the_start_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.csv").write_text("a,0005\n")
    assert main(["export", str(tmp_path / "a.csv"), "--to", "acar", "--out", str(tmp_path / "a.pkl")]) == 2
    assert "before the video's start, 900 s" in capsys.readouterr().err
    assert not (tmp_path / "a.pkl").exists()


def test_detections_have_no_person_and_classes_from_a_score_on(tmp_path: Path) -> None:
    lines = [
        "a,0902,0.1,0.1,0.5,0.5,12,0.9",
        "a,0902,0.1,0.1,0.5,0.5,80,0.2",
        "a,0902,0.2,0.1,0.5,0.5,80,0.2",
    ]
    (record,), _ = written(tmp_path, "\n".join(lines), "--detections", "--min-score", "0.5")
    assert [label["label"] for label in record["labels"]] == [[10], []]
    assert {label["person_id"] for label in record["labels"]} == {-1}


def test_released_forms_are_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """numpy numbers and arrays, ordered dictionaries, detector boxes without labels, no frame rate, `person_idx`."""
    labels = [
        {"bounding_box": np.array([0.1, 0.2, 0.3, 0.4]), "label": [1, 0], "person_idx": 3},
        {"bounding_box": [0.5, 0.2, 0.8, 0.4], "label": [], "person_id": -1},
    ]
    record = OrderedDict(video="v", time=np.float64(902), midframe=61, labels=labels)
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(([record], [{"id": 12, "name": "stand"}, {"id": 80}])))
    assert main(["import", f"test={tmp_path / 'a.pkl'}", "--out", str(tmp_path)]) == 0
    assert (tmp_path / "test.csv").read_text() == "v,0902,0.1,0.2,0.3,0.4,80,3\nv,0902,0.1,0.2,0.3,0.4,12,3\n"
    assert "boxes without an action (ground truth has no row for them): 1" in capsys.readouterr().out


class Bomb:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("exploded",)


@pytest.mark.fault("S")
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (([Bomb()], []), "refused: reading this file as it stands would run code"),
        ([1, 2, 3], "not a pair (records, idx_to_class)"),
        (([{"video": "v"}], []), "record 0: a record that cannot be read (KeyError: 'time')"),
        (([{"video": "../x", "time": 1, "labels": []}], []), "'../x'"),
        (([], [{"name": "x"}]), "class 0: a class without id"),
        (
            (
                [{"video": "v", "time": 1, "labels": [{"bounding_box": [0, 0, 1, 1], "label": [5]}]}],
                [{"id": 1}],
            ),
            "record 0: a record that cannot be read (IndexError: label [5] of 1 classes)",
        ),
    ],
)
def test_bad_pickles_are_refused(
    tmp_path: Path,
    content: Any,
    message: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(content))
    assert main(["import", str(tmp_path / "a.pkl"), "--out", str(tmp_path / "out")]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "exploded").exists()

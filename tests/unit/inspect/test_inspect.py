"""`python -m stages.inspect`: what it prints, what it finds, its exit codes."""

from __future__ import annotations

import json
import struct
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from stages.inspect.__main__ import main
from tests.unit.lib.artifacts.samples import BOXES, ORIGIN, write_sample


def write_weights(path: Path, values: list[float], note: str = "acar") -> Path:
    """A safetensors file with one tensor, written by hand from the format's description."""
    data = np.array(values, "<f4").tobytes()
    header = {
        "__metadata__": {"acarflow": json.dumps({"kind": note})},
        "layer.weight": {"dtype": "F32", "shape": [len(values)], "data_offsets": [0, len(data)]},
    }
    text = json.dumps(header).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return path


def test_show_an_artifact(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", str(write_sample(tmp_path / "a.h5"))]) == 0
    said = capsys.readouterr().out
    for expected in (
        "detect version 1",
        '{"threads": 2}',
        "d" * 64,
        "3 x 4 (N,4)",
        "detection score in [0, 1]",
        "'-a', 'b'",
    ):
        assert expected in said
    assert "0.9, 0.25, 0.5" in said
    assert max(len(line) for line in said.splitlines() if str(tmp_path) not in line) <= 120


def test_show_weights_and_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "m.json").write_text(json.dumps({"mAP": 0.25, "list": list(range(500))}))
    assert (
        main(["show", str(write_weights(tmp_path / "w.safetensors", [1.5, -2.0])), str(tmp_path / "m.json")])
        == 0
    )
    said = capsys.readouterr().out
    for expected in (
        '"kind": "acar"',
        "layer.weight",
        "1.5, -2",
        "2 in 1 tensors",
        '"mAP": 0.25',
        "460 more",
    ):
        assert expected in said


def test_check_says_ok_or_why_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = write_sample(tmp_path / "a.h5"), write_sample(tmp_path / "b.h5")
    weights = write_weights(tmp_path / "w.safetensors", [1.0])
    assert main(["check", str(good), str(weights)]) == 0
    assert capsys.readouterr().out.count("ok ") == 2
    with h5py.File(bad, "r+") as file:
        file["scores"][1] = 0.5
    weights.write_bytes(weights.read_bytes()[:-1])
    assert main(["check", str(bad), str(good), str(weights)]) == 2
    out, err = capsys.readouterr()
    assert "b.h5: dataset scores differs" in err
    assert "lies outside the file" in err
    assert out.count("ok ") == 1


def test_check_finds_contents_that_make_no_sense(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    faults = {
        "row_splits does not run": replace(BOXES, row_splits=np.array([0, 0, 2, 9])),
        "outside [0, 1]": replace(BOXES, boxes=BOXES.boxes + 1),
    }
    for message, boxes in faults.items():
        assert main(["check", str(write_sample(tmp_path / "a.h5", boxes=boxes))]) == 2
        assert message in capsys.readouterr().err


@pytest.mark.parametrize("name", ["none.h5", "text.txt", "half.json"])
def test_files_that_are_not_ours(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    (tmp_path / "text.txt").write_text("hello")
    (tmp_path / "half.json").write_text('{"a": ')
    for action in ("show", "check"):
        assert main([action, str(tmp_path / name)]) == 2
        assert "ERROR" in capsys.readouterr().err


def test_diff_names_what_differs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, same = write_sample(tmp_path / "a.h5"), write_sample(tmp_path / "b.h5")
    assert main(["diff", str(first), str(same)]) == 0
    assert "no difference" in capsys.readouterr().out
    changed = replace(BOXES, scores=BOXES.scores - np.float32(0.125) * np.array([0, 1, 0], np.float32))
    other = write_sample(tmp_path / "c.h5", replace(ORIGIN, config='{"threads":1}'), changed)
    assert main(["diff", str(first), str(other)]) == 1
    said = capsys.readouterr().out
    assert "config.threads: 2 against 1" in said
    assert "array scores: 1 of 3 values differ, by at most 0.125, first in row 1" in said
    assert "array boxes" not in said


def test_diff_of_weights(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = write_weights(tmp_path / "a.safetensors", [1.0, 2.0])
    second = write_weights(tmp_path / "b.safetensors", [1.0, 2.5], "linear")
    assert main(["diff", str(first), str(second)]) == 1
    said = capsys.readouterr().out
    assert "array layer.weight: values differ" in said
    assert 'metadata.acarflow.kind: "acar" against "linear"' in said

"""The error analysis from files to page: errors.json of a run, tables of plain csv files, contact sheets of cached frames."""

from __future__ import annotations

import base64
import csv
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from stages.evaluate.__main__ import main as evaluate_main
from stages.lib.artifacts.frames import FrameReader
from stages.lib.artifacts.reader import open_artifact
from stages.lib.artifacts.schemas import DECODE
from stages.report.__main__ import main as report_main
from tests.integration.commands import evaluate_config, named, report_config
from tests.integration.small_run import draw_world, write_decode, write_index, write_predict

WORLDS = {
    "movies": [draw_world(1, [("m0", "val"), ("m1", "test")])],
    "clips": [draw_world(3, [("c0", "val"), ("c0", "val"), ("c1", "val")], 6)],
}
Files = Mapping[str, Sequence[Path]]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Files]:
    """A folder with the results of evaluate, and the files of decode; video c1 is broken."""
    folder = tmp_path_factory.mktemp("run")
    index = {name: [write_index(folder / name, w) for w in worlds] for name, worlds in WORLDS.items()}
    predict = {
        name: [write_predict(folder / name, w, 1.0) for w in worlds] for name, worlds in WORLDS.items()
    }
    decode = {
        name: [write_decode(folder / name, w, ["c1"]) for w in worlds] for name, worlds in WORLDS.items()
    }
    words = ["--config", str(evaluate_config(folder)), "--index", *named(index)]
    words += ["--predictions", *named(predict), "--splits", "val", "test", "--name", "ACAR"]
    out = ["--boxsets", "detected", "truth", "--out-dir", str(folder / "evaluate")]
    assert evaluate_main([*words, *out]) == 0
    assert not (folder / "evaluate/errors.json").exists(), "one model is shown, not all"
    for name in ("evaluate", "again"):
        assert evaluate_main(["errors", *words, "--out", str(folder / name / "errors.json")]) == 0
    return folder, decode


def test_errors_of_a_run(run: tuple[Path, Files]) -> None:
    folder, _ = run
    assert (folder / "evaluate/errors.json").read_bytes() == (folder / "again/errors.json").read_bytes()
    errors = json.loads((folder / "evaluate/errors.json").read_text())
    metrics = json.loads((folder / "evaluate/metrics.json").read_text())["results"]
    assert (errors["name"], errors["views"], set(errors["splits"])) == ("ACAR", "all", {"val", "test"})
    for split, tables in errors["splits"].items():
        plain = metrics[split]["detected"]["all"]["union"]
        assert tables["mAP"] == plain["mAP@0.5IOU"]
        assert [row["ap"] for row in tables["classes"]] == [row["ap"] for row in plain["per_class"]]
        what_if = {row["what"]: row["mAP"] for row in tables["what_if"]}
        assert what_if["ground-truth boxes"] == metrics[split]["truth"]["all"]["union"]["mAP@0.5IOU"]
        assert what_if["perfect classification of found boxes"] > tables["mAP"]
        for row in [*tables["classes"], tables["all"]]:
            assert (
                sum(row["shares"]) == pytest.approx(1.0) if sum(row["counts"]) else row["shares"][0] is None
            )


def test_plain_files(tmp_path: Path) -> None:
    """A sitting reader is said to stand, somebody is not found, and somebody is seen where the truth has nobody."""
    reader, other, nobody = "0.1,0.1,0.4,0.9", "0.6,0.1,0.9,0.9", "0.42,0.1,0.5,0.9"
    names = {12: "stand", 11: "sit", 54: "read"}
    labels = "".join(f'item {{\n  name: "{name}"\n  id: {c}\n}}\n' for c, name in names.items())
    truth = "".join(
        f"v,{s},{reader},11,1\nv,{s},{reader},54,1\nv,{s},{other},12,2\n" for s in range(902, 906)
    )
    found = "".join(
        f"v,{s},{reader},12,0.9{s - 902}\nv,{s},{reader},54,0.8\nv,{s},{nobody},54,0.9{s - 902}\n"
        for s in range(902, 906)
    )
    for name, text in (("gt.csv", truth), ("det.csv", found), ("l.pbtxt", labels)):
        (tmp_path / name).write_text(text)
    words = [f"--groundtruth={tmp_path / 'gt.csv'}", f"--detections={tmp_path / 'det.csv'}"]
    words += [
        f"--labelmap={tmp_path / 'l.pbtxt'}",
        f"--out={tmp_path / 'm.json'}",
        f"--errors={tmp_path / 'e'}",
    ]
    assert evaluate_main(words) == 0
    with (tmp_path / "e" / "causes.csv").open() as handle:
        rows = {row["class"]: row for row in csv.DictReader(handle)}
    assert {name: (row["dialect"], row["id"]) for name, row in rows.items()} == {
        **{name: ("official", str(c)) for c, name in names.items()},
        "all": ("official", ""),
    }
    with (tmp_path / "e" / "what_if.csv").open() as handle:
        assert {row["dialect"] for row in csv.DictReader(handle)} == {"official"}
    assert (rows["stand"]["errors: wrong class"], rows["stand"]["errors: missed person"]) == ("4", "4")
    assert (rows["read"]["errors: missing truth"], rows["sit"]["errors: missed class"]) == ("4", "4")
    assert float(rows["all"]["share: wrong class"]) == pytest.approx(4 / 20)
    confusion = (tmp_path / "e" / "confusion.csv").read_text().splitlines()
    assert confusion == ["said,truth,entries", "stand,sit,2.0", "stand,read,2.0"]
    missing = (tmp_path / "e" / "missing_truth.csv").read_text().splitlines()
    assert missing[1] == "v,902000,905000,4,0.915,read,0.42 0.1 0.5 0.9"
    assert (tmp_path / "e" / "doubles.csv").read_text() == ""
    example = json.loads((tmp_path / "e" / "errors.json").read_text())["examples"]["wrong class"][0]
    assert (example["gt"], example["ms"]) == (["sit", "read"], 905000)
    assert example["said"] == [["stand", 0.93, False]], "read is below the operating point here"


def section(folder: Path, out: Path, decode: Files, *flags: str, **keys: object) -> str:
    """The part of the page about errors."""
    words = ["--config", str(report_config(out, **keys)), "--out-dir", str(out)]
    words += ["--errors", str(folder / "evaluate/errors.json"), *flags]
    words += ["--decode", *named(decode)] if decode else []
    assert report_main(words) == 0
    return (out / "report.html").read_text().split("<h2>Understanding the errors</h2>")[1].split("<h2>")[0]


def test_pictures_are_those_of_the_keyframes_named(run: tuple[Path, Files], tmp_path: Path) -> None:
    folder, decode = run
    html = section(folder, tmp_path, decode, errors=2)
    stored: dict[tuple[str, int], bytes] = {}
    for paths in decode.values():
        for path in paths:
            with open_artifact(path, DECODE) as artifact:
                reader = FrameReader(artifact)
                stored |= {key: reader.key(k) for k, key in enumerate(reader.keyframes.keys())}
    shown = re.findall(
        r'base64,([^"]+)".*?<div>(.*?)</div><figcaption>(\S+) at (\S+) s</figcaption>', html, re.DOTALL
    )
    examples = all_examples(folder)
    assert 8 <= len(shown) <= 16
    for data, caption, video, seconds in shown:
        key = (video, round(1000 * float(seconds)))
        assert base64.b64decode(data) == stored[key] != b""
        assert caption.startswith("[GT] ") and " · Prediction " in caption
        assert any((one["video"], one["ms"]) == key for one in examples)
    assert not any(video == "c1" for _, _, video, _ in shown), "a broken video has no picture"
    assert any(one["video"] == "c1" for one in examples), "it had to be passed over"


def all_examples(folder: Path) -> list[Mapping[str, Any]]:
    tables = json.loads((folder / "evaluate/errors.json").read_text())["splits"]["val"]
    return [one for found in tables["examples"].values() for one in found]


def test_without_pictures(run: tuple[Path, Files], tmp_path: Path) -> None:
    folder, decode = run
    for files, count in ((decode, 0), ({}, 3)):
        html = section(folder, tmp_path, files, errors=count)
        assert "base64" not in html
        assert "No picture of an error" in html
        assert "<h3>What if</h3>" in html
    assert "split test" in section(folder, tmp_path, {}, "--split", "test")


def test_another_file_is_refused(
    run: tuple[Path, Files], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = ["--config", str(report_config(tmp_path)), "--out-dir", str(tmp_path)]
    assert report_main([*words, "--errors", str(run[0] / "evaluate/metrics.json")]) == 2
    assert "metrics.json: not an errors.json of a run" in capfd.readouterr().err
    assert report_main([*words, "--errors", str(run[0] / "evaluate/errors.json"), "--split", "train"]) == 2
    assert "errors.json: holds no split 'train', only test, val" in capfd.readouterr().err

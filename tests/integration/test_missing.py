"""Missing keyframes from coverage to the number: what evaluate counts, prints and keeps in both ways."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from stages.evaluate.__main__ import main
from stages.index.__main__ import main as index_main
from stages.lib.config.versions import VERSIONS
from tests.integration.commands import evaluate_config
from tests.integration.small_run import (
    CLASSES,
    World,
    draw_world,
    write_decode,
    write_index,
    write_predict,
)

WORLD = draw_world(4, [("a0", "val"), ("b1", "val"), ("c2", "val"), ("t", "train")])
LABELS = "".join(
    f'item {{\n  name: "{name}"\n  id: {number}\n}}\n'
    for number, name in zip(CLASSES.ids, CLASSES.names, strict=True)
)
UNLISTED = "w,3.017,0.1,0.1,0.5,0.9,12,0\nw,3.017,0.1,0.1,0.5,0.9,79,0\nw,4.017,0.2,0.1,0.5,0.9,61,0\n"


def rows_of(world: World, videos: Sequence[str], *, excluded: bool = False) -> list[str]:
    """Ground truth in the official form, without excluded keyframes unless these are asked for."""
    index, rows = world.index, []
    for k, (video, ms) in enumerate(index.keyframes.keys()):
        if video not in videos or (index.roles[k] & 8 and not excluded):
            continue
        rows.append(f"{video},{ms / 1000:.3f}")
        for box in range(index.truth_splits[k], index.truth_splits[k + 1]):
            place = ",".join(f"{value:.9f}" for value in index.truth_boxes[box])
            for column in index.truth_labels[box].nonzero()[0]:
                rows.append(
                    f"{video},{ms / 1000:.3f},{place},{CLASSES.ids[column]},{index.truth_person[box]}"
                )
    return rows


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of which video b1 is broken, beside the same one whole, and coverage with and without an unlisted video."""
    folder = tmp_path_factory.mktemp("run")
    index = write_index(folder, WORLD)
    write_predict(folder, WORLD, 1.0)
    config = {"version": VERSIONS["index"], "format": "ava-kinetics", "keyframes_every": 1.0}
    (folder / "index.json").write_text(json.dumps(config))
    (folder / "map.pbtxt").write_text(LABELS)
    (folder / "more.csv").write_text(UNLISTED)
    more = ["--labelmap", str(folder / "map.pbtxt"), "--annotations", f"val={folder / 'more.csv'}"]
    for name, broken, flags in (("broken", ["b1"], []), ("whole", [], []), ("unlisted", ["b1"], more)):
        decode = write_decode(folder / name, WORLD, broken)
        words = ["coverage", "--config", str(folder / "index.json"), "--index", str(index)]
        out = ["--out-dir", str(folder / name), *flags]
        assert index_main([*words, "--decode", str(decode), *out]) == 0
    return folder


def files(run: Path, lost: str) -> list[str]:
    words = ["--index", f"d={run / 'index' / WORLD.path_name}"]
    words += ["--predictions", f"d={run / 'predict-1.0-0' / WORLD.path_name}"]
    return [*words, *(["--lost", f"d={run / lost / 'lost.h5'}"] if lost else [])]


def evaluated(run: Path, out: Path, lost: str, **keys: object) -> dict[str, Any]:
    """The tables of the union and of the data set."""
    words = ["--config", str(evaluate_config(out, **keys)), *files(run, lost), "--out-dir", str(out)]
    assert main(words) == 0
    found = json.loads((out / "metrics.json").read_text())
    tables: dict[str, Any] = found["results"]["val"]["detected"]["all"]
    return tables


def plain(run: Path, out: Path, truth: Sequence[str], *flags: str) -> dict[str, Any]:
    """The same detections, from the submission, against a csv of ground truth."""
    (out / "gt.csv").write_text("\n".join(truth) + "\n")
    (out / "l.pbtxt").write_text(LABELS)
    words = ["--groundtruth", str(out / "gt.csv"), "--detections", str(out / "submission-val.csv")]
    assert main([*words, "--labelmap", str(out / "l.pbtxt"), "--out", str(out / "plain.json"), *flags]) == 0
    table: dict[str, Any] = json.loads((out / "plain.json").read_text())
    return table


def without(path: Path, video: str) -> None:
    """Take a video out of a csv."""
    kept = [line for line in path.read_text().splitlines() if not line.startswith(f"{video},")]
    path.write_text("\n".join(kept) + "\n")


@pytest.mark.parametrize("dialect", ["official", "2020", "pyslowfast", "strict"])
@pytest.mark.parametrize("missing", ["count-as-miss", "ignore"])
def test_both_numbers_are_those_of_the_csv_files(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], dialect: str, missing: str
) -> None:
    """By hand: the truth with and without the lost video; b1 has answers here as a csv member's may, which count."""
    tables = evaluated(run, tmp_path, "unlisted", dialect=dialect, missing=missing, decimals=9)
    said = capsys.readouterr().err.splitlines()[-1]
    truth = [*rows_of(WORLD, ["a0", "b1", "c2"]), *UNLISTED.splitlines()]
    counted = plain(run, tmp_path, truth, "--dialect", dialect)
    without(tmp_path / "submission-val.csv", "b1")
    ignored = plain(run, tmp_path, rows_of(WORLD, ["a0", "c2"]), "--dialect", dialect)
    by_hand = {"count-as-miss": counted, "ignore": ignored}
    for table in tables.values():
        assert table["mAP@0.5IOU"] == pytest.approx(by_hand[missing]["mAP@0.5IOU"], abs=1e-7)
        both = table["missing"]
        assert both["counted"] == missing
        assert both["mAP"] == {
            way: pytest.approx(one["mAP@0.5IOU"], abs=1e-7) for way, one in by_hand.items()
        }
        assert both["keyframes"] == counted["counts"]["keyframes"] - ignored["counts"]["keyframes"] > 2
        assert both["labels"] == counted["counts"]["truths"] - ignored["counts"]["truths"] > 3
        told = [row["ap"] for row in by_hand[missing]["per_class"]]
        assert [row["ap"] for row in table["per_class"]] == pytest.approx(told, abs=1e-7)
    numbers = [f"{way} {one['mAP@0.5IOU']:.4f}" for way, one in by_hand.items()]
    assert f"mAP of val {numbers[0]} / {numbers[1]} ({both['keyframes']} keyframes missing)" in said


def test_the_plain_command_takes_the_list_of_lost_keyframes(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tables = evaluated(run, tmp_path, "broken", decimals=9)
    truth = rows_of(WORLD, ["a0", "b1", "c2"])
    lost = ["--lost", str(run / "broken" / "lost.csv")]
    for missing in ("count-as-miss", "ignore"):
        capsys.readouterr()
        table = plain(run, tmp_path, truth, *lost, "--missing", missing)
        ways = tables["union"]["missing"]["mAP"]
        assert table["missing"]["mAP"] == {way: pytest.approx(value, abs=1e-7) for way, value in ways.items()}
        assert table["mAP@0.5IOU"] == pytest.approx(ways[missing], abs=1e-7)
        assert (
            f"count-as-miss {ways['count-as-miss']:.4f} / ignore {ways['ignore']:.4f}"
            in capsys.readouterr().err
        )
    assert "missing" not in plain(run, tmp_path, truth)
    words = [
        "--groundtruth",
        "g",
        "--detections",
        "d",
        "--labelmap",
        "l",
        "--out",
        "o",
        "--missing",
        "perhaps",
    ]
    assert main(words) == 2
    assert "missing" in capsys.readouterr().err


def test_where_nothing_is_missing_both_numbers_are_one(run: Path, tmp_path: Path) -> None:
    """The same as without any knowledge of losses, whichever way is configured."""
    (plainly, one, other) = (
        evaluated(run, tmp_path / name, lost, missing=missing)["union"]
        for name, lost, missing in (
            ("a", "", "ignore"),
            ("b", "whole", "ignore"),
            ("c", "whole", "count-as-miss"),
        )
    )
    assert one.pop("missing") | {"counted": ""} == other.pop("missing") | {"counted": ""}
    assert plainly == one == other


def test_errors_are_those_of_what_counts(run: Path, tmp_path: Path) -> None:
    """Under ignore nobody is missed on a lost keyframe, and the mAP is that of evaluate."""
    found = {}
    for missing in ("count-as-miss", "ignore"):
        tables = evaluated(run, tmp_path, "unlisted", missing=missing)
        config = ["--config", str(evaluate_config(tmp_path, missing=missing))]
        out = ["--out", str(tmp_path / "errors.json")]
        assert main(["errors", *config, *files(run, "unlisted"), *out]) == 0
        errors = json.loads((tmp_path / "errors.json").read_text())["splits"]["val"]
        assert errors["mAP"] == tables["union"]["mAP@0.5IOU"]
        found[missing] = {one["video"] for case in errors["examples"].values() for one in case}
    assert "w" in found["count-as-miss"] and not {"b1", "w"} & found["ignore"]


def test_a_split_of_which_everything_is_missing(run: Path, tmp_path: Path) -> None:
    """Counted as misses it has AP 0; ignored there is nothing to evaluate, which is noted."""
    decode = write_decode(tmp_path, WORLD, ["a0", "b1", "c2"])
    words = ["coverage", "--config", str(run / "index.json"), "--decode", str(decode)]
    index = ["--index", str(run / "index" / WORLD.path_name), "--out-dir", str(tmp_path / "all")]
    assert index_main([*words, *index]) == 0
    given = [*files(run, ""), "--lost", f"d={tmp_path / 'all' / 'lost.h5'}", "--out-dir", str(tmp_path)]
    assert main(["--config", str(evaluate_config(tmp_path, missing="ignore")), *given]) == 0
    found = json.loads((tmp_path / "metrics.json").read_text())
    assert found["results"] == {} and found["skipped"] == ["val/detected/all: no keyframe with ground truth"]
    assert main(["--config", str(evaluate_config(tmp_path)), *given]) == 0
    table = json.loads((tmp_path / "metrics.json").read_text())["results"]["val"]["detected"]["all"]["union"]
    assert table["missing"]["mAP"]["ignore"] is None


def test_losses_of_another_data_set_are_refused(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--config", str(evaluate_config(tmp_path)), *files(run, ""), "--out-dir", str(tmp_path)]
    assert main([*words, "--lost", f"e={run / 'whole' / 'lost.h5'}"]) == 2
    assert "d, e has only an index or only --lost" in capsys.readouterr().err

"""`python -m stages.evaluate` in its three forms on small artifacts and files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stages.evaluate.__main__ import main
from stages.lib.annotations.ava_csv import read_detections
from stages.lib.artifacts.predictions import BoxSet, Predictions
from stages.lib.artifacts.provenance import Provenance
from stages.lib.artifacts.schemas import PREDICT
from stages.lib.artifacts.tables import ROLE_EXCLUDED, ROLE_TRAIN
from stages.lib.artifacts.writer import write_artifact
from tests.integration.commands import evaluate_config, named
from tests.integration.small_run import (
    CLASSES,
    World,
    draw_world,
    kinds_csv,
    write_detect,
    write_index,
    write_predict,
)

Files = Mapping[str, Sequence[Path]]

WORLDS = {
    "movies": [draw_world(1, [("m0", "val"), ("m1", "test")]), draw_world(2, [("-m2", "val")])],
    "clips": [draw_world(3, [("c0", "val"), ("c0", "val"), ("__c1", "test")], 6)],
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Files, Files]:
    folder = tmp_path_factory.mktemp("run")
    index = {name: [write_index(folder / name, w) for w in worlds] for name, worlds in WORLDS.items()}
    predict = {
        name: [write_predict(folder / name, w, 1.0) for w in worlds] for name, worlds in WORLDS.items()
    }
    return folder, index, predict


def evaluate(run: tuple[Path, Files, Files], out: Path, *flags: str) -> int:
    folder, index, predict = run
    config = evaluate_config(folder)
    words = ["--config", str(config), "--index", *named(index), "--predictions", *named(predict)]
    return main([*words, "--kinds", str(kinds_csv(folder / "kinds.csv")), "--out-dir", str(out), *flags])


def write_perfect(path: Path, world: World) -> Path:
    """Predictions that are the truth itself."""
    truth = world.index.truth()
    logits = (20.0 * world.index.truth_labels - 10.0).astype(np.float32)
    with write_artifact(path, PREDICT, Provenance("predict", 1, "{}")) as writer:
        Predictions(world.index.keyframes, CLASSES, {"detected": BoxSet(truth, {"s128": logits})}).write(
            writer
        )
    return path


def test_every_combination_is_in_one_file(run: tuple[Path, Files, Files], tmp_path: Path) -> None:
    flags = [
        "--views",
        "s128",
        "all",
        "all:prob",
        "--boxsets",
        "detected",
        "truth",
        "--splits",
        "val",
        "test",
    ]
    assert evaluate(run, tmp_path, *flags, "--name", "ACAR") == 0
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["metric"] == "mAP@0.5IOU"
    assert metrics["name"] == "ACAR"
    assert metrics["views"] == {
        "s128": ["s128"],
        "all": ["s128", "s128-flip", "s144"],
        "all:prob": ["s128", "s128-flip", "s144"],
    }
    for split in ("val", "test"):
        for boxset in ("detected", "truth"):
            for views in ("s128", "all", "all:prob"):
                tables = metrics["results"][split][boxset][views]
                assert sorted(tables) == ["clips", "movies", "union"]
                assert 0.3 < tables["union"]["mAP@0.5IOU"] < 1
                assert sorted(tables["union"]["by_kind"]) == ["a", "b", "c", "d"]
                counts = [tables[name]["counts"]["keyframes"] for name in ("movies", "clips", "union")]
                assert counts[0] + counts[1] == counts[2]
    found = metrics["results"]["val"]
    assert found["detected"]["all"]["union"] != found["detected"]["all:prob"]["union"]
    lines = (tmp_path / "per_class.csv").read_text().splitlines()
    assert len(lines) == 1 + 2 * 2 * 3 * 3 * len(CLASSES.ids)
    assert {line.split(",")[0] for line in lines} == {"dialect", "official"}


def test_the_truth_as_prediction_is_perfect(tmp_path: Path) -> None:
    world = draw_world(9, [("v", "val")], 20)
    index, predict = write_index(tmp_path, world), write_perfect(tmp_path / "p.h5", world)
    words = [
        "--config",
        str(evaluate_config(tmp_path, cap=0)),
        "--index",
        f"x={index}",
        "--predictions",
        f"x={predict}",
    ]
    assert main([*words, "--out-dir", str(tmp_path)]) == 0
    table = json.loads((tmp_path / "metrics.json").read_text())["results"]["val"]["detected"]["all"]["union"]
    sigmoid = [row for row in table["per_class"] if row["id"] > 14]
    assert [row["ap"] for row in sigmoid] == pytest.approx([1.0] * len(sigmoid))


def test_excluded_keyframes_are_on_neither_side(run: tuple[Path, Files, Files], tmp_path: Path) -> None:
    assert evaluate(run, tmp_path) == 0
    table = json.loads((tmp_path / "metrics.json").read_text())["results"]["val"]["detected"]["all"]["union"]
    kept, labels = 0, 0
    for worlds in WORLDS.values():
        for world in worlds:
            for k, video in enumerate(world.index.keyframes.video):
                if world.index.split[video] == "val" and not world.index.roles[k] & ROLE_EXCLUDED:
                    kept += 1
                    labels += int(world.index.truth_labels[world.index.truth().of(k)].sum())
    assert table["counts"]["keyframes"] == kept
    assert table["counts"]["truths"] == labels
    detections, _ = read_detections(tmp_path / "submission-val.csv")
    excluded = {
        (world.index.keyframes.keys()[k])
        for worlds in WORLDS.values()
        for world in worlds
        for k in np.flatnonzero(world.index.roles & ROLE_EXCLUDED)
    }
    keys = {
        (detections.videos[v], int(t)) for v, t in zip(detections.video, detections.timestamp_ms, strict=True)
    }
    assert keys
    assert not keys & excluded


def test_the_order_of_files_does_not_matter_and_two_runs_are_equal(
    run: tuple[Path, Files, Files], tmp_path: Path
) -> None:
    folder, index, predict = run
    turned = (folder, {n: p[::-1] for n, p in index.items()}, {n: p[::-1] for n, p in predict.items()})
    assert evaluate(run, tmp_path / "a") == 0
    assert evaluate(turned, tmp_path / "b") == 0
    for name in ("metrics.json", "per_class.csv", "submission-val.csv"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def unlisted(world: World) -> World:
    """The world whose annotations do not list every fourth keyframe: nobody is labelled there, and it is not trained on."""
    index = world.index
    roles, labels = index.roles.copy(), index.truth_labels.copy()
    roles[::4] &= ~np.uint8(ROLE_TRAIN)
    for k in range(0, len(roles), 4):
        labels[index.truth().of(k)] = 0
    return replace(world, index=replace(index, roles=roles, truth_labels=labels))


def written_truth(folder: Path, worlds: Sequence[World]) -> list[Path | str]:
    """Flags of the plain command with the truth of split val as official csv files: listed keyframes, excluded ones apart."""
    lines, excluded = [], []
    for index in (world.index for world in worlds):
        for k, (video, ms) in enumerate(index.keyframes.keys()):
            place = f"{video},{ms / 1000:.6f}"
            if index.split[index.keyframes.video[k]] != "val":
                continue
            if index.roles[k] & ROLE_EXCLUDED:
                excluded.append(place)
            elif index.roles[k] & ROLE_TRAIN:
                lines.append(place)
                for row in range(*index.truth().of(k).indices(len(index.truth_boxes))):
                    box = ",".join(f"{side:.6f}" for side in index.truth_boxes[row])
                    for a in np.flatnonzero(index.truth_labels[row]):
                        lines.append(f"{place},{box},{CLASSES.ids[a]},{row}")
    names = zip(CLASSES.ids, CLASSES.names, strict=True)
    items = [f'item {{\n  name: "{name}"\n  id: {number}\n}}\n' for number, name in names]
    (folder / "gt.csv").write_text("\n".join(lines) + "\n")
    (folder / "ex.csv").write_text("\n".join(excluded) + "\n")
    (folder / "l.pbtxt").write_text("".join(items))
    return [
        *("--groundtruth", folder / "gt.csv"),
        *("--exclusions", folder / "ex.csv"),
        *("--labelmap", folder / "l.pbtxt"),
    ]


@pytest.mark.parametrize("dialect", ["official", "2020"])
@pytest.mark.parametrize("dataset", ["movies", "clips"])
def test_the_submission_scores_the_same_on_csv_files(tmp_path: Path, dataset: str, dialect: str) -> None:
    """The csv of one data set, scored by the plain form, gives the number of the pipeline form.

    A second of a film that the annotations do not list is evaluated; whether what is detected there is false is the
    dialect's choice.
    """
    worlds = [unlisted(world) for world in WORLDS[dataset]]
    index = {dataset: [write_index(tmp_path, world) for world in worlds]}
    predict = {dataset: [write_predict(tmp_path, world, 1.0) for world in WORLDS[dataset]]}
    words = ["--config", str(evaluate_config(tmp_path, dialect=dialect)), "--index", *named(index)]
    assert main([*words, "--predictions", *named(predict), "--out-dir", str(tmp_path)]) == 0
    table = json.loads((tmp_path / "metrics.json").read_text())["results"]["val"]["detected"]["all"][dataset]
    flags = [*written_truth(tmp_path, worlds), "--detections", tmp_path / "submission-val.csv"]
    flags += ["--dialect", dialect, "--out", tmp_path / "plain.json"]
    assert main([str(word) for word in flags]) == 0
    plain = json.loads((tmp_path / "plain.json").read_text())
    assert plain["mAP@0.5IOU"] == pytest.approx(table["mAP@0.5IOU"], abs=1e-5)
    assert plain["dialect"] == dialect
    lines = (tmp_path / "submission-val.csv").read_text().splitlines()
    assert plain["read"]["detections"]["rows"] == len(lines)
    ignored = table["counts"]["unlisted_keyframe"]
    assert plain["counts"]["unlisted_keyframe"] == ignored and (ignored > 0) == (dialect == "official")
    excluded = len((tmp_path / "ex.csv").read_text().splitlines())
    (note,) = [note for note in table["notes"] if "on neither side" in note]
    assert note.startswith(f"{excluded} excluded keyframes")
    assert ("knows no exclusions file" in note) == (dialect == "official")


def test_the_submission_has_the_exact_times_of_the_annotations(
    run: tuple[Path, Files, Files], tmp_path: Path
) -> None:
    """Artifacts keep milliseconds; official evaluators tell 1.017 and 1.016949 s apart."""
    clips = WORLDS["clips"][0].index
    keys = clips.keyframes.keys()
    lines = [f"{video},{ms / 1000 - 51e-6:.6f}\n" for video, ms in keys]
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "clips.csv").write_text("".join(lines))
    files = ["--annotations", str(tmp_path / "empty.csv"), str(tmp_path / "clips.csv")]
    assert evaluate(run, tmp_path / "plain") == evaluate(run, tmp_path / "exact", *files) == 0
    plain, exact = (
        [line.split(",") for line in (tmp_path / name / "submission-val.csv").read_text().splitlines()]
        for name in ("plain", "exact")
    )
    assert {row[1][-4:] for row in plain} == {"7000"}
    assert [(row[0], *row[2:]) for row in plain] == [(row[0], *row[2:]) for row in exact]
    for row, other in zip(plain, exact, strict=True):
        moved = 51e-6 if row[0] in clips.keyframes.video_ids else 0.0
        assert float(other[1]) == pytest.approx(float(row[1]) - moved, abs=1e-9)
    assert {row[1] for row in exact} & {line[:-1].split(",")[1] for line in lines}


def test_persons(run: tuple[Path, Files, Files], tmp_path: Path) -> None:
    folder, index, _ = run
    boxes = {name: [write_detect(folder / name, w) for w in worlds] for name, worlds in WORLDS.items()}
    words = [
        "persons",
        "--config",
        str(evaluate_config(folder)),
        "--index",
        *named(index),
        "--detections",
        *named(boxes),
        "--compare",
        *(f"movies={word}" for word in named({"clips": boxes["clips"]})),
    ]
    assert main([*words, "--splits", "val", "test", "--out", str(tmp_path / "p.json")]) == 0
    results = json.loads((tmp_path / "p.json").read_text())["results"]
    for split in ("val", "test"):
        for name in ("movies", "clips"):
            table = results[split][name]
            assert 0.5 < table["AP"] <= 1
            assert len(table["curve"]["recall"]) == len(table["curve"]["precision"]) <= 200
            assert table["curve"]["recall"] == sorted(table["curve"]["recall"])
            assert [row["score"] for row in table["at"]] == [0.5, 0.7, 0.8, 0.85, 0.9]
        names = {"dataset": "clips", "detector": "movies"}
        assert results[split]["movies on clips"] == results[split]["clips"] | names


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--views", "s999"], "has no view s999"),
        (["--views", "all:mean"], "cannot read the views"),
    ],
)
def test_unknown_views(
    run: tuple[Path, Files, Files],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    change: list[str],
    message: str,
) -> None:
    assert evaluate(run, tmp_path, *change) == 2
    assert message in capfd.readouterr().err
    assert not (tmp_path / "metrics.json").exists()


def test_missing_shards_data_sets_and_damaged_files(
    run: tuple[Path, Files, Files], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder, index, predict = run
    assert evaluate((folder, index, {**predict, "movies": predict["movies"][:1]}), tmp_path) == 2
    assert "have no prediction" in capfd.readouterr().err
    assert evaluate((folder, index, {"movies": predict["movies"]}), tmp_path) == 2
    assert "clips has only an index" in capfd.readouterr().err
    assert evaluate((folder, index, {**predict, "clips": index["clips"]}), tmp_path) == 2
    assert "holds schema index" in capfd.readouterr().err
    twice = {**predict, "clips": [*predict["clips"], *predict["clips"]]}
    assert evaluate((folder, index, twice), tmp_path) == 2
    assert "more than one shard" in capfd.readouterr().err


def test_a_split_without_truth_is_noted_and_still_submitted(tmp_path: Path) -> None:
    world = draw_world(4, [("v", "test")], 6)
    world.index.truth_labels[:] = 0
    index, predict = write_index(tmp_path, world), write_predict(tmp_path, world, 1.0)
    words = [
        "--config",
        str(evaluate_config(tmp_path)),
        "--index",
        f"x={index}",
        "--predictions",
        f"x={predict}",
    ]
    assert main([*words, "--splits", "val", "test", "--out-dir", str(tmp_path / "out")]) == 0
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert metrics["results"] == {}
    assert len(metrics["skipped"]) == 2
    assert (tmp_path / "out" / "submission-test.csv").read_text().startswith("v,")
    assert (tmp_path / "out" / "submission-val.csv").read_text() == "", "there is no keyframe of that split"


def test_a_submission_repeats_the_official_timestamps(tmp_path: Path) -> None:
    """AVA-Kinetics counts microseconds, artifacts milliseconds; AVA's test split is a list of videos."""
    world = draw_world(4, [("v", "test")], 6)
    world.index.truth_labels[:] = 0
    index, predict = write_index(tmp_path, world), write_predict(tmp_path, world, 1.0)
    spelled = {ms: f"{ms / 1000 + 0.000049:.6f}" for ms in world.index.keyframes.timestamp_ms.tolist()}
    (tmp_path / "test.csv").write_text("".join(f"v,{seconds}\n" for seconds in spelled.values()))
    (tmp_path / "none.csv").touch()
    (tmp_path / "movies.txt").write_text("w\n")
    files = [str(tmp_path / name) for name in ("test.csv", "none.csv", "movies.txt")]
    words = ["--config", str(evaluate_config(tmp_path)), "--index", f"x={index}"]
    words += ["--predictions", f"x={predict}", "--splits", "test", "--out-dir", str(tmp_path / "out")]
    assert main([*words, "--annotations", *files]) == 0
    rows = [line.split(",") for line in (tmp_path / "out/submission-test.csv").read_text().splitlines()]
    assert rows and {len(row) for row in rows} == {8}
    assert {row[1] for row in rows} <= set(spelled.values())
    detections, _ = read_detections(tmp_path / "out/submission-test.csv")
    assert set(detections.timestamp_ms.tolist()) <= set(spelled)


def test_folds_of_val_are_measured_apart(run: tuple[Path, Files, Files], tmp_path: Path) -> None:
    assert evaluate(run, tmp_path, "--splits", "val", "val-a", "val-b") == 0
    results = json.loads((tmp_path / "metrics.json").read_text())["results"]
    counts = {
        split: tables["detected"]["all"]["union"]["counts"]["keyframes"] for split, tables in results.items()
    }
    assert counts["val"] == counts.get("val-a", 0) + counts.get("val-b", 0)


def test_kinds_must_cover_the_classes(
    run: tuple[Path, Files, Files], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "k.csv").write_text("id,name,kind\n11,sit,a\n")
    assert evaluate(run, tmp_path, "--kinds", str(tmp_path / "k.csv")) == 2
    assert "no kind for class 12" in capfd.readouterr().err
    (tmp_path / "k.csv").write_text("id,name\n11,sit\n")
    assert evaluate(run, tmp_path, "--kinds", str(tmp_path / "k.csv")) == 2
    assert "k.csv:2" in capfd.readouterr().err


def test_help_and_no_flags(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    assert "persons" in capsys.readouterr().out
    assert main([]) == 2

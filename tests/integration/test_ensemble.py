"""`python -m stages.ensemble` on small artifacts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from stages.ensemble.__main__ import main
from stages.evaluate.__main__ import main as evaluate_main
from stages.lib.artifacts.loading import load_predictions
from stages.lib.artifacts.predictions import Fused, Predictions
from stages.lib.artifacts.provenance import Provenance
from stages.lib.artifacts.reader import open_artifact
from stages.lib.artifacts.schemas import ENSEMBLE, PREDICT
from stages.lib.artifacts.writer import write_artifact
from tests.integration.commands import ensemble_config, evaluate_config, named
from tests.integration.small_run import CLASSES, draw_world, write_index, write_predict

WORLDS = {
    "movies": [draw_world(1, [("m0", "val"), ("m1", "test")], 20), draw_world(2, [("m2", "val")], 20)],
    "clips": [draw_world(3, [("c0", "val"), ("c0", "val"), ("c1", "test")], 12)],
}
SKILL = {"linear:0": (0.2, 0), "acar:0": (1.0, 0), "acar:1": (1.0, 1)}


@pytest.fixture(scope="module")
def files(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[dict[str, list[Path]], dict[str, dict[str, list[Path]]]]:
    folder = tmp_path_factory.mktemp("run")
    index = {name: [write_index(folder / name, w) for w in worlds] for name, worlds in WORLDS.items()}
    members = {
        member: {
            name: [write_predict(folder / name, w, *skill) for w in worlds] for name, worlds in WORLDS.items()
        }
        for member, skill in SKILL.items()
    }
    return index, members


Run = tuple[Mapping[str, Sequence[Path]], Mapping[str, Mapping[str, Sequence[Path]]]]


def ensemble(run: Run, out: Path, *members: str, **keys: object) -> int:
    index, predictions = run
    given = [f"{member}={item}" for member, by_set in predictions.items() for item in named(by_set)]
    config = ensemble_config(out, members or tuple(SKILL), **keys)
    words = [
        "--config",
        str(config),
        "--index",
        *named(index),
        "--predictions",
        *given,
        "--out-dir",
        str(out),
    ]
    return main(words)


def test_better_members_weigh_more_and_the_ensemble_beats_them(files: Run, tmp_path: Path) -> None:
    assert ensemble(files, tmp_path) == 0
    weights = json.loads((tmp_path / "weights.json").read_text())
    assert weights["members"] == ["linear:0", "acar:0", "acar:1"]
    assert np.allclose(np.sum(weights["weights"], axis=0), 1)
    ap, values = np.array(weights["ap"]), np.array(weights["weights"])
    assert np.allclose(values, ap / ap.sum(axis=0)), "rule ap with power one"
    assert weights["mean_ap"] == pytest.approx(ap.mean(axis=1))
    fused = {name: [tmp_path / f"{name}.h5"] for name in WORLDS}
    words = [
        "--config",
        str(evaluate_config(tmp_path)),
        "--index",
        *named(files[0]),
        "--scores",
        *named(fused),
    ]
    assert evaluate_main([*words, "--boxsets", "detected", "truth", "--out-dir", str(tmp_path)]) == 0
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["members"] == weights["members"]
    table = metrics["results"]["val"]["detected"]["all"]["union"]
    assert table["mAP@0.5IOU"] > max(weights["mean_ap"])


def test_the_fused_scores_are_the_weighted_sum(files: Run, tmp_path: Path) -> None:
    assert ensemble(files, tmp_path) == 0
    with open_artifact(tmp_path / "movies.h5", ENSEMBLE) as artifact:
        artifact.verify()
        fused = Fused.read(artifact)
    expected = np.zeros((len(fused.boxsets["truth"].boxes), len(CLASSES.ids)))
    for weight, member in zip(fused.weights, fused.members, strict=True):
        table, _ = load_predictions(files[1][member]["movies"], "x")
        boxset = table.boxsets["truth"]
        expected += weight * boxset.probabilities(tuple(boxset.values), CLASSES.groups(), "logit")
    assert np.allclose(fused.boxsets["truth"].values["fused"], expected, atol=1e-6)
    assert fused.keyframes.video_ids == ("m0", "m1", "m2")


def test_an_ensemble_of_one_is_its_member(files: Run, tmp_path: Path) -> None:
    run = (files[0], {"acar:0": files[1]["acar:0"]})
    assert ensemble(run, tmp_path, "acar") == 0
    with open_artifact(tmp_path / "clips.h5") as artifact:
        fused = Fused.read(artifact).boxsets["detected"].values["fused"]
    table, _ = load_predictions(files[1]["acar:0"]["clips"], "x")
    boxset = table.boxsets["detected"]
    alone = boxset.probabilities(tuple(boxset.values), CLASSES.groups(), "logit")
    assert np.allclose(fused, alone, atol=1e-6)


def test_the_order_of_files_does_not_matter_and_two_runs_are_equal(files: Run, tmp_path: Path) -> None:
    index, members = files
    turned = (
        {n: p[::-1] for n, p in index.items()},
        {m: {n: p[::-1] for n, p in s.items()} for m, s in members.items()},
    )
    assert ensemble(files, tmp_path / "a") == 0
    assert ensemble(turned, tmp_path / "b") == 0
    for name in ("movies.h5", "clips.h5", "weights.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


@pytest.mark.parametrize("rule", ["ap", "greedy", "least-squares"])
def test_weights_are_measured_on_the_half_they_were_not_fitted_on(
    files: Run, tmp_path: Path, rule: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert ensemble(files, tmp_path, weights=rule) == 0
    weights = json.loads((tmp_path / "weights.json").read_text())
    assert np.allclose(np.sum(weights["weights"], axis=0), 1)
    held = weights["held_out"]
    assert sorted(held["videos"]) == [1, 2], "every other video of each data set"
    assert held["optimism"] == pytest.approx(np.mean(held["in_sample"]) - np.mean(held["held_out"]))
    assert np.mean(held["held_out"]) > np.mean(held["best_member"])
    assert np.argmin(weights["worth"]) == 0, "the weakest member is worth least"
    assert "optimism in points" in capfd.readouterr().err


def test_the_measured_ensemble_is_what_evaluate_says(files: Run, tmp_path: Path) -> None:
    assert ensemble(files, tmp_path, leave_one_out=False) == 0
    weights = json.loads((tmp_path / "weights.json").read_text())
    assert weights["worth"] == []
    fused = {name: [tmp_path / f"{name}.h5"] for name in WORLDS}
    words = ["--config", str(evaluate_config(tmp_path)), "--index", *named(files[0]), "--scores"]
    assert evaluate_main([*words, *named(fused), "--out-dir", str(tmp_path)]) == 0
    table = json.loads((tmp_path / "metrics.json").read_text())["results"]["val"]["detected"]["all"]
    assert weights["ensemble_mean_ap"] == pytest.approx(table["union"]["mAP@0.5IOU"], abs=1e-12)


def test_scores_that_are_no_numbers_are_refused(
    files: Run, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    index, members = files
    with open_artifact(members["acar:0"]["clips"][0], PREDICT) as artifact:
        table = Predictions.read(artifact)
    view = next(iter(table.boxsets["detected"].values))
    table.boxsets["detected"].values[view][0, 0] = np.nan
    broken = tmp_path / "broken.h5"
    with write_artifact(broken, PREDICT, Provenance("predict", 1, "{}", {})) as writer:
        table.write(writer)
    spoilt = {**members, "acar:0": {**members["acar:0"], "clips": [broken]}}
    assert ensemble((index, spoilt), tmp_path) == 2
    assert "acar:0 on clips: 1 of" in capfd.readouterr().err


def test_without_truth_all_members_count_the_same(files: Run, tmp_path: Path) -> None:
    assert ensemble(files, tmp_path, fit_split="train") == 0
    weights = json.loads((tmp_path / "weights.json").read_text())
    assert np.allclose(weights["weights"], 1 / 3)
    assert weights["fit_datasets"] == []
    assert "weighted evenly" in weights["notes"][0]


def test_members_that_do_not_fit_are_refused(
    files: Run, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    index, members = files
    assert ensemble((index, {"acar:0": members["acar:0"]}), tmp_path) == 2
    assert "no predictions of member linear:0, acar:1" in capfd.readouterr().err
    lacking = {**members, "acar:1": {"movies": members["acar:1"]["movies"]}}
    assert ensemble((index, lacking), tmp_path) == 2
    assert "do not both have predictions on clips" in capfd.readouterr().err
    short = {**members, "acar:1": {**members["acar:1"], "movies": members["acar:1"]["movies"][:1]}}
    assert ensemble((index, short), tmp_path) == 2
    said = capfd.readouterr().err
    assert "member acar:1 differs" in said and "its keyframes are others" in said and "all shards" in said
    assert not list(tmp_path.glob("*.h5"))

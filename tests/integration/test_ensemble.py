"""`python -m stages.ensemble` on small artifacts."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from stages.ensemble.__main__ import main
from stages.evaluate.__main__ import main as evaluate_main
from stages.lib.artifacts.lineage import input_of
from stages.lib.artifacts.loading import load_predictions
from stages.lib.artifacts.predictions import Fused, Predictions
from stages.lib.artifacts.provenance import Provenance
from stages.lib.artifacts.reader import open_artifact
from stages.lib.artifacts.schemas import ENSEMBLE, PREDICT
from stages.lib.artifacts.writer import write_artifact
from stages.lib.files import file_sha
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
    given_weights = keys.pop("given_weights", None)
    if given_weights:
        keys["weights_from"] = "given"
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
    return main(words + (["--given-weights", str(given_weights)] if given_weights else []))


def evaluated(run: Run, folder: Path) -> list[str]:
    """Words of the commands of evaluate on an ensemble's files, without where the result goes."""
    fused = {name: [folder / f"{name}.h5"] for name in WORLDS}
    config = str(evaluate_config(folder))
    return ["--config", config, "--index", *named(run[0]), "--scores", *named(fused)]


def test_better_members_weigh_more_and_the_ensemble_beats_them(files: Run, tmp_path: Path) -> None:
    assert ensemble(files, tmp_path) == 0
    weights = json.loads((tmp_path / "weights.json").read_text())
    assert weights["members"] == ["linear:0", "acar:0", "acar:1"]
    assert np.allclose(np.sum(weights["weights"], axis=0), 1)
    ap, values = np.array(weights["ap"]), np.array(weights["weights"])
    assert np.allclose(values, ap / ap.sum(axis=0)), "rule ap with power one"
    assert weights["mean_ap"] == pytest.approx(ap.mean(axis=1))
    words = evaluated(files, tmp_path)
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


@pytest.mark.parametrize("fused", [False, True], ids=["same boxes", "fused boxes"])
def test_the_measured_ensemble_is_what_evaluate_says(files: Run, tmp_path: Path, fused: bool) -> None:
    if fused:
        file = as_csv(tmp_path / "their.csv", files, "acar:1", shift=0.01)
        assert with_csv(files, tmp_path, file, "linear", "acar", leave_one_out=False) == 0
        with open_artifact(tmp_path / "movies.h5", ENSEMBLE) as artifact:
            boxes = Fused.read(artifact).boxsets["detected"].boxes.boxes
        heads, _ = load_predictions(files[1]["acar:0"]["movies"], "x")
        assert not np.isin(boxes, heads.boxsets["detected"].boxes.boxes).all()
    else:
        assert ensemble(files, tmp_path, leave_one_out=False) == 0
    weights = json.loads((tmp_path / "weights.json").read_text())
    assert weights["worth"] == []
    assert evaluate_main([*evaluated(files, tmp_path), "--out-dir", str(tmp_path)]) == 0
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
    assert f"acar:0 on clips: {broken}: 1 of" in capfd.readouterr().err


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


def as_csv(path: Path, run: Run, member: str, *, shift: float = 0.0, more: Sequence[str] = ()) -> Path:
    """A member's detected boxes and probabilities of all data sets as somebody else's csv file."""
    lines = list(more)
    for files in run[1][member].values():
        table, _ = load_predictions(files, "x")
        boxset = table.boxsets["detected"]
        scores = boxset.probabilities(tuple(boxset.values), CLASSES.groups(), "logit")
        for k, (video, ms) in enumerate(table.keyframes.keys()):
            for row in range(*boxset.boxes.of(k).indices(len(scores))):
                box = ",".join(f"{side + shift:.6f}" for side in boxset.boxes.boxes[row].tolist())
                lines += [
                    f"{video},{ms / 1000:.6f},{box},{number},{score:.9f}"
                    for number, score in zip(CLASSES.ids, scores[row].tolist(), strict=True)
                ]
    path.write_text("\n".join(lines[::-1]) + "\n")
    return path


def with_csv(run: Run, out: Path, file: Path, *members: str, **keys: object) -> int:
    """The command with the member `theirs` from a file, beside heads."""
    config = ensemble_config(out, members, csv={"theirs": ""}, **keys)
    words = [
        "--config",
        str(config),
        "--index",
        *named(run[0]),
        "--csv",
        f"theirs={file}",
        "--out-dir",
        str(out),
    ]
    for member in members:
        words += ["--predictions", *(f"{member}={item}" for item in named(run[1][f"{member}:0"]))]
    return main(words)


def test_a_csv_of_a_head_counts_as_the_head(files: Run, tmp_path: Path) -> None:
    """The same boxes and scores in a file, rows turned around: six decimals of a box make the only difference."""
    file = as_csv(tmp_path / "their.csv", files, "acar:1")
    assert with_csv(files, tmp_path / "csv", file, "linear", "acar") == 0
    assert ensemble(files, tmp_path / "heads") == 0
    found, expected = (
        json.loads((tmp_path / name / "weights.json").read_text()) for name in ("csv", "heads")
    )
    assert found["members"] == ["linear:0", "acar:0", "theirs"]
    np.testing.assert_allclose(found["ap"], expected["ap"], atol=1e-9)
    np.testing.assert_allclose(found["weights"], expected["weights"], atol=1e-9)
    assert found["ensemble_mean_ap"] == pytest.approx(expected["ensemble_mean_ap"], abs=1e-6)
    with open_artifact(tmp_path / "csv" / "movies.h5", ENSEMBLE) as artifact:
        theirs = Fused.read(artifact)
        assert str(tmp_path) not in json.dumps(dict(artifact.provenance.inputs)) + artifact.provenance.config
    with open_artifact(tmp_path / "heads" / "movies.h5", ENSEMBLE) as artifact:
        ours = Fused.read(artifact)
    for name in ("detected", "truth"):
        assert len(theirs.boxsets[name].boxes) == len(ours.boxsets[name].boxes)
    heads = theirs.weights[:2] / theirs.weights[:2].sum(axis=0)
    expected_truth = np.zeros_like(ours.boxsets["truth"].values["fused"], dtype=float)
    for weight, member in zip(heads, ("linear:0", "acar:0"), strict=True):
        boxset = load_predictions(files[1][member]["movies"], "x")[0].boxsets["truth"]
        expected_truth += weight * boxset.probabilities(tuple(boxset.values), CLASSES.groups(), "logit")
    np.testing.assert_allclose(theirs.boxsets["truth"].values["fused"], expected_truth, atol=1e-6)


def test_csv_files_alone_make_an_ensemble(files: Run, tmp_path: Path) -> None:
    extra = ["m0,1.017,0.1,0.1,0.3,0.3,80,0.5", "m0,0777,0.1,0.1,0.3,0.3,12,0.5"]
    file = as_csv(tmp_path / "their.csv", files, "acar:0", more=extra)
    repeated = file.read_text().split("\n")[0].rsplit(",", 1)[0]
    file.write_text(file.read_text() + f"{repeated},0\n{repeated},1e-9\n")
    assert with_csv(files, tmp_path, file) == 0
    weights = json.loads((tmp_path / "weights.json").read_text())
    assert ensemble(({**files[0]}, {"acar:0": files[1]["acar:0"]}), tmp_path / "head", "acar") == 0
    head = json.loads((tmp_path / "head" / "weights.json").read_text())
    assert weights["mean_ap"] == pytest.approx(head["mean_ap"], abs=1e-9)
    assert any(note.startswith("theirs: 1 of") and "outside the list" in note for note in weights["notes"])
    assert any(note.startswith("theirs: 1 of") and "without predictions" in note for note in weights["notes"])
    assert any(
        note.startswith("theirs: 2 of") and "repeat box and class" in note for note in weights["notes"]
    )
    words = [*evaluated(files, tmp_path), "--name", "csv"]
    assert evaluate_main([*words, "--boxsets", "detected", "truth", "--out-dir", str(tmp_path)]) == 0
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert list(metrics["results"]["val"]) == ["detected"]
    assert metrics["skipped"] == ["val/truth/all: no answers on the boxes of the truth of movies, clips"]
    assert evaluate_main(["errors", *words, "--out", str(tmp_path / "errors.json")]) == 0
    tables = json.loads((tmp_path / "errors.json").read_text())["splits"]["val"]
    assert "ground-truth boxes" not in [row["what"] for row in tables["what_if"]]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (
            "nobody,1.017,0.1,0.1,0.3,0.3,12,0.5",
            "their.csv:2: video 'nobody' is in none of the data sets",
        ),
        ("m0,1.017,0.1,0.1,0.3,0.3,12,1.5", "their.csv:2: "),
        ("m0,1.017,0.1,0.1,0.3,0.3,12,nan", "their.csv:2: "),
        ("m0,1.017,0.1,0.1,0.3,12,0.5", "their.csv:2: "),
    ],
)
def test_csv_members_that_are_broken_are_refused_with_their_line(
    files: Run, tmp_path: Path, capfd: pytest.CaptureFixture[str], row: str, said: str
) -> None:
    file = tmp_path / "their.csv"
    file.write_bytes(f"\ufeffm0,1.017,0.1,0.1,0.3,0.3,12,0.5\r\n{row}\r\n".encode())
    assert with_csv(files, tmp_path / "out", file, "acar") == 2
    message = capfd.readouterr().err
    assert said in message and "Traceback" not in message
    assert not list((tmp_path / "out").glob("*.h5"))


def changed(path: Path, source: Path, change: Callable[[Predictions], Predictions]) -> Path:
    """A predict artifact with something changed."""
    with open_artifact(source, PREDICT) as artifact:
        table = change(Predictions.read(artifact))
    with write_artifact(path, PREDICT, Provenance("predict", 1, "{}", {})) as writer:
        table.write(writer)
    return path


def another_map(table: Predictions) -> Predictions:
    return replace(table, classes=replace(table.classes, ids=(*table.classes.ids[:-1], 80)))


def one_view_less(table: Predictions) -> Predictions:
    boxsets = {}
    for name, boxset in table.boxsets.items():
        boxsets[name] = replace(boxset, values=dict(list(boxset.values.items())[1:]))
    return replace(table, boxsets=boxsets)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (another_map, "another class map than the index"),
        (one_view_less, "its views are others (detected: s128-flip s144; truth: s128-flip s144, not"),
    ],
)
def test_a_member_with_another_class_map_or_without_a_view_is_refused(
    files: Run,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    change: Callable[[Predictions], Predictions],
    said: str,
) -> None:
    index, members = files
    file = changed(tmp_path / "other.h5", members["acar:0"]["clips"][0], change)
    assert ensemble((index, {**members, "acar:0": {**members["acar:0"], "clips": [file]}}), tmp_path) == 2
    message = capfd.readouterr().err
    assert said in message and "acar:0" in message and "clips" in message and str(file) in message


def test_boxes_in_another_order_are_aligned(files: Run, tmp_path: Path) -> None:
    """A member that lists the boxes of each keyframe from behind gives the ensemble that it would give otherwise."""

    def turned(table: Predictions) -> Predictions:
        part = table.boxsets["detected"]
        splits = part.boxes.row_splits
        order = np.concatenate([np.arange(a, b)[::-1] for a, b in pairwise(splits)])
        boxes = replace(part.boxes, boxes=part.boxes.boxes[order], scores=part.boxes.scores[order])
        values = {view: logits[order] for view, logits in part.values.items()}
        return replace(
            table, boxsets={**table.boxsets, "detected": replace(part, boxes=boxes, values=values)}
        )

    index, members = files
    file = changed(tmp_path / "turned.h5", members["acar:0"]["clips"][0], turned)
    assert (
        ensemble((index, {**members, "acar:0": {**members["acar:0"], "clips": [file]}}), tmp_path / "a") == 0
    )
    assert ensemble(files, tmp_path / "b") == 0
    one, other = (json.loads((tmp_path / name / "weights.json").read_text()) for name in "ab")
    np.testing.assert_allclose(one["ap"], other["ap"], atol=1e-12)
    assert one["ensemble_mean_ap"] == pytest.approx(other["ensemble_mean_ap"], abs=1e-6)


def test_weights_of_an_earlier_run_are_taken_by_name(files: Run, tmp_path: Path) -> None:
    """The final submission: members in another order, nothing fitted again, the same scores, and the file's digest."""
    assert ensemble(files, tmp_path / "first") == 0
    earlier = tmp_path / "first" / "weights.json"
    order = ("acar:1", "linear:0", "acar:0")
    assert ensemble(files, tmp_path / "final", *order, given_weights=earlier) == 0
    before, after = (json.loads((tmp_path / run / "weights.json").read_text()) for run in ("first", "final"))
    assert after["members"] == list(order) and after["rule"] == "given" and after["held_out"] is None
    assert [before["weights"][before["members"].index(name)] for name in order] == after["weights"]
    assert after["ensemble_mean_ap"] == pytest.approx(before["ensemble_mean_ap"], abs=1e-6)
    first, _ = load_predictions([tmp_path / "first" / "movies.h5"], "first")
    final, _ = load_predictions([tmp_path / "final" / "movies.h5"], "final")
    for name, boxset in first.boxsets.items():
        assert np.allclose(boxset.values["fused"], final.boxsets[name].values["fused"], atol=1e-6)
    with open_artifact(tmp_path / "final" / "movies.h5", ENSEMBLE) as artifact:
        assert input_of(artifact, "given weights") == file_sha(earlier)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"members": ["linear:0", "acar:0", "acar:7"]}, "differing: acar:1, acar:7"),
        ({"classes": [{"id": 1, "name": "other"}]}, "1 classes, which are not the"),
        ({"weights": [[0.5], [0.5], [0.5]]}, "are no shares"),
        ({"uniform": "no"}, "are no shares"),
        ({"members": 3}, "no weights of an ensemble can be read"),
    ],
)
def test_weights_of_another_ensemble_are_refused(
    files: Run, tmp_path: Path, change: dict[str, object], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ensemble(files, tmp_path / "first") == 0
    earlier = tmp_path / "first" / "weights.json"
    earlier.write_text(json.dumps(json.loads(earlier.read_text()) | change))
    assert ensemble(files, tmp_path / "final", given_weights=earlier) == 2
    told = capsys.readouterr()
    assert said in told.out + told.err and str(earlier) in told.out + told.err

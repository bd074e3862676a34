"""The ensembles of the relation study on a small run of drawn predictions, against sums done by hand."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from stages.lib.artifacts.loading import load_index, load_predictions
from stages.lib.artifacts.scored import detections_table, evaluated_rows, matching_rows, truth_table
from stages.lib.config.root import Config
from stages.lib.metrics.ava import Result, frame_map
from stages.lib.metrics.bootstrap import paired_bootstrap
from stages.lib.metrics.tables import concat_detections, concat_truths
from tests.integration.small_run import CLASSES, World, draw_world, kinds_csv, write_index, write_predict
from tests.studies.relation_results import Study
from tests.studies.relation_study import CONFIGS, ensembles_table, load_files, read_study
from tests.studies.seed_ensembles import seed_ensembles

WORLDS = {
    "playground-movies": draw_world(1, [("m0", "val"), ("m1", "test"), ("m2", "val"), ("m3", "test")], 12),
    "playground-clips": draw_world(3, [("c0", "val"), ("c1", "test"), ("c2", "test")], 8),
}
SKILLS = {"linear": 0.3, "acar": 0.8, "linear-afb": 0.4, "acar-afb": 0.6, "acar-acfb": 0.7, "acar-w0": 0.5}
RESAMPLES = 20


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Config, Path]:
    """A finished run of the study's configuration: every head and data set, two seeds, on a small world."""
    config, folder = load_files(CONFIGS), tmp_path_factory.mktemp("study")
    heads = {key: head.model_copy(update={"seeds": (0, 1)}) for key, head in config.heads.items()}
    config = config.model_copy(update={"heads": heads})
    root = folder / "results" / config.run
    for dataset, world in WORLDS.items():
        moved(write_index(root / "index" / dataset, world), root / "index" / dataset)
        annotations = root / "synthesize" / dataset / "annotations"
        annotations.mkdir(parents=True)
        kinds_csv(annotations / "action_kinds.csv")
        write_people(annotations / "people.csv", world)
        for number, (head, chosen) in enumerate(config.heads.items()):
            skill = SKILLS[head.removesuffix(f"-{chosen.backbone}")]
            for seed in chosen.seeds:
                made = write_predict(folder / "made", world, skill, 10 * number + seed)
                moved(made, root / "predict" / head / f"seed{seed}" / dataset)
    return config, folder


def moved(path: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    path.rename(folder / path.name)


def write_people(path: Path, world: World) -> None:
    """The hidden record of a drawn world: cuts far and near, every other person walks."""
    index, truth = world.index, world.index.truth()
    names = ("video", "timestamp", "split", "kind", "phase", "matched_class", "moved")
    columns = (*names, "seconds_since_cut", "seconds_to_cut", "x1", "y1", "x2", "y2")
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        for k, (video, ms) in enumerate(index.keyframes.keys()):
            split = index.split[index.keyframes.video[k]]
            for n, box in enumerate(truth.boxes[truth.of(k)]):
                event = ("d", "live", 15) if k % 3 == 0 else ("a", "", "")
                writer.writerow([video, ms / 1000, split, *event, n % 2, 2 if k % 2 else 9, 30, *box])


def by_hand(config: Config, folder: Path, seed: int) -> tuple[Result, Result]:
    """The ensemble of a seed on test, and there its member that is best on val."""
    root, heads = folder / "results" / config.run, config.ensembles["all"].members
    poses, ids = CLASSES.groups(), CLASSES.ids
    indexes = {name: load_index(sorted((root / "index" / name).glob("*.h5")), name)[0] for name in WORLDS}

    def measured(split: str, heads_weights: dict[str, np.ndarray]) -> Result:
        truths, found = [], []
        for name, index in indexes.items():
            rows = evaluated_rows(index, split)
            truths.append(truth_table(index, rows))
            total = 0.0
            for head, weight in heads_weights.items():
                paths = sorted((root / "predict" / head / f"seed{seed}" / name).glob("*.h5"))
                table = load_predictions(paths, name)[0]
                place = matching_rows(index, rows, table.keyframes, name)
                boxset = table.boxset("detected", name).take(place)
                total = total + weight * boxset.probabilities(tuple(boxset.values), poses, "logit")
            found.append(detections_table(table.keyframes.take(place), boxset, total, ids))
        return frame_map(concat_truths(truths), concat_detections(found), ids)

    alone = {head: measured("val", {head: np.ones(len(ids))}) for head in heads}
    ap = np.array([alone[head].ap for head in heads])
    weights = ap / ap.sum(axis=0)
    best = max(heads, key=lambda head: alone[head].mean_ap)
    fused = measured("test", dict(zip(heads, weights, strict=True)))
    return fused, measured("test", {best: np.ones(len(ids))})


def test_each_seed_has_the_ensemble_of_its_own_heads(finished: tuple[Config, Path], tmp_path: Path) -> None:
    config, folder = finished
    ensembles = seed_ensembles(config, folder / "results" / config.run, tmp_path)
    assert [one.seed for one in ensembles] == [0, 1]
    assert all(len(one.runs) == 10 for one in ensembles)
    study = Study(config, folder, RESAMPLES, {one.name: one.folder for one in ensembles})
    gaps = []
    for one in ensembles:
        fused, best = by_hand(config, folder, one.seed)
        name, single = one.name, one.runs[one.best]
        assert study.result(name, views="all").mean_ap == pytest.approx(fused.mean_ap, abs=1e-6)
        assert study.result(single, views="all").mean_ap == pytest.approx(best.mean_ap, abs=1e-12)
        figure = study.figure(None, [name], [single], views="all")
        paired = paired_bootstrap(fused, best, RESAMPLES, seed=0)
        assert (figure.low, figure.high) == pytest.approx((paired.low, paired.high), abs=1e-6)
        gaps.append(figure.mean)
    lines = list(ensembles_table(study, ensembles))
    assert len(lines) == 2 + 2 + 1
    for line, gap in zip(lines[2:], [*gaps, float(np.mean(gaps))], strict=True):
        assert f"| {100 * gap:.1f} (" in line


def test_the_page_of_a_finished_run_has_everything(finished: tuple[Config, Path]) -> None:
    config, folder = finished
    before = sorted(folder.rglob("*"))
    text = read_study(config, folder, resamples=5)
    assert text.count(" (val ") == 2 and "mean over 2 head seeds" in text and "nan" not in text
    assert sorted(folder.rglob("*")) == before, "the run is only read"

"""What runs again when something changes, and that nothing else does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from stages.lib.config.load import load_config
from stages.lib.config.made import belongs, made
from tests.workflow.flow import Flow, job_counts, read_config, with_stubs

AFTER_PREDICT = {"predict", "ensemble", "evaluate", "errors", "report"}
SHOWN = {"attention"}  # the relations of head acar
AFTER_TRAIN = {"train"} | AFTER_PREDICT
AFTER_EXTRACT = {"extract", "bank"} | AFTER_TRAIN | SHOWN


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Flow:
    """The playground, finished."""
    flow = with_stubs(tmp_path_factory.mktemp("rerun") / "run", "playground")
    flow.snakemake()
    return flow


@pytest.mark.fault("F16")
def test_a_second_run_does_nothing(done: Flow) -> None:
    before = len(done.jobs())
    assert "Nothing to be done" in done.snakemake()
    assert len(done.jobs()) == before


# change of the configuration -> rules that run (besides `config`, which rewrites the settings that changed)
MATRIX: list[tuple[dict[str, Any], set[str]]] = [
    ({"heads": {"linear": {"recipe": {"lr": 0.004}}}}, AFTER_TRAIN),
    ({"heads": {"acar": {"recipe": {"lr": 0.004}}}}, {"bank"} | AFTER_TRAIN | SHOWN),
    ({"heads": {"linear": {"splits": ["train", "val"]}}}, AFTER_TRAIN),
    ({"heads": {"linear": {"min_score": 0.4}}}, AFTER_PREDICT),
    ({"backbones": {"small": {"pretrain": {"epochs": 7}}}}, {"pretrain"} | AFTER_EXTRACT),
    ({"extract": {"batch": 3}}, AFTER_EXTRACT),
    ({"banks": {"acfb": {"min_score": 0.6}}}, {"bank"} | AFTER_TRAIN),
    (
        {"detectors": {"clips": {"train": {"lr": 0.01}}}},
        {"train_detector", "detect", "persons", "bank"} | AFTER_TRAIN | SHOWN,
    ),
    ({"ensembles": {"all": {"power": 2.0}}}, {"ensemble", "evaluate", "errors", "report"}),
    ({"evaluate": {"iou": 0.6}}, {"ensemble", "evaluate", "errors", "persons", "report"} | SHOWN),
    ({"evaluate": {"bootstrap": 9, "seed": 3}}, {"evaluate", "errors", "persons", "report"} | SHOWN),
    ({"report": {"keyframes": 5}}, {"report"}),
    ({"report": {"relations": 5}}, {"report"} | SHOWN),
]


@pytest.mark.fault("F16")
@pytest.mark.parametrize(("change", "rules"), MATRIX, ids=[str(change) for change, _ in MATRIX])
def test_a_changed_key_runs_its_stage_and_its_heirs(
    done: Flow, change: dict[str, Any], rules: set[str]
) -> None:
    assert set(done.counts(config=change)) - {"config"} == rules


def test_one_head_runs_alone(done: Flow) -> None:
    counts = done.counts(config={"heads": {"linear": {"recipe": {"lr": 0.004}}}})
    shards = 1 + max(
        int(path.name[:3]) for path in (done.folder / "results/playground/index/playground-movies").iterdir()
    )
    shards += len(list((done.folder / "results/playground/index/playground-clips").iterdir()))
    assert counts["train"] == 1 and counts["predict"] == shards
    assert counts["evaluate"] == 2, "the head and the ensemble with it"


@pytest.mark.fault("F16")
@pytest.mark.parametrize(
    "change", [{}, {"heads": {"linear": {"recipe": {"lr": 5.0e-3}}}}], ids=["none", "same value"]
)
def test_the_same_values_run_nothing(done: Flow, change: dict[str, Any]) -> None:
    assert done.counts(config=change) == {}


def test_a_new_head_runs_nothing_of_the_others(done: Flow) -> None:
    new = {"kind": "linear", "backbone": "small", "min_score": 0.5}
    counts = done.counts(config={"heads": {"another": new}})
    shards = counts["predict"]
    assert {rule: counts[rule] for rule in counts if rule != "config"} == {
        "train": 1,
        "predict": shards,
        "evaluate": 1,
        "report": 1,
    }


def test_the_report_knows_what_belongs_to_the_run(done: Flow) -> None:
    """All that a run leaves, and nothing of it once its heads, shards and detectors are others."""
    config = read_config("playground")
    names = made(load_config(config))
    for root in ("results", "benchmarks"):
        files = [path for path in (done.folder / root / "playground").rglob("*") if path.is_file()]
        parts = [path.relative_to(done.folder / root / "playground").parts for path in files]
        assert parts
        for stage, *rest in parts:
            assert not rest or belongs(names, stage, (*rest[:-1], rest[-1].split(".")[0])), (stage, rest)
    config["heads"] = {"other": {"kind": "linear", "backbone": "small"}}
    del config["ensembles"], config["banks"]
    other = made(load_config(config))
    assert not belongs(other, "train", ("linear", "seed0")) and not belongs(other, "ensemble", ("all",))


def test_one_stage_alone(done: Flow) -> None:
    counts = done.counts("-R", "extract", "--until", "extract")
    assert set(counts) == {"extract"}


@pytest.mark.fault("F27")
def test_the_number_of_shards_mixes_nothing(done: Flow) -> None:
    """The movies are cut anew, the clips stay; whoever read shards of two reads shards of three, and of no other."""
    change = done.overlay({"datasets": {"playground-movies": {"shards": 3}}})
    text = done.snakemake("--dry-run", "--configfile", str(done.config), str(change))
    assert job_counts(text)["decode"] == 3
    shards = re.findall(r"playground-movies/(\d{3}-of-\d{3})", text)
    assert set(shards) == {"000-of-003", "001-of-003", "002-of-003"}
    assert list(done.folder.glob("results/*/decode/playground-movies/*-of-002.h5")), "there are old ones"


def test_a_lost_result_is_made_again(done: Flow) -> None:
    page = done.folder / "results/playground/report/report.html"
    text = page.read_text()
    page.unlink()
    try:
        assert done.counts() == {"report": 1}
    finally:
        page.write_text(text)


@pytest.mark.fault("F21")
def test_changed_settings_are_refused_when_the_records_are_gone(tmp_path: Path) -> None:
    """A copied tree: Snakemake alone would take the results of other settings for results of these."""
    flow = with_stubs(tmp_path, "playground")
    flow.snakemake("--until", "index")
    (flow.folder / ".snakemake").rename(flow.folder / "gone")
    assert "index" not in flow.counts("--until", "index")
    change = ("--configfile", str(flow.config), str(flow.overlay({"synthesize": {"seed": 7}})))
    text = flow.snakemake("--dry-run", "--until", "index", *change, code=2)
    assert "config/synthesize/playground-" in text and "rm results/playground/config/synthesize" in text
    assert "Traceback" not in text


@pytest.mark.fault("F27")
def test_another_cut_into_the_same_number_of_shards(tmp_path: Path) -> None:
    """The files have the names of the older cut: exactly those whose videos changed are made again."""
    raw = read_config("playground")
    del raw["datasets"]["playground-movies"]["shards"]
    raw["datasets"]["playground-movies"]["split_shards"] = {"train": 2, "val": 1, "test": 1}
    flow = with_stubs(tmp_path, raw)
    flow.snakemake("--until", "decode")
    listed = sorted(flow.folder.glob("results/playground/manifest/playground-movies/*.tsv"))
    before = {path.stem: path.read_text() for path in listed}
    cut = {"playground-movies": {"split_shards": {"train": 1, "val": 2, "test": 1}}}
    change = ("--configfile", str(flow.config), str(flow.overlay({"datasets": cut})))
    text = flow.snakemake("--until", "decode", *change)
    after = {path.stem: path.read_text() for path in listed}
    assert before.keys() == after.keys() and len(before) == 4, "the same names"
    changed = {name for name in before if before[name] != after[name]}
    assert 2 <= len(changed) < 4
    decoded = set(re.findall(r"decode/playground-movies/(\d{3}-of-\d{3})\.h5", text))
    assert decoded == changed

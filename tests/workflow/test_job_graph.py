"""The exported job graph is Snakemake's own: its jobs, what they ask for, whose files they read, and where files go."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from tests.studies.job_graph import Job, given, grown, plan, read_graph
from tests.workflow.flow import read_config
from tests.workflow.real_size import MOVIES


def test_two_data_sets_with_given_weights(tmp_path: Path) -> None:
    raw = grown(read_config("ava"), 2)
    for data in raw["datasets"].values():
        data["split_shards"] = {"train": 2, "val": 1, "test": 1}
    graph = plan(given(raw), tmp_path / "graph.json")
    heads, banks = len(raw["heads"]), len(raw["banks"])
    networks = len({head["backbone"] for head in raw["heads"].values()})
    counts = Counter(job.rule for job in graph.jobs)
    assert {rule: counts[rule] for rule in ("decode", "index", "detect", "extract", "bank", "predict")} == {
        "decode": 2 * 4,
        "index": 2 * 4,
        "detect": 2 * 2,
        "extract": 2 * 2 * networks,
        "bank": 2 * 2 * banks,
        "predict": 2 * 2 * heads,
    }
    assert not counts["finetune"] and not counts["train"]

    def read_by(job: Job) -> Counter[str]:
        return Counter(graph.jobs[other].rule for other in job.needs)

    for job in graph.jobs:
        if job.rule in ("detect", "extract", "predict", "bank"):
            assert job.gpus == 1 and not job.local
            near = [
                graph.jobs[other].wildcards for other in job.needs if "shard" in graph.jobs[other].wildcards
            ]
            assert {(w["dataset"], w["shard"]) for w in near} == {
                (job.wildcards["dataset"], job.wildcards["shard"])
            }
        if job.rule == "predict":
            found = read_by(job)
            assert found["extract"] == found["detect"] == found["index"] == 1
        assert job.local == (job.rule in ("config", "manifest", "all"))
    for shards in graph.shards.values():
        assert sum((Counter(splits) for splits in shards.values()), Counter()) == MOVIES
    assert graph.folders["results/ava/decode/ava-2"] == graph.folders["logs/ava/decode/ava"] == 4
    assert graph.outputs == sum(
        number for folder, number in graph.folders.items() if folder.startswith("results")
    )
    assert graph.seconds > 0 and graph.gib > 0
    assert plan({}, tmp_path / "graph.json") == read_graph(tmp_path / "graph.json") == graph

"""Fine-tuned networks in the graph: before their maps, instead of their head's own training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.workflow.flow import Flow, read_config, with_stubs
from tests.workflow.test_graph import values

TUNED = ("acar-net", "acfb-net")
RESULTS = "results/playground"


def tuned_playground() -> dict[str, Any]:
    """The playground with two networks more: one tuned with ACAR, one with ACAR and the bank that the first archives."""
    config = read_config("playground")
    plain = {key: config["backbones"]["small"][key] for key in ("architecture", "sampling")}
    head = {"backbone": "acar-net", "reduce": 96, "hidden": 96, "min_score": 0.7}
    memory = {"bank": "tuned", "window": 10, "slots": 5}
    config["backbones"]["acar-net"] = plain | {"finetune": {"backbone": "small", "head": "net"}}
    config["backbones"]["acfb-net"] = plain | {
        "finetune": {
            "backbone": "small",
            "head": "net-acfb",
            "bank": "tuned",
            "ratio": {"playground-clips": 0.5},
        }
    }
    config["banks"]["tuned"] = {"kind": "acfb", "backbone": "acar-net", "head": "net", "min_score": 0.7}
    config["heads"]["net"] = head | {"kind": "acar"}
    config["heads"]["net-acfb"] = head | {"kind": "acar-acfb", "backbone": "acfb-net", "memory": memory}
    return config


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> Flow:
    return with_stubs(tmp_path_factory.mktemp("tuned"), tuned_playground())


def test_two_networks_more(tuned: Flow, tmp_path: Path) -> None:
    before, after = with_stubs(tmp_path, "playground").counts(), tuned.counts()
    shards = before["index"]
    assert {rule: after[rule] - before.get(rule, 0) for rule in after if rule != "config"} == {
        **dict.fromkeys(before.keys() - {"config"}, 0),
        "finetune": 2,
        "extract": 2 * shards,
        "bank": shards,
        "predict": 2 * shards,
        "evaluate": 2,
    }


def test_each_network_reads_frames_boxes_parent_and_bank(tuned: Flow) -> None:
    tuned.snakemake("--until", "predict")
    jobs = tuned.jobs()
    first, second = (job for job in jobs if job["stage"] == "finetune")
    assert values(first["words"], "--out-weights") == [f"{RESULTS}/finetune/acar-net/weights.safetensors"]
    assert values(first["words"], "--weights") == [f"{RESULTS}/pretrain/small/weights.safetensors"]
    assert "--bank" not in first["words"] and "--datasets" not in first["words"]
    orders = [
        [Path(path).parts[-2:] for path in values(second["words"], flag)]
        for flag in ("--index", "--decode", "--detections", "--bank")
    ]
    assert len(orders[0]) == 3 and all(order == orders[0] for order in orders)
    assert values(second["words"], "--datasets") == [dataset for dataset, _ in orders[0]]
    assert all("/bank/tuned/" in path for path in values(second["words"], "--bank"))
    for job in jobs:
        if job["stage"] == "extract" and "/acar-net/" in values(job["words"], "--out")[0]:
            assert values(job["words"], "--weights") == [f"{RESULTS}/finetune/acar-net/weights.safetensors"]
        if job["stage"] in ("bank", "predict") and "/net/" in values(job["words"], "--out")[0]:
            assert values(job["words"], "--weights") == [f"{RESULTS}/finetune/acar-net/head.safetensors"]


def test_given_weights_take_its_place(tuned: Flow, tmp_path: Path) -> None:
    """The parent stays: other heads of the playground read it. The head is then trained on cached maps."""
    config = tuned_playground()
    (tmp_path / "net.safetensors").touch()
    config["backbones"]["acar-net"]["weights"] = "net.safetensors"
    before, after = tuned.counts("--forceall"), with_stubs(tmp_path / "flow", config)
    (tmp_path / "flow" / "net.safetensors").touch()
    counts = after.counts()
    changed = {
        rule: counts[rule] - before[rule]
        for rule in counts.keys() - {"config"}
        if counts[rule] != before[rule]
    }
    assert changed == {"finetune": -1, "train": 1}


def test_a_changed_recipe_runs_the_network_and_its_heirs(tuned: Flow) -> None:
    tuned.snakemake()
    change = {"backbones": {"acfb-net": {"finetune": {"recipe": {"lr": 0.01}}}}}
    counts = tuned.counts(config=change)
    shards = counts["extract"]
    assert {rule: counts[rule] for rule in counts if rule != "config"} == {
        "finetune": 1,
        "extract": shards,
        "predict": shards,
        "evaluate": 1,
        "report": 1,
    }

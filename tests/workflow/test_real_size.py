"""The job graphs of the configurations for real data sets, from sheets of the true number of videos.

Every number of jobs follows from the configuration: per shard, times the variants that read it. The runs with many
networks are cut into fewer shards here; `python -m tests.workflow.real_size NAME` plans one as it stands.
"""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import pytest

from stages.lib.config.load import load_config
from stages.lib.config.sheets import dataset_shards
from tests.workflow.flow import read_config
from tests.workflow.real_size import CLIPS, MOVIES, real_flow

FEWER = {"ava": 1, "kinetics": 2, "ava-kinetics": 4, "ava-kinetics-ensemble": 10}
"""By how much the number of shards is divided."""


def jobs_of(config: dict[str, Any], shards: int) -> dict[str, int]:
    """Jobs per rule: each member of the sum is one file that the design asks for."""
    heads, data = config["heads"], len(config["datasets"])
    networks = {head["backbone"] for head in heads.values()}
    tuned = sum("finetune" in config["backbones"][key] for key in networks)
    banks = {head["memory"]["bank"] for head in heads.values() if "memory" in head}
    ensembles, detectors = len(config.get("ensembles", {})), len(config["detectors"])
    settings = 2 * data + detectors + tuned + len(networks) + len(banks) + len(heads) + ensembles
    found = {
        "manifest": shards,
        "index": shards,
        "decode": shards,
        "detect": shards,
        "coverage": data,
        "persons": 1,
        "finetune": tuned,
        "extract": shards * len(networks),
        "bank": shards * len(banks),
        "predict": shards * len(heads),
        "ensemble": ensembles,
        "evaluate": len(heads) + ensembles,
        "errors": 1,
        "attention": data,
        "report": 1,
        "config": settings + len(["evaluate", "report", "report/relations", "run"]),
    }
    return {rule: count for rule, count in found.items() if count}


@pytest.mark.parametrize("name", FEWER)
def test_the_whole_graph(tmp_path: Path, name: str) -> None:
    config = read_config(name)
    flow = real_flow(tmp_path, name)
    cut = {key: data["shards"] // FEWER[name] for key, data in config["datasets"].items()}
    counts = flow.counts(config={"datasets": {key: {"shards": number} for key, number in cut.items()}})
    assert counts == jobs_of(config, sum(cut.values()))


def test_the_twenty_members() -> None:
    """Two depths, two samplings, five heads (spec 9.4), each with a network of its own; a bank of each kind per network."""
    config = load_config(read_config("ava-kinetics-ensemble"))
    kinds = ("linear", "linear-afb", "acar", "acar-afb", "acar-acfb")
    grid = [
        f"{depth}-{sampling}-{kind}"
        for depth, sampling, kind in product(("r101", "r152"), ("8x8", "16x8"), kinds)
    ]
    assert sorted(config.ensembles["all"].members) == sorted(config.heads) == sorted(grid)
    frames = {"8x8": 32, "16x8": 64}
    for key in grid:
        depth, sampling, kind = key.split("-", 2)
        head, network = config.heads[key], config.backbones[key]
        assert head.kind == kind and config.is_finetuned(key)
        assert network.architecture == depth and network.sampling.fast_frames == frames[sampling]
        assert network.finetune and network.finetune.splits == ("train",)
        recipe = network.finetune.recipe
        assert (recipe.epochs, recipe.milestones, recipe.batch) == (6.0, (5.6, 5.8), 32)
        assert (recipe.lr, recipe.warmup_lr, recipe.box_score) == (0.064, 0.008, 0.9)
        if head.memory:
            bank = config.banks[head.memory.bank]
            made_by = "acar" if kind.endswith("acfb") else "linear"
            assert bank.backbone == f"{depth}-{sampling}-{made_by}" and bank.min_score == 0.9
            assert head.memory.window == (10 if kind.endswith("acfb") else 30)
    whole = jobs_of(
        read_config("ava-kinetics-ensemble"), sum(data.shards for data in config.datasets.values())
    )
    assert whole["finetune"] == 20 and whole["bank"] * 20 == whole["extract"] * 8
    assert sum(data.shards for data in config.datasets.values()) <= 400
    assert sum(whole.values()) < 20_000


def test_shards_are_of_like_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the hash of the id: all videos, each in one shard, the fullest at most a quarter above the mean (clips)."""
    config = load_config(read_config("ava-kinetics"))
    real_flow(tmp_path, "ava-kinetics")
    monkeypatch.chdir(tmp_path)
    for key, sizes in (("ava", MOVIES), ("kinetics", CLIPS)):
        shards = dataset_shards(config, key)
        lengths = [len(videos) for videos in shards.values()]
        assert sum(lengths) == sum(sizes.values())
        assert {video.split for videos in shards.values() for video in videos} == set(sizes)
        if key == "kinetics":
            assert max(lengths) < 1.25 * sum(lengths) / len(lengths)

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


def jobs_of(config: dict[str, Any], shards: dict[str, int]) -> dict[str, int]:
    """Jobs per rule from the number of shards of each split: each member of a sum is one file that the design asks for.

    Models answer on val and test. Networks are mapped there, and on train where a bank archives them or a head without a
    network of its own learns from maps.
    """
    heads, data = config["heads"], len(config["datasets"])
    networks = {head["backbone"] for head in heads.values()}
    tuned = {key for key in networks if "finetune" in config["backbones"][key]}
    banks = {head["memory"]["bank"] for head in heads.values() if "memory" in head}
    ensembles, detectors = len(config.get("ensembles", {})), len(config["detectors"])
    settings = 2 * data + detectors + len(tuned) + len(networks) + len(banks) + len(heads) + ensembles
    whole, answered = sum(shards.values()), shards["val"] + shards["test"]
    archived = {config["banks"][bank]["backbone"] for bank in banks}
    assert tuned == networks, "no head is trained on cached maps"
    found = {
        "manifest": whole,
        "index": whole,
        "decode": whole,
        "detect": whole,
        "coverage": data,
        "persons": 1,
        "finetune": len(tuned),
        "extract": answered * len(networks) + shards["train"] * len(archived),
        "bank": whole * len(banks),
        "predict": answered * len(heads),
        "ensemble": ensembles,
        "evaluate": len(heads) + ensembles,
        "errors": 1,
        "attention": data,
        "report": 1,
        "config": settings + len(["evaluate", "report", "report/relations", "run"]),
    }
    return {rule: count for rule, count in found.items() if count}


def shards_of(config: dict[str, Any], divisor: int = 1) -> dict[str, dict[str, int]]:
    """Shards of each data set's splits, cut to fewer."""
    return {
        key: {split: max(1, number // divisor) for split, number in data["split_shards"].items()}
        for key, data in config["datasets"].items()
    }


def summed(shards: dict[str, dict[str, int]]) -> dict[str, int]:
    return {split: sum(own[split] for own in shards.values()) for split in ("train", "val", "test")}


@pytest.mark.parametrize("name", FEWER)
def test_the_whole_graph(tmp_path: Path, name: str) -> None:
    config = read_config(name)
    flow = real_flow(tmp_path, name)
    cut = shards_of(config, FEWER[name])
    counts = flow.counts(config={"datasets": {key: {"split_shards": own} for key, own in cut.items()}})
    assert counts == jobs_of(config, summed(cut))


def test_nobody_maps_train_for_a_head_that_comes_with_its_network(tmp_path: Path) -> None:
    """Of the four networks one is archived by a bank; given to a head that learns from cached maps, another is mapped, too."""
    config = read_config("ava-kinetics")
    flow = real_flow(tmp_path, "ava-kinetics")
    cut = {key: {"split_shards": {"train": 3, "val": 2, "test": 1}} for key in config["datasets"]}
    before = flow.counts(config={"datasets": cut})
    assert before["extract"] == 4 * 2 * 3 + 2 * 3 and before["predict"] == 4 * 2 * 3
    (tmp_path / "given.safetensors").touch()
    given = {"backbones": {"r152-8x8-acar": {"weights": "given.safetensors"}}}
    after = flow.counts(config={"datasets": cut, **given})
    assert {rule: after.get(rule, 0) - before.get(rule, 0) for rule in ("finetune", "train", "extract")} == {
        "finetune": -1,
        "train": 1,
        "extract": 2 * 3,
    }


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
    raw = read_config("ava-kinetics-ensemble")
    shards = summed(shards_of(raw))
    whole = jobs_of(raw, shards)
    assert whole["finetune"] == 20 and whole["bank"] == 8 * sum(shards.values())
    assert sum(shards.values()) <= 400
    assert sum(whole.values()) < 10_000


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
        assert all(len({video.split for video in videos}) <= 1 for videos in shards.values())
        if key == "kinetics":
            assert max(lengths) < 1.25 * sum(lengths) / len(lengths)

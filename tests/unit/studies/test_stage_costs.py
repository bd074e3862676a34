"""The costs of all jobs add up to what docs/ava-kinetics.md derives for the whole."""

from __future__ import annotations

import pytest

from stages.lib.config.load import load_config
from stages.lib.config.root import Config
from tests.studies.job_graph import Graph, Job, given, grown
from tests.studies.stage_costs import LOCAL, START, cost
from tests.workflow.flow import read_config
from tests.workflow.real_size import CLIPS, MOVIES

TRAIN, OTHER = ["t0", "t1"], ["v", "e"]


def shards(sizes: dict[str, int]) -> dict[str, dict[str, int]]:
    """The videos of train in two shards, those of val and of test in one each."""
    half = sizes["train"] // 2
    return {
        "t0": {"train": half},
        "t1": {"train": sizes["train"] - half},
        "v": {"val": sizes["val"]},
        "e": {"test": sizes["test"]},
    }


WHOLE = Graph([], {"ava": shards(dict(MOVIES)), "kinetics": shards(dict(CLIPS))}, {}, 0.0, 0.0)


@pytest.fixture(scope="module")
def config() -> Config:
    return load_config(read_config("ava-kinetics"))


def total(config: Config, rule: str, names: list[str], **wildcards: str) -> tuple[float, float, float]:
    """GPU-hours (or those of a core), bytes that stay and that pass, of one rule over shards of both data sets."""
    jobs = [
        Job(rule, {"dataset": dataset, "shard": shard, **wildcards}, 1, 2, False, 0, 1, [])
        for dataset in WHOLE.shards
        for shard in names
    ]
    found = [cost(config, WHOLE, job) for job in jobs]
    hours = (sum(one.seconds for one in found) - START * len(jobs)) / 3600
    return hours, sum(one.stays for one in found), sum(one.passes for one in found)


def test_frames(config: Config) -> None:
    hours, stays, _ = total(config, "decode", TRAIN + OTHER)
    assert hours / 2 == pytest.approx(9 + 54, rel=0.01), "on two cores"
    assert stays == pytest.approx(325e9 + 2.0e12 + 639e9, rel=0.01)


def test_detections(config: Config) -> None:
    assert total(config, "detect", TRAIN + OTHER)[0] == pytest.approx(47, rel=0.01)


def test_maps_of_a_network_that_a_bank_archives(config: Config) -> None:
    hours, stays, passes = total(config, "extract", TRAIN + OTHER, backbone="r101-8x8-acar")
    assert hours == pytest.approx(100, rel=0.01)
    assert stays == pytest.approx(4.77e12, rel=0.01) and passes == pytest.approx(3.4e12, rel=0.01)


def test_maps_that_only_the_own_head_reads(config: Config) -> None:
    hours, stays, passes = total(config, "extract", OTHER, backbone="r101-8x8-linear")
    assert hours == pytest.approx(48, rel=0.01)
    assert stays == pytest.approx(0.51e12, rel=0.01) and passes == pytest.approx(3.4e12, rel=0.01)
    assert total(config, "extract", OTHER, backbone="r152-8x8-acar")[0] == pytest.approx(1.36 * 48, rel=0.01)


def test_banks_and_answers(config: Config) -> None:
    hours, stays, _ = total(config, "bank", TRAIN + OTHER, bank="acfb-r101-8x8")
    assert hours < 2 and stays == pytest.approx(436e9, rel=0.01)
    hours, stays, _ = total(config, "predict", OTHER, head="r101-8x8-acar")
    assert hours == pytest.approx(1, abs=0.4) and stays == pytest.approx(0.8e9, rel=0.02)


def test_training(config: Config) -> None:
    keys = [key for key, backbone in config.backbones.items() if backbone.finetune]
    jobs = [Job("finetune", {"backbone": key}, 1, 2, False, 0, 3, []) for key in keys]
    hours = sum(cost(config, WHOLE, job).seconds for job in jobs) / 3600
    assert hours == pytest.approx(3_400, rel=0.01)


def test_jobs_beside_snakemake_cost_next_to_nothing(config: Config) -> None:
    assert cost(config, WHOLE, Job("config", {"stage": "index"}, 0, 1, True, 3, 1, [])).seconds == LOCAL


def test_given_weights_leave_nothing_to_train() -> None:
    config = load_config(given(read_config("ava-kinetics-ensemble")))
    assert not any(config.is_trained_alone(head) for head in config.heads)
    assert all(config.backbones[head.backbone].weights for head in config.heads.values())


def test_grown_data_sets_have_sheets_of_their_own() -> None:
    config = load_config(grown(read_config("ava-kinetics"), 3))
    assert list(config.datasets) == ["ava", "kinetics", "ava-2", "ava-3", "kinetics-2", "kinetics-3"]
    assert len({data.sheet for data in config.datasets.values()}) == 6

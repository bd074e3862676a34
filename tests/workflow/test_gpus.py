"""How many GPU jobs run at once: never more than there are devices here, and without limit on a cluster."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.workflow.fake_slurm import WANTED
from tests.workflow.flow import Flow, read_config, with_stubs

GPU_STAGES = {"train_detector", "detect", "pretrain", "finetune", "extract", "bank", "train", "predict"}


def many_shards() -> dict[str, Any]:
    """The playground in more shards than any machine of these tests has devices."""
    config = read_config("playground")
    config["threads"] = 1
    for data in config["datasets"].values():
        data["shards"] = 3
    return config


def at_once(jobs: list[dict[str, Any]]) -> int:
    """The largest number of jobs under way at the same moment."""
    moments = sorted([(job["start"], 1) for job in jobs] + [(job["end"], -1) for job in jobs])
    running = most = 0
    for _, step in moments:
        running += step
        most = max(most, running)
    return most


@pytest.mark.parametrize(
    ("devices", "most"), [("0", 1), ("0,1", 2), ("GPU-5f2,-1", 1)], ids=["one", "two", "one named"]
)
def test_cores_alone_never_crowd_the_devices(tmp_path: Path, devices: str, most: int) -> None:
    flow = with_stubs(tmp_path, many_shards())
    env = {"CUDA_VISIBLE_DEVICES": devices, "STUB_SECONDS": "0.3"}
    flow.snakemake("--cores", "12", "--until", "detect", "extract", env=env)
    jobs = [job for job in flow.jobs() if job["stage"] in GPU_STAGES]
    assert len(jobs) == 2 + (6 + 3) + 1 + 6, "detectors, detections and those to compare with, backbone, maps"
    assert at_once(jobs) == most
    assert at_once([job for job in flow.jobs() if job["stage"] not in GPU_STAGES]) > most, (
        "others run beside them"
    )


def test_each_job_sees_a_device_of_its_own(tmp_path: Path) -> None:
    flow = with_stubs(tmp_path, many_shards())
    env = {"CUDA_VISIBLE_DEVICES": "3,7", "STUB_SECONDS": "0.2"}
    flow.snakemake("--cores", "8", "--until", "detect", env=env)
    jobs = [job for job in flow.jobs() if job["stage"] in GPU_STAGES]
    assert {job["gpu"] for job in jobs} == {"3", "7"}
    for device in ("3", "7"):
        assert at_once([job for job in jobs if job["gpu"] == device]) == 1


def test_a_limit_of_the_user_wins(tmp_path: Path) -> None:
    flow = with_stubs(tmp_path, many_shards())
    env = {"CUDA_VISIBLE_DEVICES": "0,1,2,3", "STUB_SECONDS": "0.2"}
    flow.snakemake("--cores", "8", "--resources", "gpu=1", "--until", "train_detector", env=env)
    assert at_once([job for job in flow.jobs() if job["stage"] in GPU_STAGES]) == 1


def test_without_devices_the_cores_decide(tmp_path: Path) -> None:
    """Torch jobs take as many cores as they have threads, so two of two threads never share two cores."""
    config = many_shards() | {"threads": 2}
    flow = with_stubs(tmp_path, config)
    env = {"CUDA_VISIBLE_DEVICES": "", "STUB_SECONDS": "0.2"}
    flow.snakemake("--cores", "2", "--until", "detect", env=env)
    assert at_once([job for job in flow.jobs() if job["stage"] in GPU_STAGES]) == 1


@pytest.fixture
def cluster(tmp_path: Path) -> Flow:
    """A run whose shards are decoded, on a machine with one device and the commands of a cluster."""
    flow = with_stubs(tmp_path, many_shards())
    flow.snakemake("--until", "train_detector")
    commands, state = tmp_path / "commands", tmp_path / "slurm"
    commands.mkdir()
    state.mkdir()
    fake = Path(__file__).with_name("fake_slurm.py")
    for name in ("sbatch", "squeue", "sinfo", "scontrol", "sacctmgr", "scancel"):
        command = commands / name
        command.write_text(f'#!/bin/sh\nexec {sys.executable} -SE {fake} {name} "$@"\n')
        command.chmod(0o755)
    env = {"PATH": f"{commands}:/usr/bin:/bin", "FAKE_SLURM": str(state), "CUDA_VISIBLE_DEVICES": "0"}
    return Flow(flow.folder, flow.config, flow.env | env)


@pytest.mark.skipif(
    shutil.which("sbatch") is not None, reason="a real Slurm is installed here and would be asked"
)
def test_a_cluster_is_not_capped(cluster: Flow) -> None:
    words = [
        "--profile",
        "slurm",
        "--until",
        "detect",
        "--slurm-status-command",
        "squeue",
        "--latency-wait",
        "5",
    ]
    words += ["--slurm-init-seconds-before-status-checks", "2", "--seconds-between-status-checks", "1"]
    words += [
        "--default-resources",
        "slurm_partition=standard",
        "slurm_account=mine",
        "mem_mb=1000",
        "runtime=10",
    ]
    cluster.snakemake(*words)
    submitted = sorted((cluster.folder / "slurm").glob("*.job"))
    under_way = int((cluster.folder / "slurm" / "under-way").read_text())
    assert under_way >= WANTED, "more GPU jobs under way than this machine has devices"
    assert all("--gpus=1" in job.read_text() for job in submitted)

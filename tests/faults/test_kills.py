"""F01 and F02: kill -9 in every stage costs the job that was killed, and the bytes are those of an undisturbed run."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.faults.runs import (
    PATIENCE,
    SNAKEMAKE,
    Killer,
    Undisturbed,
    finished_jobs,
    kill,
    kill_everything,
    leftovers,
    new_project,
    run_alone,
    said,
    start,
)

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    return run_alone(tmp_path_factory.mktemp("undisturbed") / "run")


@pytest.mark.fault("F01")
def test_two_runs_from_scratch_give_the_same_bytes(undisturbed: Undisturbed, tmp_path: Path) -> None:
    again = run_alone(tmp_path / "run")
    assert again.expected == undisturbed.expected
    assert again.finished == undisturbed.finished
    assert {Path(name).suffix for name in again.expected} == {".h5", ".safetensors", ".csv", ".json"}


@pytest.mark.fault("F01")
def test_workflow_and_worker_killed_in_every_stage(undisturbed: Undisturbed, tmp_path: Path) -> None:
    project, killer = new_project(tmp_path / "run"), Killer(undisturbed.moment)
    deadline = time.monotonic() + PATIENCE
    while killer.left:
        run = start(project)
        while killer.victim(project.folder) is None:
            assert run.poll() is None, f"ended without {sorted(killer.left)}\n{said(project)}"
            assert time.monotonic() < deadline
            time.sleep(0.02)
        kill_everything(project)
        assert run.wait() < 0
        for name, found in project.promised().items():
            assert undisturbed.expected.get(name, found) == found, f"{name} is there, but not whole"
        project.run(f"{SNAKEMAKE} --unlock")
    project.run(f"{SNAKEMAKE} --cores 2")
    assert project.promised() == undisturbed.expected
    assert finished_jobs(project) == undisturbed.finished, "what was finished was not done again"
    assert leftovers(project) == []


@pytest.mark.fault("F02")
def test_a_worker_killed_in_every_stage(undisturbed: Undisturbed, tmp_path: Path) -> None:
    project, killer = new_project(tmp_path / "run"), Killer(undisturbed.moment)
    deadline = time.monotonic() + PATIENCE
    run = start(project)
    while run.poll() is None:
        victim = killer.victim(project.folder)
        if victim is not None:
            kill(victim)
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert run.returncode == 0, said(project)
    assert killer.left == set(), "every stage lost a worker"
    assert project.promised() == undisturbed.expected
    assert finished_jobs(project) == undisturbed.finished
    assert leftovers(project) == []
    text = (project.folder / "said.txt").read_text()
    assert text.count("Trying to restart job") == len(undisturbed.moment)

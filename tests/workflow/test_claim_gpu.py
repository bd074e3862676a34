"""One machine with several GPUs: who gets which device, when it is free again, and what becomes of the command."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.workflow.flow import ROOT, clean_environment

CLAIM = ROOT / "workflow" / "claim_gpu.py"
SAY = "import os, sys; print(os.environ['CUDA_VISIBLE_DEVICES'], flush=True); sys.stdin.read()"
"""A job that says which device it sees, and works until its input is closed."""


class Jobs(ExitStack):
    """Jobs on the devices of one machine; they end with the test."""

    def __init__(self, folder: Path, devices: str) -> None:
        super().__init__()
        self.folder, self.env = folder, clean_environment() | {"CUDA_VISIBLE_DEVICES": devices}

    def start(self) -> subprocess.Popen[str]:
        """A job that claims a device, or waits for one."""
        job = subprocess.Popen(
            [sys.executable, "-SE", CLAIM, self.folder, sys.executable, "-SE", "-c", SAY],
            env=self.env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.enter_context(job)
        self.callback(job.kill)
        return job


def seen(job: subprocess.Popen[str]) -> str:
    """The device that a job sees; waits until it has one."""
    assert job.stdout
    return job.stdout.readline().strip()


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[Jobs]:
    with Jobs(tmp_path / "gpus", "2,GPU-5f2,-1") as found:
        yield found


def test_a_third_job_waits_for_the_first_that_ends(jobs: Jobs) -> None:
    first, second = jobs.start(), jobs.start()
    assert {seen(first), device := seen(second)} == {"2", "GPU-5f2"}
    third = jobs.start()
    time.sleep(0.5)
    assert third.poll() is None and (jobs.folder / f"gpu-{device}.lock").exists()
    second.communicate("")
    assert seen(third) == device


def test_a_killed_job_leaves_its_device_to_the_next(jobs: Jobs) -> None:
    first, second = jobs.start(), jobs.start()
    device = seen(first)
    seen(second)
    first.kill()
    assert first.wait() == -9
    assert seen(jobs.start()) == device


def test_the_command_gets_its_words_and_its_exit_code_counts(jobs: Jobs) -> None:
    words = ["a b", "--id=-x", ""]
    code = "import sys; print(sys.argv[1:]); sys.exit(2)"
    command = [sys.executable, "-SE", CLAIM, jobs.folder, sys.executable, "-SE", "-c", code, *words]
    done = subprocess.run(command, env=jobs.env, stdout=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2 and done.stdout.strip() == str(words)

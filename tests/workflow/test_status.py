"""`make status` reads what Snakemake itself writes: a finished run, one with a fault, one under way."""

from __future__ import annotations

import re
import shutil
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from stages.inspect.__main__ import main
from stages.inspect.status import read_run, status
from stages.lib.errors import StageError
from tests.workflow.flow import with_stubs


def log_of(folder: Path) -> Path:
    (log,) = (folder / ".snakemake/log").glob("*.snakemake.log")
    return log


def rows(text: str) -> dict[str, list[int]]:
    """Planned, done, running, failed and left by rule."""
    found = re.findall(r"^(\w+) +(\d+) +(\d+) +(\d+) +(\d+) +(\d+)", text, re.MULTILINE)
    return {rule: [int(number) for number in numbers] for rule, *numbers in found}


def test_a_run_from_its_start_to_its_end(tmp_path: Path) -> None:
    flow = with_stubs(tmp_path / "run", "playground")
    flow.snakemake("--until", "decode")
    text = status(flow.folder, datetime.now())
    table = rows(text)
    assert table["decode"][:2] == [table["decode"][1]] * 2 != [0, 0]
    assert all(left == running == failed == 0 for rule, (_, _, running, failed, left) in table.items())
    assert "ended" in text

    # the same log cut off after the first job that was finished, as a run under way would have it
    log, lock = log_of(flow.folder), flow.folder / ".snakemake/locks/0.input.lock"
    lines = log.read_text().splitlines(keepends=True)
    first = next(n for n, line in enumerate(lines) if line.startswith("Finished jobid"))
    log.write_text("".join(lines[: first + 1]))
    lock.parent.mkdir(exist_ok=True)
    lock.touch()
    run = read_run(lines[: first + 1])
    assert run.last is not None
    text = status(flow.folder, run.last + timedelta(minutes=3))
    table = rows(text)
    started = sum(line.startswith(("rule ", "localrule ")) for line in lines[:first])
    assert table["total"][1:3] == [1, started - 1]
    assert table["total"][4] == table["total"][0] - 1
    assert "running: 3 min" in text
    assert "jobs at once; about" in text
    assert "and the time of" in text


def test_a_job_that_fails_and_is_tried_again(tmp_path: Path) -> None:
    text = """
Job stats:
job      count
-----  -------
train        2
total        2

[Tue Nov 24 16:36:00 2026]
rule train:
    output: w
    log: logs/train/acar/seed0.log
    jobid: 4
    wildcards: head=acar, seed=0

[Tue Nov 24 16:36:00 2026]
rule train:
    log: logs/train/linear/seed0.log
    jobid: 5
    wildcards: head=linear, seed=0

[Tue Nov 24 16:37:00 2026]
Error in rule train:
    jobid: 4
    log: logs/train/acar/seed0.log (check log file(s) for error details)

Trying to restart job 4.
"""
    folder = tmp_path / ".snakemake/log"
    folder.mkdir(parents=True)
    log = folder / "2026-11-24T163600.000000.snakemake.log"
    (tmp_path / ".snakemake/locks").mkdir()
    (tmp_path / ".snakemake/locks/0.output.lock").touch()
    (tmp_path / "logs/train/linear").mkdir(parents=True)
    (tmp_path / "logs/train/linear/seed0.log").write_text("16:36:30 train: 3 of 12 (25 %), 30 s\n")
    log.write_text(text)
    now = datetime(2026, 11, 24, 16, 38)
    assert rows(status(tmp_path, now))["train"] == [2, 0, 1, 1, 2]
    assert "train linear 0: 2 min 00 s, 25 %" in status(tmp_path, now)
    again = text.partition("Error in")[0].rpartition("[Tue")[0].partition("[Tue")[2]
    text += f"\n[Tue{again}".replace("16:36:00", "16:38:00")
    log.write_text(text)
    assert rows(status(tmp_path, now))["train"] == [2, 0, 2, 0, 2]
    log.write_text(text + "\n[Tue Nov 24 16:39:30 2026]\nFinished jobid: 4 (Rule: train)\n")
    assert rows(status(tmp_path, now))["train"] == [2, 1, 1, 0, 1]
    assert "mean" in status(tmp_path, now)
    assert "90 s" in status(tmp_path, now)
    shutil.rmtree(tmp_path / ".snakemake/locks")
    assert "ended: 3 min 30 s" in status(tmp_path, now)


def test_without_a_run_it_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(StageError, match="no run has left a log"):
        status(tmp_path, datetime.now())
    assert main(["status", "--directory", str(tmp_path)]) == 2
    assert "--directory" in capsys.readouterr().err

"""Runs of the small playground that are disturbed, and what is known of the one that is not."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from stages.inspect.status import read_run
from tests.workflow.processes import kind_of, processes_in
from tests.workflow.tiny import RUN, Project

SNAKEMAKE = "python -m snakemake --configfile configs/playground.yaml"
STAGES = (
    *("synthesize", "index", "decode", "train_detector", "detect", "pretrain", "extract"),
    *("bank", "train", "predict", "ensemble", "evaluate", "report"),
)
PATIENCE = 1200


@dataclass(frozen=True)
class Undisturbed:
    """A complete run: sha256 of its promised files, jobs by rule, and when to kill a stage: a third into its quickest job."""

    expected: dict[str, str]
    finished: Counter[str]
    moment: dict[str, float]


def new_project(folder: Path) -> Project:
    """A fresh copy of the project."""
    folder.mkdir()
    return Project(folder)


def run_alone(folder: Path) -> Undisturbed:
    """Runs the small playground from scratch to its end."""
    project = new_project(folder)
    project.run(f"{SNAKEMAKE} --cores 2")
    return known_of(project)


def known_of(project: Project) -> Undisturbed:
    """What a complete run is compared with."""
    moment = {
        stage: min(
            float(path.read_text().splitlines()[1].split("\t")[0])
            for path in (project.folder / "benchmarks/playground").rglob("*.tsv")
            if stage in (path.stem, *path.parts)
        )
        / 3
        for stage in STAGES
    }
    return Undisturbed(project.promised(), finished_jobs(project), moment)


def finished_jobs(project: Project) -> Counter[str]:
    """How many jobs of each rule were finished, over all starts of Snakemake in this folder."""
    found: Counter[str] = Counter()
    for log in (project.folder / ".snakemake/log").glob("*.snakemake.log"):
        jobs = read_run(log.read_text().splitlines()).jobs.values()
        found.update(job.rule for job in jobs if job.finished)
    return found


def leftovers(project: Project) -> list[str]:
    """Names of temporary files that nobody removed."""
    return [path.name for path in (project.folder / RUN).rglob("*") if ".tmp." in path.name]


class Killer:
    """Waits for a worker of each stage once, and says which one to kill when it has worked for a third of its time."""

    def __init__(self, moment: dict[str, float]) -> None:
        self.moment, self.left = moment, set(STAGES)
        self._seen: dict[int, float] = {}

    def victim(self, folder: Path) -> int | None:
        """The id of a worker whose turn it is; its stage is then done with."""
        now = time.monotonic()
        for number, words in processes_in(folder):
            stage = kind_of(words)
            if stage in self.left and now - self._seen.setdefault(number, now) >= self.moment[stage]:
                self.left.remove(stage)
                return number
        return None


def start(project: Project) -> subprocess.Popen[bytes]:
    """Snakemake on two cores, in the background."""
    with (project.folder / "said.txt").open("ab") as said:
        command = [*SNAKEMAKE.split(), "--cores", "2"]
        return subprocess.Popen(command, cwd=project.folder, env=project.env, stdout=said, stderr=said)


def kill(number: int) -> None:
    """SIGKILL; a process that has just ended by itself is no matter."""
    try:
        os.kill(number, signal.SIGKILL)
    except ProcessLookupError:
        return


def kill_everything(project: Project) -> None:
    """Ends all that works in the folder, Snakemake first, as a machine does whose power fails."""
    while found := processes_in(project.folder):
        found.sort(key=lambda process: kind_of(process[1]) != "snakemake")
        for number, _ in found:
            kill(number)
        time.sleep(0.05)


def said(project: Project) -> str:
    """The end of what Snakemake said."""
    return (project.folder / "said.txt").read_text()[-4000:]

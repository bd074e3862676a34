"""`snakemake --profile slurm` on a real Slurm: the bytes of a local run, whatever happens to single jobs and nodes."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.slurm.cluster import Cluster, running, why_not
from tests.workflow.processes import kind_of, processes_in
from tests.workflow.tiny import Project

pytestmark = [pytest.mark.long, pytest.mark.skipif(bool(why_not()), reason=f"no Slurm here: {why_not()}")]
# No accounting in this Slurm; its answers come at once.
QUICKLY = "--slurm-status-command squeue --slurm-init-seconds-before-status-checks 5 --slurm-no-account"
COMMAND = f"snakemake --profile slurm --configfile configs/playground.yaml {QUICKLY}"
PATIENCE = 1500


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with running() as made:
        yield made


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What a run on this machine gives."""
    project = Project(tmp_path_factory.mktemp("local"))
    project.run("snakemake --cores 2 --configfile configs/playground.yaml")
    return project.promised()


@pytest.mark.fault("F03")
def test_a_run_on_two_nodes_gives_the_bytes_of_a_local_one(
    cluster: Cluster, local: dict[str, str], tmp_path: Path
) -> None:
    project = Project(tmp_path)
    with Watched(project, cluster) as run:
        run.until_done()
    assert run.code == 0, run.said()[-6000:]
    assert project.promised() == local
    assert {"one"} == run.nodes_of("extract") | run.nodes_of("train"), "they ask for a GPU"
    assert run.nodes_of("decode") | run.nodes_of("index") >= {"two"}, "others take what is free"
    assert not any(comment.startswith(("rule_config", "rule_manifest")) for comment in run.seen), (
        "local rules"
    )
    assert "Nothing to be done" in project.run(COMMAND, cluster.env(project.env["PATH"]))


@pytest.mark.fault("F03")
def test_cancelled_late_and_drained(cluster: Cluster, local: dict[str, str], tmp_path: Path) -> None:
    """One job is cancelled, one stands still until its time is over, one node is drained for a while."""
    project = Project(tmp_path)
    words = ["--set-resources", "pretrain:runtime=attempt"]  # a minute, then two
    with Watched(project, cluster, words) as run:
        stuck = run.until_running("rule_pretrain")
        for process in run.processes_of("pretrain"):
            subprocess.run(["kill", "-STOP", str(process)], check=True)
        cancelled = run.until_running("rule_decode")
        cluster.slurm("scancel", str(cancelled))
        cluster.slurm("scontrol", "update", "NodeName=two", "State=DRAIN", "Reason=test")
        run.until(lambda: state_of(cluster, stuck) == "TIMEOUT")
        cluster.slurm("scontrol", "update", "NodeName=two", "State=RESUME")
        run.until_done()
    assert run.code == 0, run.said()[-6000:]
    assert state_of(cluster, cancelled) == "CANCELLED"
    assert project.promised() == local


def state_of(cluster: Cluster, job: int) -> str:
    """The state of a job that runs or ended a little while ago."""
    return cluster.slurm("squeue", "--noheader", "--states=all", "--format=%T", f"--jobs={job}").strip()


@dataclass
class Watched:
    """A run under way: jobs that were seen running, by comment, with the nodes that they ran on."""

    project: Project
    cluster: Cluster
    words: list[str] = field(default_factory=list)
    seen: dict[str, set[str]] = field(default_factory=dict)
    code: int | None = None

    def __enter__(self) -> Watched:
        self.log = (self.project.folder / "said.txt").open("w")
        env = self.project.env | self.cluster.env(self.project.env["PATH"])
        command = [*COMMAND.split(), *self.words]
        self.process = subprocess.Popen(
            command, cwd=self.project.folder, env=env, stdout=self.log, stderr=subprocess.STDOUT
        )
        return self

    def __exit__(self, *fault: object) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(60)
        self.log.close()

    def said(self) -> str:
        return (self.project.folder / "said.txt").read_text()

    def nodes_of(self, rule: str) -> set[str]:
        """Nodes on which jobs of the rule were seen."""
        names = [nodes for comment, nodes in self.seen.items() if comment.startswith(f"rule_{rule}_")]
        return set().union(*names)

    def look(self) -> dict[int, str]:
        """Running jobs by number."""
        found = {}
        lines = self.cluster.slurm(
            "squeue", "--noheader", "--states=RUNNING", "--format=%A|%N|%k"
        ).splitlines()
        for line in lines:
            number, node, comment = line.split("|", 2)
            found[int(number)] = comment
            self.seen.setdefault(comment, set()).add(node)
        return found

    def until(self, condition: Callable[[], bool]) -> None:
        """Looks on until something is so; the run must not end before."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            self.look()
            assert time.monotonic() < deadline, self.said()[-3000:]
            assert self.process.poll() is None, self.said()[-6000:]
            time.sleep(0.3)

    def until_running(self, start: str) -> int:
        """The number of a running job whose comment begins so."""
        found: list[int] = []

        def running() -> bool:
            found[:] = [number for number, comment in self.look().items() if comment.startswith(start)]
            return bool(found)

        self.until(running)
        return found[0]

    def until_done(self) -> None:
        """Waits for the end of the run; its exit code is then `code`."""
        deadline = time.monotonic() + PATIENCE
        while self.process.poll() is None:
            self.look()
            assert time.monotonic() < deadline, self.said()[-3000:]
            time.sleep(0.5)
        self.code = self.process.returncode

    def processes_of(self, stage: str) -> list[int]:
        """Process ids of a stage that works in this project's folder, as soon as there are any."""
        found: list[int] = []

        def there() -> bool:
            here = processes_in(self.project.folder)
            found[:] = [number for number, words in here if kind_of(words) == stage]
            return bool(found)

        self.until(there)
        return found

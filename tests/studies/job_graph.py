"""The job graph of a configuration for real data sets, as Snakemake makes it, in plain numbers.

python -m tests.studies.job_graph FOLDER OUT      plans FOLDER/config.yaml in FOLDER, writes the graph as JSON

Nothing is run and no video is opened: real_size.py makes sheets of the true number of videos beside the configuration.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from stages.lib.config.load import load_config
from stages.lib.config.sheets import dataset_shards
from tests.workflow.flow import ROOT, clean_environment
from tests.workflow.real_size import real_flow

NODES: Final = 200
"""Jobs under way at once: any number, so that the plan is that for a cluster."""


class Job(NamedTuple):
    """One job: its rule, its wildcards, what it asks for, and the positions of the jobs whose files it reads."""

    rule: str
    wildcards: dict[str, str]
    gpus: int
    threads: int
    local: bool
    priority: int
    outputs: int
    needs: list[int]


@dataclass(frozen=True)
class Graph:
    """The jobs of a run, the videos of each split in each shard of each data set, and what the plan took.

    `folders` counts the files of each folder below results, logs and benchmarks when all is done; `seconds` and `gib` are
    processor time and the largest memory of parsing and planning in a process of its own.
    """

    jobs: list[Job]
    shards: dict[str, dict[str, dict[str, int]]]
    folders: dict[str, int]
    seconds: float
    gib: float

    @property
    def outputs(self) -> int:
        """Number of declared outputs; Snakemake keeps a record of each in .snakemake/metadata."""
        return sum(job.outputs for job in self.jobs)


def grown(raw: Mapping[str, Any], times: int) -> dict[str, Any]:
    """The configuration with so many data sets in place of each, all of the same size."""
    more = {
        f"{key}-{k}": data | {"sheet": data["sheet"].replace("sheet.tsv", f"sheet-{k}.tsv")}
        for key, data in raw["datasets"].items()
        for k in range(2, times + 1)
    }
    return dict(raw) | {"datasets": {**raw["datasets"], **more}}


def given(raw: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration with weights in place of every training of a network or head."""
    tables = {
        table: {key: dict(entry) for key, entry in raw[table].items()} for table in ("backbones", "heads")
    }
    for key, entry in tables["backbones"].items():
        if entry.get("finetune"):
            entry["weights"] = f"weights/{key}.safetensors"
    for key, entry in tables["heads"].items():
        entry["weights"] = f"weights/{key}-head.safetensors"
    return dict(raw) | tables


def plan(raw: Mapping[str, Any], out: Path) -> Graph:
    """The graph of a configuration, planned in a process and folder of its own; kept in the file `out` for the next time."""
    if not out.exists():
        with tempfile.TemporaryDirectory() as folder:
            flow = real_flow(Path(folder), raw)
            words = [sys.executable, "-m", "tests.studies.job_graph", folder, str(out.resolve())]
            subprocess.run(words, cwd=ROOT, env=clean_environment() | flow.env, check=True, timeout=3600)
    return read_graph(out)


def read_graph(path: Path) -> Graph:
    """What `main` wrote."""
    raw = json.loads(path.read_text())
    raw["jobs"] = [Job(*job) for job in raw["jobs"]]
    return Graph(**raw)


def made(folder: Path) -> Graph:
    """The graph of `folder`/config.yaml through Snakemake's own interface; paths count from `folder`."""
    from snakemake.api import SnakemakeApi
    from snakemake.settings.types import ConfigSettings, OutputSettings, Quietness, ResourceSettings

    with SnakemakeApi(OutputSettings(quiet={Quietness.ALL})) as api, contextlib.redirect_stdout(sys.stderr):
        run = api.workflow(
            resource_settings=ResourceSettings(cores=64, nodes=NODES),
            config_settings=ConfigSettings(configfiles=[folder / "config.yaml"]),
            snakefile=ROOT / "Snakefile",
            workdir=folder,
        )
        with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
            run.dag().printd3dag()
        dag, local = run._workflow.dag, run._workflow._localrules
        seconds = time.process_time()
        gib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        planned = list(dag.bfs(dag.dependencies, *dag.targetjobs))[::-1]
        place = {job: k for k, job in enumerate(planned)}
        jobs = [
            _job(job, job.rule.name in local, sorted(place[other] for other in dag.dependencies[job]))
            for job in planned
        ]
        files = Counter(str(Path(path).parent) for job in planned for path in _files(job))
    config = load_config(json.loads(json.dumps(run._workflow.config)))
    with contextlib.chdir(folder):
        shards = {
            key: {
                name: dict(Counter(v.split for v in videos))
                for name, videos in dataset_shards(config, key).items()
            }
            for key in config.datasets
        }
    return Graph(jobs, shards, dict(files), seconds, gib)


def _job(job: Any, local: bool, needs: list[int]) -> Job:
    priority = job.rule.priority
    if callable(priority):
        priority = priority(job.wildcards)
    gpus = int(job.resources.get("gpu", 0))
    wildcards = {key: str(value) for key, value in job.wildcards_dict.items()}
    return Job(job.rule.name, wildcards, gpus, int(job.threads), local, priority, len(job.output), needs)


def _files(job: Any) -> list[str]:
    return [str(path) for path in (*job.output, *job.log, *([job.benchmark] if job.benchmark else []))]


def main(folder: Path, out: Path) -> int:
    """Command line."""
    out.write_text(json.dumps(asdict(made(folder))))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1]), Path(sys.argv[2])))

"""The tables of docs/scale.md: runs in model time on clusters of several sizes, and how graphs, files and bytes grow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
import yaml

from stages.lib.config.root import Config
from tests.studies.job_graph import Graph
from tests.studies.model_time import LOCAL, Cluster, Outcome, Task, simulate
from tests.studies.stage_costs import cost
from tests.workflow.flow import ROOT

PROFILE: Final = yaml.safe_load((ROOT / "profiles" / "slurm" / "profile.yaml").read_text())
SUBMIT: Final = 1.0
"""Seconds of one sbatch (issue 403 of Snakemake's Slurm executor)."""
LOOK: Final = 40.0
"""Seconds between two looks at the states of jobs (that executor's default; up to 180 while nothing changes)."""
ARRAY: Final = 1000
"""The most jobs of an array, which is one submission (its default, too)."""
CORES: Final = 6
"""Cores for jobs without a GPU beside each GPU: of eight, a GPU job holds two."""
STRETCH: Final = 32
"""The most GPUs that one fine-tuning spreads over; what is reported of ACAR-Net was done on 32."""
METADATA: Final = "records in .snakemake/metadata"


class Run(NamedTuple):
    """A checked configuration and its job graph."""

    config: Config
    graph: Graph


def tasks(run: Run, stretch: int = 1, longer: float = 1.0) -> list[Task]:
    """The jobs of a run in model time: a fine-tuning on `stretch` GPUs, and everything `longer` times as long.

    Their rank is what Snakemake's default scheduler weighs: priority, then cores, then the size of what can be removed.
    """
    count = Counter(job.rule for job in run.graph.jobs)
    arrays = PROFILE["slurm-array-jobs"].split(",")
    costs = [cost(run.config, run.graph, job) for job in run.graph.jobs]
    found = []
    for job, money in zip(run.graph.jobs, costs, strict=True):
        wide = stretch if job.rule == "finetune" else 1
        uses = [other for other in job.needs if costs[other].passes] if job.rule == "predict" else []
        found.append(
            Task(
                seconds=money.seconds * longer / wide,
                kind=LOCAL if job.local else "gpu" if job.gpus else "cpu",
                slots=job.gpus * wide if job.gpus else job.threads,
                needs=job.needs,
                rank=(-job.priority, -job.threads, -sum(costs[other].passes for other in uses)),
                submission=1 / min(count[job.rule], ARRAY) if job.rule in arrays else 1,
                keeps=job.rule in ("train", "finetune"),
                scratch=money.passes * longer,
                uses=uses,
            )
        )
    return found


def slurm(gpus: int, **other: object) -> Cluster:
    """A cluster with so many GPUs as profiles/slurm drives it; other arguments as of `Cluster`."""
    asked = {"jobs": PROFILE["jobs"], "submit_seconds": SUBMIT, "look_seconds": LOOK, **other}
    return Cluster({"gpu": gpus, "cpu": CORES * gpus, LOCAL: 2}, **asked)  # type: ignore[arg-type]


def workstation(gpus: int) -> Cluster:
    """One machine on which Snakemake runs the jobs itself."""
    return Cluster({"gpu": gpus, "cpu": CORES * gpus, LOCAL: 2}, ranked=True)


def longest_path(jobs: Sequence[Task]) -> float:
    """Seconds of the longest chain of jobs: no number of GPUs ends a run sooner."""
    ends: dict[int, float] = {}
    for first in range(len(jobs)):
        stack = [first]
        while stack:
            k = stack[-1]
            open_ones = [other for other in jobs[k].needs if other not in ends]
            if open_ones:
                stack += open_ones
            else:
                ends[k] = jobs[k].seconds + max((ends[other] for other in jobs[k].needs), default=0.0)
                stack.pop()
    return max(ends.values())


def gpu_hours(jobs: Sequence[Task]) -> float:
    """Hours of one GPU for all jobs."""
    return sum(job.seconds * job.slots for job in jobs if job.kind == "gpu") / 3600


def page_tables(runs: Mapping[str, Run]) -> str:
    """All tables, in the order of the page."""
    base = runs["given-1"]
    parts = [
        ("Once: wall clock in model time", once(runs)),
        ("Once, weights given, 128 GPUs: what keeps them waiting", waiting(base)),
        ("Once, weights given, 32 GPUs: failures", failures(base)),
        ("More data sets of the same size: what Snakemake carries", growth(runs)),
        ("More data: GPU-hours and wall clock in model time, weights given", more(runs)),
        ("Bytes", sizes(runs)),
        ("Once, weights given: other views that lie on the disk at once", views(runs)),
    ]
    return "\n\n".join(f"### {title}\n\n" + "\n".join(lines) for title, lines in parts)


def once(runs: Mapping[str, Run]) -> Iterator[str]:
    """Each run on workstations of 1 and 8 GPUs and on Slurm with 32 and 128: hours, and the share of GPU time used."""
    yield "| run | jobs | GPU-hours | longest chain, h | 1 GPU | 8 GPUs | 32 GPUs | 128 GPUs |"
    yield "|---|---|---|---|---|---|---|---|"
    rows = [
        ("`ava-kinetics`, weights given", "given-1", 1),
        ("`ava-kinetics`, each fine-tuning on one GPU", "tuned-1", 1),
        ("`ava-kinetics`, each on up to 32 GPUs", "tuned-1", STRETCH),
        ("`ava-kinetics-ensemble`, each on up to 32 GPUs", "grid-1", STRETCH),
    ]
    for name, key, stretch in rows:
        wide = tasks(runs[key], stretch)
        cells = [name, f"{len(wide):,}", f"{gpu_hours(wide):,.0f}", f"{longest_path(wide) / 3600:,.1f}"]
        for gpus in (1, 8, 32, 128):
            cluster = slurm(gpus) if gpus > 8 else workstation(gpus)
            cells.append(_hours(simulate(tasks(runs[key], min(stretch, gpus)), cluster), cluster))
        yield _row(cells)


def waiting(run: Run) -> Iterator[str]:
    """The same run with one cause of waiting after the other."""
    jobs = tasks(run)
    yield "| Slurm | hours, GPUs used |"
    yield "|---|---|"
    rows: list[tuple[str, dict[str, object]]] = [
        (
            "jobs start and end at once, any number under way",
            {"jobs": 1e9, "submit_seconds": 0, "look_seconds": 0},
        ),
        (f"one submission takes {SUBMIT:g} s", {"jobs": 1e9, "look_seconds": 0}),
        (f"and ends are seen every {LOOK:g} s", {"jobs": 1e9}),
        (f"and {PROFILE['jobs']} jobs are under way at most (profiles/slurm)", {}),
        ("and ends are seen every 180 s", {"look_seconds": 180}),
    ]
    for name, other in rows:
        cluster = slurm(128, **other)
        yield _row([name, _hours(simulate(jobs, cluster), cluster)])


def failures(run: Run) -> Iterator[str]:
    """The same run with attempts that die; three attempts in each start of Snakemake (profiles/default: retries: 2)."""
    jobs = tasks(run)
    yield "| failures per GPU-hour | hours, GPUs used | attempts of jobs | GPU-hours lost | starts of Snakemake |"
    yield "|---|---|---|---|---|"
    for rate, source in ((0, ""), (2e-5, " (Llama 3)"), (0.01, ""), (0.1, ""), (0.5, "")):
        cluster = slurm(32, failures={"gpu": rate}, restart_seconds=600)
        outcome = simulate(jobs, cluster)
        lost = outcome.lost["gpu"] / 3600
        yield _row(
            [
                f"{rate:g}{source}",
                _hours(outcome, cluster),
                f"{outcome.attempts:,}",
                f"{lost:,.1f}",
                str(outcome.starts),
            ]
        )


def growth(runs: Mapping[str, Run]) -> Iterator[str]:
    """Jobs, files and what planning took, measured; the last two rows by the fitted line."""
    heads = ["times", "jobs", "dependencies", f"outputs = {METADATA}", "files of results, logs, benchmarks"]
    yield _row([*heads, "fullest folder", "plan, s", "plan, GiB"])
    yield "|---|---|---|---|---|---|---|---|"
    measured = {int(key.split("-")[1]): run.graph for key, run in runs.items() if key.startswith("given-")}
    rows = {times: _counts(graph) for times, graph in sorted(measured.items())}
    for times, row in rows.items():
        yield _row([str(times), *(f"{value:,.0f}" for value in row[:6]), f"{row[6]:.2f}"])
    xs = np.array(list(rows))
    for times in (100, 1000):
        line = [np.polyval(np.polyfit(xs, column, 1), times) for column in np.array(list(rows.values())).T]
        yield _row([f"{times:,} (line)", *(f"{value:,.0f}" for value in line[:6]), f"{line[6]:,.0f}"])


def _counts(graph: Graph) -> list[float]:
    needs = sum(len(job.needs) for job in graph.jobs)
    files = sum(graph.folders.values())
    return [
        len(graph.jobs),
        needs,
        graph.outputs,
        files,
        max(graph.folders.values()),
        graph.seconds,
        graph.gib,
    ]


def more(runs: Mapping[str, Run]) -> Iterator[str]:
    """Once, ten, a hundred times in one run; a thousand times as ten runs of the latter kind one after another."""
    yield "| times | how | GPU-hours | 32 GPUs | 128 GPUs | 1,024 GPUs |"
    yield "|---|---|---|---|---|---|"
    rows = [
        ("1", "one run", "given-1", 1.0, 1),
        ("10", "one run, shards ten times as large", "given-1", 10.0, 1),
        ("10", "one run, ten times as many shards", "given-10", 1.0, 1),
        ("100", "one run, ten times as many shards, each ten times as large", "given-10", 10.0, 1),
        ("1,000", "ten such runs one after another", "given-10", 10.0, 10),
    ]
    for times, how, key, longer, in_row in rows:
        jobs = tasks(runs[key], longer=longer)
        cells = [times, how, f"{gpu_hours(jobs) * in_row:,.0f}"]
        for gpus in (32, 128, 1024):
            cluster = slurm(gpus, jobs=max(PROFILE["jobs"], 2 * gpus))
            cells.append(_hours(simulate(jobs, cluster), cluster, in_row))
        yield _row(cells)


def sizes(runs: Mapping[str, Run]) -> Iterator[str]:
    """Bytes that stay, by stage, and all that pass."""
    yield "| run | decode | canonical maps | banks | predictions | other views, in all |"
    yield "|---|---|---|---|---|---|"
    rows = {
        "1, weights given": "given-1",
        "1, networks fine-tuned": "tuned-1",
        "10, weights given": "given-10",
    }
    for name, key in rows.items():
        run, stays, passes = runs[key], Counter[str](), 0.0
        for job in run.graph.jobs:
            money = cost(run.config, run.graph, job)
            stays[job.rule] += int(money.stays)
            passes += money.passes
        yield _row(
            [name, *(_tb(stays[rule]) for rule in ("decode", "extract", "bank", "predict")), _tb(passes)]
        )


def views(runs: Mapping[str, Run]) -> Iterator[str]:
    """The other views that lie on the disk at once: as it is, without the priorities of rules, with a queue that knows nice."""
    yield "| order of jobs | 1 GPU | 8 GPUs | 32 GPUs, Slurm | 128 GPUs, Slurm |"
    yield "|---|---|---|---|---|"
    plain = tasks(runs["given-1"])
    kinds = [job.rule for job in runs["given-1"].graph.jobs]
    changing = ("detect", "predict", "extract")
    rows = {
        "detect, predict and extract of one priority": [
            task._replace(rank=(0.0, *task.rank[1:])) if kind in changing else task
            for task, kind in zip(plain, kinds, strict=True)
        ],
        "as it is": plain,
        "and extract with --nice": [
            task._replace(nice=int(kind == "extract")) for task, kind in zip(plain, kinds, strict=True)
        ],
    }
    for name, jobs in rows.items():
        clusters = [workstation(1), workstation(8), slurm(32), slurm(128)]
        yield _row([name, *(_tb(simulate(jobs, cluster).scratch) for cluster in clusters)])


def _tb(amount: float) -> str:
    return f"{amount / 1e12:,.3g} TB"


def _hours(outcome: Outcome, cluster: Cluster, in_row: int = 1) -> str:
    hours = outcome.seconds * in_row / 3600
    text = f"{hours:,.1f} h" if hours < 100 else f"{hours / 24:,.0f} days"
    return f"{text}, {outcome.use(cluster, 'gpu'):.0%}"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"

"""How far a run is, from what Snakemake wrote: its newest log, its locks, and the logs of the jobs.

The log names each job when it starts, is finished or fails; jobs of a cluster count as running from their submission.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from stages.lib.errors import StageError

_MOMENT: Final = re.compile(r"\[(\w{3} \w{3} +\d+ [\d:]{8} \d{4})\]$")
_START: Final = re.compile(r"(?:local)?(?:rule|checkpoint) (\w+):$")
_END: Final = re.compile(r"Finished jobid: (\d+) ")
_FAULT: Final = re.compile(r"Error in rule \w+:$")
_FIELD: Final = re.compile(r" +(jobid|log|wildcards): (.+)$")
_COUNT: Final = re.compile(r"(\w+) +(\d+)$")
_PROGRESS: Final = re.compile(r"[\d:]{8} .*\((\d+ %)\)")
_LEFT_OUT: Final = re.compile(r"decode done in .*?broken (\d+), missing (\d+)")
_TOTAL: Final = "total"


@dataclass
class Job:
    """A job that was started: its rule, when, its wildcards and log, and when it was finished."""

    rule: str
    started: datetime
    wildcards: str = ""
    log: str = ""
    finished: datetime | None = None
    failed: bool = False

    @property
    def running(self) -> bool:
        """Started, and neither finished nor failed."""
        return self.finished is None and not self.failed


@dataclass
class Run:
    """What one run has said so far: jobs planned by rule, started ones by number, first and last moment."""

    planned: dict[str, int] = field(default_factory=dict)
    jobs: dict[str, Job] = field(default_factory=dict)
    first: datetime | None = None
    last: datetime | None = None


@dataclass(frozen=True)
class Row:
    """Jobs of one rule; `seconds` is the mean time of finished ones, None before the first."""

    rule: str
    planned: int
    finished: int
    running: int
    failed: int
    seconds: float | None

    @property
    def left(self) -> int:
        """Jobs that are not finished, those under way included."""
        return self.planned - self.finished


def status(folder: Path, now: datetime) -> str:
    """The newest run of a working folder: jobs by rule, how long the rest may take, what runs, videos that are left out.

    Raises:
        StageError: no run has left a log there.
    """
    logs = sorted((folder / ".snakemake/log").glob("*.snakemake.log"), key=lambda path: path.stat().st_mtime)
    if not logs:
        where = str(folder / ".snakemake/log")
        raise StageError("no run has left a log here", where, "start one, or name its folder: --directory")
    run = read_run(logs[-1].read_text(errors="replace").splitlines())
    if run.first is None or run.last is None:
        return "nothing was to be done, or the plan is still being made"
    alive = any((folder / ".snakemake/locks").glob("*"))
    return "\n".join(_lines(run, run.first, now if alive else run.last, folder, alive))


def read_run(lines: Sequence[str]) -> Run:
    """The jobs that one log speaks of, in the words of Snakemake 9; a job that is tried again counts as new."""
    run, job = Run(), Job("", datetime.min)
    moment = None
    fault = counting = False
    for line in lines:
        if found := _MOMENT.match(line):
            moment = datetime.strptime(found[1], "%a %b %d %H:%M:%S %Y")
            run.first, run.last = run.first or moment, moment
        elif line == "Job stats:":
            counting = not run.planned
        elif counting and (found := _COUNT.match(line)):
            counting = found[1] != _TOTAL
            if counting:
                run.planned[found[1]] = int(found[2])
        elif moment and (found := _START.match(line)):
            job, fault = Job(found[1], moment), False
        elif _FAULT.match(line):
            fault = True
        elif moment and (found := _END.match(line)) and found[1] in run.jobs:
            run.jobs[found[1]].finished = moment
        elif found := _FIELD.match(line):
            _note(run, job, found[1], found[2], fault)
    return run


def _note(run: Run, job: Job, name: str, text: str, fault: bool) -> None:
    """Takes a line of the block of a job that starts, or of one that failed."""
    if fault:
        if name == "jobid" and text in run.jobs:
            run.jobs[text].failed = True
    elif name == "jobid":
        run.jobs[text] = job
    elif name == "log":
        job.log = text
    else:
        job.wildcards = " ".join(part.partition("=")[2] for part in text.split(", "))


def _lines(run: Run, first: datetime, now: datetime, folder: Path, alive: bool) -> Iterator[str]:
    yield f"begun {first:%Y-%m-%d %H:%M:%S}, {'running' if alive else 'ended'}: {_duration(now - first)}"
    rows = [_row(rule, count, run) for rule, count in run.planned.items()]
    width = max(len(row.rule) for row in rows) if rows else 0
    yield ""
    yield f"{'rule':{width}}  planned  done  running  failed  left    mean"
    for row in [*rows, _sum(rows)]:
        mean = "" if row.seconds is None else f"{row.seconds:.0f} s"
        yield (
            f"{row.rule:{width}}  {row.planned:7}  {row.finished:4}  {row.running:7}  {row.failed:6}  {row.left:4}  {mean:>6}"
        )
    yield ""
    if alive:
        yield _prospect(rows, run, first, now)
        for job in run.jobs.values():
            if job.running:
                yield f"  {job.rule} {job.wildcards}: {_duration(now - job.started)}{_progress(folder / job.log)}"
    broken, missing = _left_out(folder, run)
    yield f"videos left out by this run: {broken} broken, {missing} missing"


def _row(rule: str, planned: int, run: Run) -> Row:
    jobs = [job for job in run.jobs.values() if job.rule == rule]
    times = [(job.finished - job.started).total_seconds() for job in jobs if job.finished is not None]
    mean = sum(times) / len(times) if times else None
    return Row(
        rule, planned, len(times), sum(job.running for job in jobs), sum(job.failed for job in jobs), mean
    )


def _sum(rows: Sequence[Row]) -> Row:
    numbers = [[row.planned, row.finished, row.running, row.failed] for row in rows]
    planned, finished, running, failed = (sum(column) for column in zip(*numbers, strict=True))
    return Row(_TOTAL, planned, finished, running, failed, None)


def _prospect(rows: Sequence[Row], run: Run, first: datetime, now: datetime) -> str:
    """Jobs at once so far, and the time that the rest takes at that rate, from the mean time of each rule's jobs."""
    busy = sum(((job.finished or now) - job.started).total_seconds() for job in run.jobs.values())
    at_once = busy / max((now - first).total_seconds(), 1.0)
    under_way = sum((now - job.started).total_seconds() for job in run.jobs.values() if job.running)
    known = sum(row.left * row.seconds for row in rows if row.seconds is not None)
    unknown = [row.rule for row in rows if row.seconds is None and row.left and row.rule != "all"]
    left = max(known - under_way, 0.0) / max(at_once, 0.01)
    text = f"{at_once:.1f} jobs at once; about {_seconds(left)} left"
    return f"{text}, and the time of {', '.join(unknown)}" if unknown else text


def _progress(log: Path) -> str:
    """What the log of a job under way says last about its share."""
    try:
        found = [
            match[1]
            for line in log.read_text(errors="replace").splitlines()
            if (match := _PROGRESS.match(line))
        ]
    except OSError:
        return ""
    return f", {found[-1]}" if found else ""


def _left_out(folder: Path, run: Run) -> tuple[int, int]:
    """Broken and missing videos, as the finished jobs of `decode` say in their last lines."""
    broken = missing = 0
    for job in run.jobs.values():
        if job.rule == "decode" and job.finished and (folder / job.log).is_file():
            found = _LEFT_OUT.search((folder / job.log).read_text(errors="replace"))
            broken, missing = (
                (broken + int(found[1]), missing + int(found[2])) if found else (broken, missing)
            )
    return broken, missing


def _duration(time: timedelta) -> str:
    return _seconds(time.total_seconds())


def _seconds(seconds: float) -> str:
    hours, rest = divmod(round(seconds), 3600)
    return f"{hours} h {rest // 60:02} min" if hours else f"{rest // 60} min {rest % 60:02} s"

"""Runs of a job graph in model time: a list scheduler as Snakemake and Slurm form one together. Nothing is executed.

Snakemake hands out what is ready, by rank and then in the graph's order, as long as fewer than `jobs` are under way, one
submission after another. The cluster starts what has arrived in that order, per kind of slot (GPUs, cores), except that
jobs with a larger `nice` wait for the others; where there is no cluster, Snakemake starts the jobs, by their rank. The
end of a job is seen at the next look at the states. A failed attempt loses its work unless the task keeps it, and is handed out
again; when its attempts are spent it is left, and everything behind it, until Snakemake is started once more.
"""

from __future__ import annotations

import heapq
import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

LOCAL = "local"
"""The kind of slot beside Snakemake itself: needs no submission, and no look to see that it is over."""


class Task(NamedTuple):
    """One job: model seconds, the slots it holds, the tasks it waits for, and bytes on disk until all who use them are done.

    `uses` are those among `needs` whose bytes it reads. Of several that are ready the one with the smallest `rank` goes
    first. `submission` is its share of one (jobs of an array go out together); `keeps` says that a second attempt goes
    on where the first one failed.
    """

    seconds: float
    kind: str = "cpu"
    slots: int = 1
    needs: Sequence[int] = ()
    rank: tuple[float, ...] = ()
    submission: float = 1.0
    keeps: bool = False
    scratch: float = 0.0
    uses: Sequence[int] = ()
    nice: int = 0


@dataclass(frozen=True)
class Cluster:
    """Slots of each kind, and how they are reached; the defaults cost nothing.

    `ranked` says that there is no queue but Snakemake's own. `failures` are per slot and hour of that kind, at random
    with that rate.
    """

    slots: Mapping[str, int]
    ranked: bool = False
    jobs: float = float("inf")
    submit_seconds: float = 0.0
    look_seconds: float = 0.0
    failures: Mapping[str, float] = field(default_factory=dict)
    attempts: int = 3
    restart_seconds: float = 0.0
    seed: int = 0


@dataclass
class Outcome:
    """What a run took: seconds to the end, slot-seconds that were held and lost by kind, attempts, starts of Snakemake, bytes."""

    seconds: float = 0.0
    held: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    lost: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    attempts: int = 0
    starts: int = 1
    scratch: float = 0.0

    def use(self, cluster: Cluster, kind: str) -> float:
        """The share of a kind's slot-seconds that was worked in and not lost, of 1."""
        return (self.held[kind] - self.lost[kind]) / (self.seconds * cluster.slots[kind])


def simulate(tasks: Sequence[Task], cluster: Cluster) -> Outcome:
    """Run the tasks to the end.

    Raises:
        ValueError: a task asks for more slots than there are, or waits for itself.
    """
    for task in tasks:
        if task.slots > cluster.slots.get(task.kind, 0):
            raise ValueError(
                f"{task.slots} {task.kind} slots wanted, {cluster.slots.get(task.kind, 0)} there"
            )
    run = _Run(tasks, cluster)
    run.play()
    if run.done < len(tasks):
        raise ValueError(f"{len(tasks) - run.done} tasks wait for each other")
    return run.outcome


class _Run:
    def __init__(self, tasks: Sequence[Task], cluster: Cluster) -> None:
        self.tasks, self.cluster, self.outcome = tasks, cluster, Outcome()
        self.now, self.sender, self.under_way, self.done = 0.0, 0.0, 0, 0
        self.heirs: list[list[int]] = [[] for _ in tasks]
        for k, task in enumerate(tasks):
            for other in task.needs:
                self.heirs[other].append(k)
        self.missing = [len(task.needs) for task in tasks]
        self.users = [0] * len(tasks)
        for task in tasks:
            for other in task.uses:
                self.users[other] += 1
        self.left = [task.seconds for task in tasks]
        self.attempts = [0] * len(tasks)
        self.given_up: list[int] = []
        self.ready: list[tuple[tuple[float, ...], int]] = []
        self.events: list[tuple[float, int, Literal["arrives", "ends", "seen"], int, bool]] = []
        self.count, self.bytes = 0, 0.0
        self.waiting: dict[str, list[tuple[tuple[float, ...], int, int]]] = defaultdict(list)
        self.free = dict(cluster.slots)
        self.chance = random.Random(cluster.seed)

    def play(self) -> None:
        for k, missing in enumerate(self.missing):
            if not missing:
                self._offer(k)
        self._hand_out()
        while self.events or self.given_up:
            if not self.events:
                self._start_again()
            self.now, _, what, k, well = heapq.heappop(self.events)
            if what == "arrives":
                self._queue(k)
            elif what == "ends":
                self._end(k, well)
            else:
                self._see(k, well)
            self._hand_out()
        self.outcome.seconds = self.now

    def _later(
        self, when: float, what: Literal["arrives", "ends", "seen"], k: int, well: bool = True
    ) -> None:
        self.count += 1
        heapq.heappush(self.events, (when, self.count, what, k, well))

    def _offer(self, k: int) -> None:
        if self.tasks[k].kind == LOCAL:
            self._later(self.now, "arrives", k)
        else:
            heapq.heappush(self.ready, (self.tasks[k].rank, k))

    def _hand_out(self) -> None:
        while self.ready and self.under_way < self.cluster.jobs:
            k = heapq.heappop(self.ready)[1]
            self.under_way += 1
            share = self.cluster.submit_seconds * self.tasks[k].submission
            self.sender = max(self.sender, self.now) + share
            self._later(self.sender, "arrives", k)

    def _queue(self, k: int) -> None:
        task = self.tasks[k]
        self.count += 1
        order = (task.rank, k) if self.cluster.ranked else ((float(task.nice),), self.count)
        heapq.heappush(self.waiting[task.kind], (*order, k))
        self._place(task.kind)

    def _place(self, kind: str) -> None:
        queue = self.waiting[kind]
        while queue and self.tasks[queue[0][2]].slots <= self.free[kind]:
            k = heapq.heappop(queue)[2]
            task = self.tasks[k]
            self.free[kind] -= task.slots
            self.outcome.attempts += 1
            rate = self.cluster.failures.get(kind, 0.0) * task.slots / 3600
            fails = self.chance.expovariate(rate) if rate else float("inf")
            lasts, well = min(fails, self.left[k]), fails >= self.left[k]
            self.outcome.held[kind] += lasts * task.slots
            if task.keeps:
                self.left[k] -= lasts
            elif not well:
                self.outcome.lost[kind] += lasts * task.slots
            self.bytes += task.scratch
            self.outcome.scratch = max(self.outcome.scratch, self.bytes)
            self._later(self.now + lasts, "ends", k, well)

    def _end(self, k: int, well: bool) -> None:
        task = self.tasks[k]
        self.free[task.kind] += task.slots
        if not well or not self.users[k]:
            self.bytes -= task.scratch
        self._place(task.kind)
        look = self.cluster.look_seconds
        seen = self.now if not look or task.kind == LOCAL else (self.now // look + 1) * look
        self._later(seen, "seen", k, well)

    def _see(self, k: int, well: bool) -> None:
        task = self.tasks[k]
        self.under_way -= task.kind != LOCAL
        if not well:
            self.attempts[k] += 1
            spent = self.attempts[k] >= self.cluster.attempts
            self.given_up.append(k) if spent else self._offer(k)
            return
        self.done += 1
        for other in self.heirs[k]:
            self.missing[other] -= 1
            if not self.missing[other]:
                self._offer(other)
        for other in task.uses:
            self.users[other] -= 1
            if not self.users[other]:
                self.bytes -= self.tasks[other].scratch

    def _start_again(self) -> None:
        self.now += self.cluster.restart_seconds
        self.outcome.starts += 1
        for k in self.given_up:
            self.attempts[k] = 0
            self._offer(k)
        self.given_up = []
        self._hand_out()

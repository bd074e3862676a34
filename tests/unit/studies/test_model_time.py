"""The scheduler in model time against closed formulas and known bounds."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.studies.model_time import LOCAL, Cluster, Task, simulate


@pytest.mark.parametrize(("jobs", "slots"), [(1, 1), (10, 3), (12, 4), (3, 8)])
def test_equal_jobs_take_whole_rounds(jobs: int, slots: int) -> None:
    outcome = simulate([Task(7.0)] * jobs, cluster := Cluster({"cpu": slots}))
    assert outcome.seconds == math.ceil(jobs / slots) * 7
    assert outcome.use(cluster, "cpu") == pytest.approx(jobs / (math.ceil(jobs / slots) * slots))


def test_a_chain_takes_the_sum() -> None:
    tasks = [Task(float(k), needs=[k - 1] if k else []) for k in range(20)]
    assert simulate(tasks, Cluster({"cpu": 5})).seconds == sum(range(20))


def test_a_fan_in_of_two_levels() -> None:
    """20 shards on 6 slots, joined by fours, the five joined by one; the tasks stand in the wrong order on purpose."""
    middle, shards = range(1, 6), range(6, 26)
    tasks = [Task(11.0, needs=[*middle])]
    tasks += [Task(5.0, needs=[shards[4 * k + j] for j in range(4)]) for k in range(5)]
    tasks += [Task(3.0)] * 20
    wide = simulate(tasks, Cluster({"cpu": 100}))
    assert wide.seconds == 3 + 5 + 11
    # Rounds of six shards: of the joins one can start after 3 s, two after 6 s, one after 9 s, the last after 12 s.
    assert simulate(tasks, Cluster({"cpu": 6})).seconds == 12 + 5 + 11
    assert simulate(tasks, Cluster({"cpu": 1})).seconds == 20 * 3 + 5 * 5 + 11


def test_submissions_follow_each_other() -> None:
    tasks = [Task(0.5)] * 30
    assert simulate(tasks, Cluster({"cpu": 30}, submit_seconds=2)).seconds == 30 * 2 + 0.5
    grouped = [task._replace(submission=1 / 10) for task in tasks]
    assert simulate(grouped, Cluster({"cpu": 30}, submit_seconds=2)).seconds == pytest.approx(
        30 / 10 * 2 + 0.5
    )


def test_no_more_are_under_way_than_allowed() -> None:
    assert simulate([Task(4.0)] * 12, Cluster({"cpu": 100}, jobs=3)).seconds == 4 * 4.0


def test_jobs_that_only_wait_fill_the_limit() -> None:
    """Four of one kind are under way, one of them runs: those of the other kind are not even handed out."""
    tasks = [Task(10.0)] * 4 + [Task(1.0, "gpu")]
    assert simulate(tasks, Cluster({"cpu": 1, "gpu": 1}, jobs=4)).seconds == 40
    assert simulate(tasks[::-1], Cluster({"cpu": 1, "gpu": 1}, jobs=4)).seconds == 40
    late = simulate([*tasks, Task(35.0, "gpu", needs=[4])], Cluster({"cpu": 1, "gpu": 1}, jobs=4))
    assert late.seconds == 10 + 1 + 35


def test_ends_are_seen_at_the_next_look() -> None:
    chain = [Task(7.0, needs=[k - 1] if k else []) for k in range(3)]
    assert simulate(chain, Cluster({"cpu": 1}, look_seconds=10)).seconds == 30
    near = [task._replace(kind=LOCAL) for task in chain]
    assert simulate(near, Cluster({LOCAL: 1}, look_seconds=10)).seconds == 21


def test_the_smallest_rank_goes_first() -> None:
    tasks = [Task(5.0, rank=(0, 0)), Task(5.0, rank=(0, -1)), Task(20.0, "gpu", needs=[1])]
    assert simulate(tasks, Cluster({"cpu": 1, "gpu": 1})).seconds == 5 + 20


def test_the_queue_of_a_cluster_knows_nice_but_no_rank() -> None:
    """Nine are in the queue before the heir of the first is ready: it waits for them unless they are nice, or fewer.

    In any case the second begins when the first ends, before the heir is offered.
    """
    plain = Task(1.0, rank=(0.0,))
    heirs = [Task(1.0, rank=(-1.0,), needs=[0]), Task(30.0, "gpu", needs=[10])]
    slots = {"cpu": 1, "gpu": 1}
    assert simulate([*[plain] * 10, *heirs], Cluster(slots)).seconds == 11 + 30
    assert simulate([*[plain] * 10, *heirs], Cluster(slots, jobs=4)).seconds == 5 + 30
    assert simulate([*[plain] * 10, *heirs], Cluster(slots, ranked=True)).seconds == 3 + 30
    polite = plain._replace(nice=1)
    assert simulate([plain, *[polite] * 9, *heirs], Cluster(slots)).seconds == 3 + 30


def test_wide_jobs_wait_for_all_their_slots() -> None:
    tasks = [Task(3.0), Task(8.0, slots=4), Task(2.0)]
    assert simulate(tasks, Cluster({"cpu": 4})).seconds == 3 + 8 + 2


def test_bytes_lie_until_the_last_reader_is_done() -> None:
    """Two writers on one slot, and their readers: the second map is made before the first is read, unless readers go first."""
    tasks = [
        Task(1.0, scratch=5.0),
        Task(1.0, scratch=5.0),
        *(Task(1.0, needs=[k], uses=[k]) for k in (0, 1)),
    ]
    tasks.append(Task(1.0, needs=[0, 1]))
    assert simulate(tasks, Cluster({"cpu": 1})).scratch == 10
    first = [task._replace(rank=(-1.0,) if task.uses else (0.0,)) for task in tasks]
    assert simulate(first, Cluster({"cpu": 1}, jobs=1)).scratch == 5


def test_lost_work_follows_the_law_of_restarts() -> None:
    """A job of d hours that fails at rate r and begins anew holds its slot (e^(rd) - 1) / r hours on average."""
    rate, hours, many = 0.5, 1.5, 4_000
    cluster = Cluster({"gpu": many}, failures={"gpu": rate}, attempts=10**6, seed=3)
    outcome = simulate([Task(hours * 3600, "gpu")] * many, cluster)
    expected = (math.exp(rate * hours) - 1) / rate
    assert outcome.held["gpu"] / 3600 / many == pytest.approx(expected, rel=0.03)
    assert outcome.attempts / many == pytest.approx(math.exp(rate * hours), rel=0.03)
    assert outcome.held["gpu"] - outcome.lost["gpu"] == pytest.approx(hours * 3600 * many)
    kept = simulate([Task(hours * 3600, "gpu", keeps=True)] * many, cluster)
    assert kept.held["gpu"] == pytest.approx(hours * 3600 * many) and kept.lost["gpu"] == 0


def test_spent_attempts_wait_for_the_next_start() -> None:
    """Of n jobs a share p^3 is left after three attempts, and what hangs on them; everything is done in the end."""
    many, chance = 1_000, 1 - math.exp(-1.0)
    tasks = [Task(3600.0, "gpu")] * many + [Task(1.0, needs=[k]) for k in range(many)]
    cluster = Cluster({"gpu": many, "cpu": many}, failures={"gpu": 1.0}, restart_seconds=1e6, seed=1)
    outcome = simulate(tasks, cluster)
    mean_of_starts = sum(1 - (1 - chance ** (3 * k)) ** many for k in range(40))
    assert abs(outcome.starts - mean_of_starts) < 4
    assert outcome.seconds > (outcome.starts - 1) * 1e6


def test_what_cannot_end_is_refused() -> None:
    with pytest.raises(ValueError, match="2 gpu slots wanted, 1 there"):
        simulate([Task(1.0, "gpu", 2)], Cluster({"gpu": 1}))
    with pytest.raises(ValueError, match="2 tasks wait for each other"):
        simulate([Task(1.0), Task(1.0, needs=[2]), Task(1.0, needs=[1])], Cluster({"cpu": 1}))


@st.composite
def graphs(draw: st.DrawFn) -> list[Task]:
    count = draw(st.integers(1, 25))
    return [
        Task(
            draw(st.floats(0, 100)),
            needs=sorted(draw(st.sets(st.integers(0, k - 1), max_size=3))) if k else [],
            rank=(draw(st.integers(0, 2)),),
        )
        for k in range(count)
    ]


@settings(deadline=None, max_examples=40)
@given(tasks=graphs(), slots=st.integers(1, 6))
def test_between_the_bounds_of_list_scheduling(tasks: list[Task], slots: int) -> None:
    """max(W/m, C) <= makespan <= W/m + (1 - 1/m) C for work W, longest path C and m slots (Graham 1966)."""
    longest: list[float] = []
    for task in tasks:
        longest.append(task.seconds + max((longest[other] for other in task.needs), default=0.0))
    work, path = sum(task.seconds for task in tasks) / slots, max(longest)
    found = simulate(tasks, Cluster({"cpu": slots})).seconds
    assert max(work, path) * (1 - 1e-9) <= found <= (work + (1 - 1 / slots) * path) * (1 + 1e-9)

"""Work on several items at once in threads: numpy leaves the interpreter to others while it computes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def thread_count() -> int:
    """OMP_NUM_THREADS, which Snakemake sets to a rule's threads, else the processors this process may use."""
    given = os.environ.get("OMP_NUM_THREADS", "")
    return int(given) if given.isdigit() and int(given) > 0 else len(os.sched_getaffinity(0))


def in_threads(work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """`work(item)` of each item, in the order of the items; no more than a thread each is under way or waits to be taken.

    Raises whatever `work` raises, for the first item that fails.
    """
    count, waiting = thread_count(), iter(items)
    with ThreadPoolExecutor(count) as pool:
        jobs = [pool.submit(work, item) for item in islice(waiting, count)]
        while jobs:
            result = jobs.pop(0).result()
            jobs += [pool.submit(work, item) for item in islice(waiting, 1)]
            yield result

"""Work on several items at once: in threads where numpy leaves the interpreter to others, in processes where not."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from threading import Thread
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def thread_count() -> int:
    """OMP_NUM_THREADS, which Snakemake sets to a rule's threads, else the processors this process may use."""
    given = os.environ.get("OMP_NUM_THREADS", "")
    return int(given) if given.isdigit() and int(given) > 0 else len(os.sched_getaffinity(0))


def in_threads(work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """`work(item)` of each item, in the order of the items; as many as there are threads wait or are ready beside those at work.

    Raises whatever `work` raises, for the first item that fails.
    """
    count = thread_count()
    with ThreadPoolExecutor(count) as pool:
        yield from _in_order(pool, work, items, count)


def in_processes(
    work: Callable[[Item], Result], items: Iterable[Item], count: int | None = None
) -> Iterator[Result]:
    """As `in_threads`, in `count` processes (`thread_count()`): HDF5 and Python code keep threads waiting for each other.

    `work`, items and results have to be picklable. A count of one starts none. They end with this process.

    Raises:
        MemoryError: a process was killed, as the system does when memory runs out.
    """
    count = thread_count() if count is None else count
    if count == 1:
        yield from map(work, items)
        return
    method = multiprocessing.get_context("forkserver")
    try:
        with ProcessPoolExecutor(count, method, initializer=_end_with_parent) as pool:
            yield from _in_order(pool, work, items, count)
    except BrokenProcessPool as error:
        raise MemoryError(f"a process was killed, probably for want of memory ({error})") from error


def _in_order(
    pool: Executor, work: Callable[[Item], Result], items: Iterable[Item], count: int
) -> Iterator[Result]:
    waiting = iter(items)
    jobs = [pool.submit(work, item) for item in islice(waiting, 2 * count)]
    while jobs:
        result = jobs.pop(0).result()
        jobs += [pool.submit(work, item) for item in islice(waiting, 1)]
        yield result


def _end_with_parent() -> None:
    """Ends this process as soon as the one that started it is gone: it would wait for work forever."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    Thread(target=watch, daemon=True).start()

"""Work in threads and processes: order, numbers under way, faults, the end of either side."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from stages.lib.parallel import in_processes, in_threads, thread_count


def test_results_come_in_the_order_of_the_items(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")

    def work(n: int) -> int:
        time.sleep(0.02 * (n % 3 == 0))
        return n * n

    assert list(in_threads(work, range(10))) == [n * n for n in range(10)]
    assert list(in_threads(work, [])) == []


def test_no_more_at_once_than_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two meet at the barrier, which a single thread would never leave; a third never enters beside them."""
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    barrier, lock, under_way = threading.Barrier(2), threading.Lock(), []

    def work(n: int) -> int:
        with lock:
            under_way.append(n)
            count = len(under_way)
        barrier.wait(10)
        with lock:
            under_way.remove(n)
        return count

    assert max(in_threads(work, range(6))) == 2


def test_the_first_fault_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    with pytest.raises(ZeroDivisionError):
        list(in_threads(lambda n: 1 // n, [2, 1, 0, 1]))


def test_snakemake_says_how_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    assert thread_count() == 5
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert thread_count() >= 1


def number_and_process(n: int) -> tuple[int, int]:
    time.sleep(0.05)
    return 10 // n, os.getpid()


@pytest.mark.fault("F20")
def test_processes_give_results_in_order_and_are_others() -> None:
    results = list(in_processes(number_and_process, [5, 4, 3, 2, 1, 2], 2))
    assert [result for result, _ in results] == [2, 2, 3, 5, 10, 5]
    assert os.getpid() not in {process for _, process in results} and len({p for _, p in results}) == 2
    assert list(in_processes(number_and_process, [2], 1)) == [(5, os.getpid())]


def test_a_fault_in_a_process_is_raised_here() -> None:
    with pytest.raises(ZeroDivisionError):
        list(in_processes(number_and_process, [2, 1, 0, 1], 2))


def die(n: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return n


@pytest.mark.fault("F20")
def test_a_killed_process_means_want_of_memory() -> None:
    with pytest.raises(MemoryError, match="killed"):
        list(in_processes(die, range(3), 2))


def say_and_sleep(folder: Path, n: int) -> None:
    (folder / f"{n}.{os.getpid()}").touch()
    time.sleep(60)


PROGRAM = """
from functools import partial
from pathlib import Path
from stages.lib.parallel import in_processes
from tests.unit.lib.test_parallel import say_and_sleep
if __name__ == "__main__":
    list(in_processes(partial(say_and_sleep, Path({folder!r})), range(2), 2))
"""


@pytest.mark.fault("F20")
def test_processes_end_with_the_one_that_started_them(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM.format(folder=str(tmp_path / "said")))
    (tmp_path / "said").mkdir()
    root = Path(__file__).parents[3]
    started = subprocess.Popen(
        [sys.executable, str(program)], env=os.environ | {"PYTHONPATH": str(root)}, stderr=subprocess.DEVNULL
    )
    until(lambda: len(list((tmp_path / "said").iterdir())) == 2)
    workers = [int(file.suffix[1:]) for file in (tmp_path / "said").iterdir()]
    started.kill()
    started.wait()
    until(lambda: not any(Path(f"/proc/{worker}").exists() for worker in workers))


def until(condition: Callable[[], bool]) -> None:
    """Waits up to 40 s, well below the workers' own minute."""
    deadline = time.monotonic() + 40
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)

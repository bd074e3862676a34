"""Work in threads: order, numbers under way, faults."""

from __future__ import annotations

import threading
import time

import pytest

from stages.lib.threads import in_threads, thread_count


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

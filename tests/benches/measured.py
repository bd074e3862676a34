"""Commands measured as a user runs them, and the time that the functions inside one take."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

Phase = tuple[str, Any, str]
"""Title, the module or class that holds a function, and the function's name."""


@dataclass(frozen=True)
class Run:
    """Wall-clock seconds, processor seconds and peak memory in GiB of one command."""

    wall: float
    cpu: float
    memory: float


def run_module(module: str, words: Sequence[str]) -> Run:
    """`python -m module words` in a process of its own; RuntimeError with its messages when it fails."""
    start = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", module, *words], stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    message = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(message)
    return Run(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 2**20)


def phases(work: Callable[[], int], parts: Sequence[Phase]) -> dict[str, float]:
    """Seconds of each part of a command that is run inside this process, and of `the rest`, what lies between them."""
    spent: dict[str, float] = {}
    with ExitStack() as stack:
        for name, holder, function in parts:
            stack.enter_context(_timed(spent, name, holder, function))
        start = time.perf_counter()
        assert work() == 0
        whole = time.perf_counter() - start
    spent["the rest"] = whole - sum(spent.values())
    return spent


@contextmanager
def _timed(spent: dict[str, float], name: str, holder: Any, function: str) -> Iterator[None]:
    work: Callable[..., Any] = getattr(holder, function)

    def timed(*args: Any, **more: Any) -> Any:
        start = time.perf_counter()
        try:
            return work(*args, **more)
        finally:
            spent[name] = spent.get(name, 0.0) + time.perf_counter() - start

    with patch.object(holder, function, timed):
        yield

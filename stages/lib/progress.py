"""Progress: a bar on a terminal, one line per ten per cent in a log."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

Item = TypeVar("Item")
_log = logging.getLogger(__name__)


class Progress:
    """Shows how much of a total is done, for work that is no plain loop; see `track` for one that is."""

    def __init__(self, total: int, what: str) -> None:
        self.total, self.what, self.done = total, what, 0
        self._start, self._shown = time.monotonic(), 0
        self._bar = tqdm(total=total, desc=what, unit="", leave=False) if sys.stderr.isatty() else None

    def add(self, count: int = 1) -> None:
        """So many more are done."""
        self.reach(self.done + count)

    def reach(self, done: int) -> None:
        """So many are done in all."""
        if self._bar is not None:
            self._bar.update(done - self.done)
        self.done = done
        tenth = 10 * done // max(self.total, 1)
        if self._bar is None and tenth > self._shown:
            self._shown, seconds = tenth, time.monotonic() - self._start
            _log.info("%s: %d of %d (%d %%), %.0f s", self.what, done, self.total, 10 * tenth, seconds)

    def close(self) -> None:
        """Takes the bar away."""
        if self._bar is not None:
            self._bar.close()


def track(items: Iterable[Item], total: int, what: str) -> Iterator[Item]:
    """Yield `items` and show how many of `total` are done."""
    progress = Progress(total, what)
    try:
        for item in items:
            yield item
            progress.add()
    finally:
        progress.close()

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


def track(items: Iterable[Item], total: int, what: str) -> Iterator[Item]:
    """Yield `items` and show how many of `total` are done."""
    if sys.stderr.isatty():
        yield from tqdm(items, total=total, desc=what, unit="", leave=False)
        return
    start, shown = time.monotonic(), 0
    for count, item in enumerate(items, start=1):
        yield item
        tenth = 10 * count // max(total, 1)
        if tenth > shown:
            shown = tenth
            _log.info(
                "%s: %d of %d (%d %%), %.0f s", what, count, total, 10 * tenth, time.monotonic() - start
            )

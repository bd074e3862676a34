"""Want of memory: told from other faults, and met with smaller batches."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import TypeVar

Result = TypeVar("Result")

_log = logging.getLogger(__name__)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out: Python's error, torch's on a GPU (by name, without importing torch), or its plain one on a CPU."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return isinstance(error, RuntimeError) and "can't allocate memory" in str(error)


class Batches:
    """How many items share a forward pass: `size`, halved for good whenever memory runs out."""

    def __init__(self, size: int) -> None:
        self.size = self.configured = size

    def of(self, count: int, work: Callable[[slice], Result]) -> Iterator[Result]:
        """`work(items)` for slices of `count` items, in their order; one that meets want of memory is tried again in halves.

        Raises whatever `work` raises, want of memory for a single item included.
        """
        first = 0
        while first < count:
            items = slice(first, min(first + self.size, count))
            done = self._tried(items, work)
            if done:
                yield done[0]
                first = items.stop

    def _tried(self, items: slice, work: Callable[[slice], Result]) -> tuple[Result] | None:
        """None after a halving; the error, which holds on to tensors, is gone by then."""
        try:
            return (work(items),)
        except (MemoryError, RuntimeError) as error:
            if items.stop - items.start == 1 or not is_out_of_memory(error):
                raise
        self.size = (items.stop - items.start) // 2
        _log.warning(
            "out of memory with a batch of %d: going on with %d", items.stop - items.start, self.size
        )
        return None

    @property
    def used(self) -> dict[str, int]:
        """What a log and an artifact say of the batch: its size where it was halved, else nothing."""
        return {} if self.size == self.configured else {"batch": self.size}

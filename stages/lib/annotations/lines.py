"""Comma-separated lines of a large file, split in blocks without a Python loop over rows.

A block is a few MiB of whole lines; two threads parse blocks side by side (numpy releases the lock). A fault is
raised with its line inside the block and leaves as a StageError with file and line.
"""

from __future__ import annotations

import itertools
import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from stages.lib.annotations.decimals import PAD, Text
from stages.lib.errors import StageError

Result = TypeVar("Result")
Ints = NDArray[np.int64]

BLOCK = 1 << 21
THREADS = 2
_AHEAD = 2 * THREADS  # blocks that are parsed before they are asked for
_BOM = b"\xef\xbb\xbf"


class LineError(Exception):
    """A fault in one line of a block; `line` counts from 0 within the block.

    `fix_of_first` takes the place of `fix` where the line is the first one of the file.
    """

    def __init__(self, line: int, what: str, fix: str, fix_of_first: str = "") -> None:
        super().__init__(line, what, fix)
        self.line, self.what, self.fix, self.fix_of_first = int(line), what, fix, fix_of_first or fix


@dataclass(frozen=True)
class Rows:
    """Rows with one number of columns: the fields' starts and ends in the text, (columns, rows); their lines."""

    text: Text
    start: Ints
    end: Ints
    line: Ints

    def take(self, rows: Ints) -> Rows:
        """The named rows, with their lines."""
        return Rows(self.text, self.start[:, rows], self.end[:, rows], self.line[rows])

    def field(self, column: int, row: int) -> str:
        """One field as text, for messages and names."""
        return self.text.field(int(self.start[column, row]), int(self.end[column, row])).decode(
            "utf-8", "replace"
        )


@dataclass(frozen=True)
class Block:
    """The non-blank lines of a block by their number of columns, and how many lines were blank."""

    by_columns: dict[int, Rows]
    n_blank: int

    @property
    def n_lines(self) -> int:
        """The number of lines, blank ones included."""
        return self.n_blank + sum(len(rows.line) for rows in self.by_columns.values())

    def refuse_other_columns(self, allowed: tuple[int, ...], expected: str) -> None:
        """Raises a LineError for the first line whose number of columns is not among the allowed ones."""
        wrong = [rows for columns, rows in self.by_columns.items() if columns not in allowed]
        if wrong:
            rows = min(wrong, key=lambda rows: int(rows.line[0]))
            raise LineError(
                int(rows.line[0]),
                f"{len(rows.start)} comma-separated columns where {expected}",
                "give every line the stated columns, separated by commas (not tabs or semicolons)",
            )


def split_block(padded: bytearray) -> Block:
    """Splits whole lines (LF or CRLF) at their commas; quotes have no meaning in these files."""
    text = Text(padded)
    separator = np.flatnonzero(text.bytes[PAD:-PAD] <= ord(",")) + PAD
    mark = text.bytes[separator]
    newline = mark == ord("\n")
    splits = newline | (mark == ord(","))
    if not splits.all():
        separator, newline = separator[splits], newline[splits]
    last = np.flatnonzero(newline)
    returns = text.bytes[separator[last] - 1] == ord("\r")
    n_columns = int(last[0]) + 1 if len(last) else 0
    regular = (
        len(separator) == n_columns * len(last) and n_columns > 1 and bool((np.diff(last) == n_columns).all())
    )
    if regular and not returns.any():
        return Block({n_columns: _regular_rows(text, separator, n_columns)}, 0)
    return _split_irregular(text, separator, last, returns)


def _regular_rows(text: Text, separator: Ints, n_columns: int) -> Rows:
    """Rows of a block in which every line has the same number of columns."""
    end = np.ascontiguousarray(separator.reshape(-1, n_columns).T)
    start = np.empty_like(end)
    np.add(end[:-1], 1, out=start[1:])
    start[0, :1] = PAD
    np.add(end[-1, :-1], 1, out=start[0, 1:])
    return Rows(text, start, end, np.arange(end.shape[1]))


def _split_irregular(text: Text, separator: Ints, last: Ints, returns: NDArray[np.bool_]) -> Block:
    """Rows by their number of columns; blank lines are dropped and counted, carriage returns are no part of a field."""
    first = np.concatenate([[0], last[:-1] + 1])
    columns = last - first + 1
    starts = np.concatenate([[PAD], separator[:-1] + 1])
    separator[last] -= returns
    blank = (columns == 1) & (starts[first] >= separator[last])
    by_columns = {}
    for count in np.unique(columns[~blank]).tolist():
        lines = np.flatnonzero((columns == count) & ~blank)
        places = first[lines] + np.arange(count)[:, None]
        by_columns[count] = Rows(text, starts[places], separator[places], lines)
    return Block(by_columns, int(blank.sum()))


def parse_file(path: Path, parse: Callable[[bytearray], Result]) -> Iterator[Result]:
    """Results of `parse` for the blocks of a file, in order; only a few blocks are in memory at a time.

    A LineError becomes a StageError naming file and line.
    """
    try:
        handle = path.open("rb")
    except OSError as error:
        raise StageError(
            f"the file cannot be read ({error.strerror})", str(path), "check the path and its permissions"
        ) from error
    with handle, ThreadPoolExecutor(THREADS) as pool:
        descriptor = handle.fileno()
        blocks = _blocks(descriptor)
        waiting: deque[tuple[int, Future[Result]]] = deque()

        def work(start: int, end: int) -> Result:
            return parse(_load(descriptor, start, end))

        while True:
            for start, end in itertools.islice(blocks, _AHEAD - len(waiting)):
                waiting.append((start, pool.submit(work, start, end)))
            if not waiting:
                return
            start, future = waiting.popleft()
            try:
                yield future.result()
            except LineError as fault:
                line = _lines_before(descriptor, start) + fault.line + 1
                fix = fault.fix_of_first if line == 1 else fault.fix
                raise StageError(fault.what, f"{path}:{line}", fix) from None


def _blocks(descriptor: int) -> Iterator[tuple[int, int]]:
    """Offsets (start, end) of runs of whole lines of about BLOCK bytes."""
    size = os.fstat(descriptor).st_size
    start = len(_BOM) if os.pread(descriptor, len(_BOM), 0) == _BOM else 0
    while start < size:
        end = min(start + BLOCK, size)
        while end < size:
            piece = os.pread(descriptor, 1 << 16, end - 1)
            newline = piece.find(b"\n")
            if newline >= 0:
                end += newline
                break
            end = min(end + len(piece) - 1, size)
        yield start, end
        start = end


def _load(descriptor: int, start: int, end: int) -> bytearray:
    """The bytes from start to end with PAD zeros before and behind, closed by a line end."""
    padded = bytearray(end - start + 1 + 2 * PAD)
    n_read = os.preadv(descriptor, [memoryview(padded)[PAD : PAD + end - start]], start)
    assert n_read == end - start, "the file changed while it was read"
    if padded[PAD + n_read - 1] == ord("\n"):
        del padded[-1:]
    else:
        padded[PAD + n_read] = ord("\n")
    return padded


def _lines_before(descriptor: int, offset: int) -> int:
    return sum(os.pread(descriptor, BLOCK, at)[: offset - at].count(b"\n") for at in range(0, offset, BLOCK))

"""Names of videos in large files as arrays of bytes: taken out of a block, told apart and numbered without a Python loop."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stages.lib.annotations.decimals import Text

Ints = NDArray[np.int64]
Spellings = NDArray[np.bytes_]

_DECODED = 1 << 16  # names that are decoded at a time


class Names:
    """Gathers the names of the parts of a file; a part numbers its own from 0, `add` says what is to be added to that."""

    def __init__(self) -> None:
        self._parts: list[Spellings] = [np.zeros(0, "S1")]
        self._count = 0

    def add(self, spellings: Spellings) -> int:
        """Take in the names of a part; the number of its first one."""
        self._parts.append(spellings)
        self._count += len(spellings)
        return self._count - len(spellings)

    def joined(self) -> Spellings:
        """All names in the order of their numbers; one may stand there several times."""
        return np.concatenate(self._parts)

    def ranked(self) -> tuple[tuple[str, ...], NDArray[np.int32]]:
        """Sorted names without repetition, and the place among them of each number."""
        distinct, place = distinct_names(self.joined())
        pieces = (distinct[at : at + _DECODED] for at in range(0, len(distinct), _DECODED))
        return tuple(name.decode() for piece in pieces for name in piece.tolist()), place


def distinct_names(spellings: Spellings) -> tuple[Spellings, NDArray[np.int32]]:
    """Sorted names without repetition, and the place among them of each; fast where equal ones stand together."""
    order = np.argsort(spellings, kind="stable")
    ordered = spellings[order]
    fresh = np.ones(len(ordered), dtype=bool)
    fresh[1:] = ordered[1:] != ordered[:-1]
    place = np.empty(len(ordered), np.int32)
    place[order] = np.cumsum(fresh) - 1
    return ordered[fresh], place


def take_fields(text: Text, start: Ints, end: Ints) -> Spellings:
    """The fields [start, end) as bytes, as wide as the longest one."""
    length = end - start
    width = max(int(length.max(initial=0)), 1)
    column = np.arange(width)
    inside = column < length[:, None]
    characters = np.where(inside, text.bytes[np.where(inside, start[:, None] + column, 0)], np.uint8(0))
    return characters.view(f"S{width}")[:, 0]

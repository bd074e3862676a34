"""Writes detections and ground truth in the official csv form, in an order that does not depend on the tables' order."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from stages.lib.metrics.tables import DetectionsTable, Truth

Ints = NDArray[np.int64]
Bytes = NDArray[np.uint8]

_CHUNK = 100_000


def write_detections(
    stream: TextIO, table: DetectionsTable, *, truth: Truth | None = None, decimals: int = 6
) -> None:
    """Writes `video,time,x1,y1,x2,y2,action,score` by video name, then time, then as listed in the table.

    Scores are probabilities. Keyframes of `truth` get its exact timestamps, since official evaluators compare six
    decimals of a second.
    """
    assert ((table.score >= 0) & (table.score <= 1)).all()
    exact = _exact_times(truth) if truth is not None else {}
    times_ms = table.timestamp_ms  # computed once: it is a property over all rows
    order = _by_keyframe(table.videos, table.video, times_ms)
    actions = _words([f"{action}," for action in range(int(table.class_id.max(initial=0)) + 1)])
    head = ",".join(["%s", *[f"%.{decimals}f"] * 4, ""])
    for begin in range(0, len(order), _CHUNK):
        rows = order[begin : begin + _CHUNK]
        box_of_row, firsts = _same_box(table, times_ms, rows)
        boxes = table.boxes[firsts].astype(np.float64).T.tolist()
        prefixes = _prefixes(table, times_ms[firsts], firsts, exact)
        heads = _words([head % values for values in zip(prefixes, *boxes, strict=True)])
        words = (heads[box_of_row], actions[table.class_id[rows]], _decimals(table.score[rows], decimals))
        lines = np.concatenate(words, axis=1)
        stream.write(lines[lines != 0].tobytes().decode())


def _words(texts: list[str]) -> Bytes:
    """The texts as rows of bytes, filled up with zeros: all lines are then put together at once (3 times as fast)."""
    words = np.array([text.encode() for text in texts])
    return words.view(np.uint8).reshape(len(texts), -1)


def _decimals(values: NDArray[np.floating], decimals: int) -> Bytes:
    """Numbers from 0 to 1 with as many decimals and a line end, as rows of bytes; of float32 what `%.6f` gives."""
    units = np.rint(values.astype(np.float64) * 10**decimals).astype(np.uint32)
    out = np.empty((len(values), decimals + 3), dtype=np.uint8)
    for column in (*range(decimals + 1, 1, -1), 0):
        units, out[:, column] = np.divmod(units, 10)
    out += ord("0")
    out[:, 1], out[:, -1] = ord("."), ord("\n")
    return out


def _same_box(table: DetectionsTable, times_ms: Ints, rows: Ints) -> tuple[Ints, Ints]:
    """For each of the rows the number of its box among those that follow each other, and the first row of each box."""
    changed = np.ones(len(rows), dtype=bool)
    changed[1:] = np.any(table.boxes[rows[1:]] != table.boxes[rows[:-1]], axis=1)
    for column in (table.video[rows], times_ms[rows]):
        changed[1:] |= column[1:] != column[:-1]
    return np.cumsum(changed) - 1, rows[changed]


def write_truth(stream: TextIO, truth: Truth) -> None:
    """Writes ground truth by video name, then time, so that reading it gives the same table to the last bit.

    Rows have 8 columns, or 7 where there is no person id; keyframes without rows have 2.
    """
    times_ms = truth.timestamp_ms
    order = _by_keyframe(truth.videos, truth.video, times_ms)
    boxes, classes, persons = truth.boxes.tolist(), truth.class_id.tolist(), truth.person_id.tolist()
    rows: dict[tuple[str, int], list[int]] = {}
    for row in order.tolist():
        key = (truth.videos[truth.video[row]], int(times_ms[row]))
        rows.setdefault(key, []).append(row)
    for key, seconds in sorted(_exact_times(truth).items()):
        prefix = f"{key[0]},{spell_exactly(seconds)}"
        if key not in rows:
            stream.write(prefix + "\n")
        for row in rows.get(key, ()):
            person = [str(persons[row])] if persons[row] >= 0 else []
            cells = [*map(plain_decimal, boxes[row]), str(classes[row]), *person]
            stream.write(",".join([prefix, *cells]) + "\n")


def plain_decimal(value: float) -> str:
    """The shortest decimal number, without exponent, that reads as this float."""
    return format(Decimal(repr(float(value))), "f")


def spell_exactly(seconds: float) -> str:
    """A timestamp as AVA writes it where it is whole (`0902`), with all its decimals otherwise."""
    return f"{int(seconds):04d}" if seconds == int(seconds) else plain_decimal(seconds)


def spell_seconds(seconds: float) -> str:
    """A timestamp as AVA writes it where it is whole (`0902`), with six decimals otherwise (`5.016949`)."""
    return f"{int(seconds):04d}" if seconds == int(seconds) else f"{seconds:.6f}"


def _exact_times(truth: Truth) -> dict[tuple[str, int], float]:
    keys = zip(truth.key_video.tolist(), truth.key_ms.tolist(), truth.key_seconds.tolist(), strict=True)
    return {(truth.videos[video], ms): seconds for video, ms, seconds in keys}


def _by_keyframe(videos: tuple[str, ...], video: NDArray[np.int32], timestamp_ms: Ints) -> Ints:
    rank = np.empty(len(videos), dtype=np.int64)
    rank[np.argsort(np.array(videos, dtype=object), kind="stable")] = np.arange(len(videos))
    return np.lexsort((timestamp_ms, rank[video]))


def _prefixes(
    table: DetectionsTable, times_ms: Ints, rows: Ints, exact: dict[tuple[str, int], float]
) -> Iterator[str]:
    known: dict[tuple[int, int], str] = {}
    for key in zip(table.video[rows].tolist(), times_ms.tolist(), strict=True):
        prefix = known.get(key)
        if prefix is None:
            name = table.videos[key[0]]
            prefix = known[key] = f"{name},{spell_seconds(exact.get((name, key[1]), key[1] / 1000.0))}"
        yield prefix

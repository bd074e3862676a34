"""Person boxes from a csv in PySlowFast's form: `video,second,x1,y1,x2,y2,action,score`, the action empty or unused.

Shapes: N boxes, K keyframes.
"""

from __future__ import annotations

import csv
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stages.detect.core import KeyframeBoxes, join
from stages.detect.names import Spellings
from stages.lib.annotations.columns import (
    check_boxes,
    check_scores,
    parse_boxes,
    parse_times,
    refuse_first,
    run_heads,
)
from stages.lib.annotations.decimals import PAD
from stages.lib.annotations.growing import Column
from stages.lib.annotations.lines import LineError, Rows, parse_file, split_block
from stages.lib.annotations.names import distinct_names, take_fields
from stages.lib.metrics.tables import microseconds_to_milliseconds

COLUMNS = 8
_BLANKS = 16  # that may stand around a name
FORM = "each line is video,second,x1,y1,x2,y2,,score with coordinates in [0, 1]"
_COMMA = b"\x1f"  # stands for a comma inside a quoted name

_ROW = np.dtype(
    [
        ("video", np.int32),
        ("line", np.int64),
        ("time", np.int64),
        ("box", np.float32, 4),
        ("score", np.float32),
        ("clipped", bool),
    ]
)

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class ExternalBoxes:
    """A csv's boxes of the asked videos in file order: places of their ids in `ids` (N,), their lines, times (N,) int64 ms,
    boxes (N, 4) xyxy in [0, 1], scores (N,), and whether a box was clipped (N,). `others` counts those of other videos.
    """

    ids: tuple[str, ...]
    video: NDArray[np.int32]
    lines: Ints
    times: Ints
    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    clipped: NDArray[np.bool_]
    others: int

    @property
    def videos(self) -> tuple[str, ...]:
        """The id of each box's video."""
        return tuple(self.ids[place] for place in self.video.tolist())


@dataclass(frozen=True)
class PlacedBoxes:
    """Boxes on K keyframes, best first, and the lines of the rows that lie on no keyframe."""

    boxes: KeyframeBoxes
    unused: tuple[int, ...]


def read_boxes(path: Path, videos: Spellings, asked: Collection[str]) -> ExternalBoxes:
    """Read the boxes of the `asked` ids; `videos` gives the videos that each name in the first column may mean.

    StageError names file and line, of all rows, for a wrong column count, a non-number, a video that is unknown or ambiguous,
    an inverted box, a score outside [0, 1], or a coordinate more than 1 % outside [0, 1]; up to 1 % is clipped.
    """
    ids = tuple(sorted(asked))
    places = {video: place for place, video in enumerate(ids)}
    longest = max((len(text.encode("utf-8", "replace")) for text in videos), default=0)
    rows, n_others, n_lines = Column(_ROW), 0, 0
    for own, others, lines in parse_file(path, lambda data: _block(data, videos, places, longest)):
        own["line"] += n_lines + 1
        rows.extend(own)
        n_others, n_lines = n_others + others, n_lines + lines
    found = rows.rows()
    return ExternalBoxes(
        ids=ids,
        video=found["video"],
        lines=found["line"],
        times=found["time"],
        boxes=found["box"],
        scores=found["score"],
        clipped=found["clipped"],
        others=n_others,
    )


def place_boxes(external: ExternalBoxes, keyframes: Sequence[tuple[str, int]]) -> PlacedBoxes:
    """Boxes on keyframes (video id, time in ms), a repeated box once, with its best score."""
    rows: dict[tuple[str, int], list[int]] = {key: [] for key in keyframes}
    unused: list[int] = []
    for row, key in enumerate(zip(external.videos, external.times.tolist(), strict=True)):
        if key in rows:
            rows[key].append(row)
        else:
            unused.append(int(external.lines[row]))
    chosen = [_distinct(external, rows[key]) for key in keyframes]
    placed = join([external.boxes[index] for index in chosen], [external.scores[index] for index in chosen])
    return PlacedBoxes(placed, tuple(unused))


def _block(
    data: bytearray, videos: Spellings, places: Mapping[str, int], longest: int
) -> tuple[NDArray[np.void], int, int]:
    """Rows (N,) of `_ROW` of the asked videos, lines counted from 0; the number of other rows, and that of lines."""
    block = split_block(_without_quotes(data) if b'"' in data else data)
    block.refuse_other_columns((COLUMNS,), f"{COLUMNS} are expected ({FORM})")
    if not block.by_columns:
        return np.zeros(0, _ROW), 0, block.n_lines
    rows = block.by_columns[COLUMNS]
    video = _video_of(rows, videos, places, longest)
    times, boxes = parse_times(rows), parse_boxes(rows)
    check_boxes(rows, boxes)
    _check_actions(rows)
    table = np.empty(len(video), _ROW)
    table["video"], table["line"], table["time"] = video, rows.line, microseconds_to_milliseconds(times)
    table["box"], table["score"] = np.clip(boxes, 0.0, 1.0), check_scores(rows)
    table["clipped"] = ((boxes < 0.0) | (boxes > 1.0)).any(axis=1)
    own = table[video >= 0]
    return own, len(table) - len(own), block.n_lines


def _video_of(rows: Rows, videos: Spellings, places: Mapping[str, int], longest: int) -> NDArray[np.int32]:
    """The place of each row's video, -1 for one that is not asked for; no spelling has more than `longest` bytes."""
    heads = run_heads(rows, 0)
    start, end = rows.start[0, heads], rows.end[0, heads]
    too_long = np.flatnonzero(end - start > longest + _BLANKS)
    if len(too_long):
        row = int(heads[too_long[0]])
        raise LineError(rows.line[row], *_refusal(f"{rows.field(0, row).strip()[:80]}...", videos))
    distinct, place = distinct_names(take_fields(rows.text, start, end))
    found = np.empty(len(distinct), np.int32)
    for number, spelling in enumerate(distinct.tolist()):
        text = spelling.replace(_COMMA, b",").decode("utf-8", "replace").strip()
        if len(videos.get(text, {})) != 1:
            first = rows.line[heads[np.argmax(place == number)]]
            raise LineError(first, *_refusal(text, videos))
        found[number] = places.get(next(iter(videos[text])), -1)
    return np.repeat(found[place], np.diff(np.append(heads, len(rows.line))))


def _refusal(text: str, videos: Spellings) -> tuple[str, str]:
    """What is wrong with a name that means no video or several ones, and the way out."""
    meant = videos.get(text, {})
    if meant:
        paths = ", ".join(sorted(meant.values()))
        return f"the video {text!r} may be any of {paths}", "write the path as it stands here"
    some = ", ".join(sorted(videos)[:5])
    return f"unknown video {text!r}", f"use the videos of the data set ({some}, ...), or drop the line"


def _check_actions(rows: Rows) -> None:
    """Column 7 is empty or an integer, at most 20 characters."""
    start, end = rows.start[6], rows.end[6]
    wrong = end - start > 20
    filled = np.flatnonzero((end > start) & ~wrong)
    distinct, place = distinct_names(take_fields(rows.text, start[filled], end[filled]))
    texts = [text.strip() for text in distinct.tolist()]
    strange = np.array([bool(text) and not text.removeprefix(b"-").isdigit() for text in texts], bool)
    wrong[filled] = strange[place]
    refuse_first(rows, wrong, "the action column is to be empty or an id", FORM, column=6)


def _without_quotes(data: bytearray) -> bytearray:
    """The lines of a block in which names that hold commas or quotes are quoted, as csv writers do, without these quotes."""
    lines = data[PAD:-PAD].decode("utf-8", "surrogateescape").split("\n")[:-1]
    plain = bytearray(PAD)
    for number, line in enumerate(lines):
        try:
            cells = next(csv.reader([line], strict=True), [])
        except csv.Error as error:
            raise LineError(number, f"is no csv ({error})", FORM) from None
        head = cells[0].encode("utf-8", "surrogateescape").replace(b",", _COMMA) if cells else b""
        plain += b",".join([head, *(cell.encode("utf-8", "surrogateescape") for cell in cells[1:])]) + b"\n"
    return plain + bytes(PAD)


def _distinct(external: ExternalBoxes, rows: list[int]) -> NDArray[np.int64]:
    """Rows by falling score, without those that repeat the box of an earlier one."""
    index = np.array(rows, dtype=np.int64)
    index = index[np.argsort(-external.scores[index], kind="stable")]
    _, first = np.unique(external.boxes[index], axis=0, return_index=True)
    return index[np.sort(first)]

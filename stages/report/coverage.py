"""Which videos were read and which were not, and what that costs each class; and the clips that pre-training skipped."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from stages.lib.errors import StageError
from stages.report.html import details, paragraph, percent, table

Rows = Sequence[Mapping[str, str]]
LONGEST: Final = 300
"""Most videos that are listed one by one."""
_LOSSES: Final = ("boxes", "lost", "missing", "broken", "cut_off", "too_short")


def read_coverage(path: Path, column: str = "state") -> list[dict[str, str]]:
    """The rows of a csv of index coverage; StageError when it has not the column by which it is known."""
    try:
        with path.open(newline="", encoding="utf-8") as handle:
            reader = csv.DictReader(handle)
            rows = [{key: value or "" for key, value in row.items() if key} for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise StageError(f"cannot read the coverage ({error})", str(path), "re-run index coverage") from None
    if reader.fieldnames is None or column not in reader.fieldnames:
        raise StageError(f"no column {column}", str(path), "give a table of index coverage")
    return rows


def coverage_html(tables: Mapping[str, Rows], classes: Mapping[str, Rows]) -> str:
    """Videos by data set, split and state; labelled boxes that are lost, by split and class; videos that lack something."""
    groups: dict[tuple[str, str, str], list[Mapping[str, str]]] = {}
    for dataset, rows in tables.items():
        for row in rows:
            groups.setdefault((dataset, row.get("split", ""), row["state"]), []).append(row)
    counted = [
        (dataset, split or "–", state, len(rows), _sum(rows, "keyframes"), sum(map(lost_keyframes, rows)))
        for (dataset, split, state), rows in sorted(groups.items())
    ]
    body = table(
        ("data set", "split", "state", "videos", "keyframes", "of them lost"),
        counted,
        "Videos by data set, split and state.",
    )
    lacking = [
        (dataset, row)
        for dataset, rows in tables.items()
        for row in rows
        if row["state"] != "ok" or row.get("reason") or lost_keyframes(row)
    ]
    if not lacking:
        return body + paragraph("Every video was read whole; no keyframe was lost.", "note")
    return body + _classes_html(classes) + _videos_html(lacking)


def _videos_html(lacking: Sequence[tuple[str, Mapping[str, str]]]) -> str:
    """The videos that lost most, each with its reason."""
    shown = sorted(lacking, key=lambda pair: -lost_keyframes(pair[1]))[:LONGEST]
    more = f" {len(lacking) - LONGEST} more stand in videos.csv." if len(lacking) > LONGEST else ""
    caption = (
        "Videos that were skipped, or of which something is missing. Lost keyframes are left out of training, and have no "
        f"predictions; evaluate.missing says how the people on them count.{more}"
    )
    head = ("data set", "video", "split", "state", "keyframes", "of them lost", "reason")
    return table(head, [_cells(dataset, row) for dataset, row in shown], caption)


def _classes_html(classes: Mapping[str, Rows]) -> str:
    """Labelled boxes on lost keyframes: sums of each data set and split, then the classes that lost any; none: nothing."""
    splits: dict[tuple[str, str], list[Mapping[str, str]]] = {}
    for dataset, rows in classes.items():
        for row in rows:
            splits.setdefault((dataset, row["split"]), []).append(row)
    lossy = {key: rows for key, rows in splits.items() if _sum(rows, "lost")}
    if not lossy:
        return ""
    sums = [(*key, *_losses({name: _sum(rows, name) for name in _LOSSES})) for key, rows in lossy.items()]
    single = [
        (*key, row["name"], *_losses({name: int(row[name]) for name in _LOSSES}))
        for key, rows in lossy.items()
        for row in rows
        if int(row["lost"])
    ]
    why = ("labels", "lost", "lost, %", "video missing", "broken", "cut off", "too short")
    total = table(
        ("data set", "split", *why), sums, "Labels (a box and its class) on lost keyframes, by state."
    )
    by_class = table(
        ("data set", "split", "class", *why),
        single,
        "The same by class; classes that lost none are left out.",
    )
    return total + details("Lost labels by class", by_class)


def _losses(counts: Mapping[str, int]) -> tuple[str | int, ...]:
    share = percent(counts["lost"] / counts["boxes"])
    return counts["boxes"], counts["lost"], share, *(counts[name] for name in _LOSSES[2:])


def lost_keyframes(row: Mapping[str, str]) -> int:
    """How many keyframes of a video have no whole window of frames."""
    return int(row.get("keyframes") or 0) - int(row.get("usable") or 0)


def _cells(dataset: str, row: Mapping[str, str]) -> tuple[str | int, ...]:
    name = row.get("name") or row.get("video", "")
    split, reason = row.get("split", ""), row.get("reason", "")
    return dataset, name, split, row["state"], int(row.get("keyframes") or 0), lost_keyframes(row), reason


def _sum(rows: Rows, column: str) -> int:
    return sum(int(row.get(column) or 0) for row in rows)


def skipped_clips_html(histories: Mapping[str, Any]) -> str:
    """The classified clips that pre-training left out, with their reasons; nothing where no history tells of them."""
    lists = {
        (name, split): clips
        for name, history in histories.items()
        if isinstance(history, dict)
        for split, clips in history.get("skipped", {}).items()
    }
    if not lists:
        return ""
    rows = [
        (name, split, clip["name"], clip["status"], clip["reason"])
        for (name, split), clips in lists.items()
        for clip in clips
    ]
    if not rows:
        return paragraph("Every classified clip of the pre-training was read.", "note")
    caption = f"{len(rows)} classified clips that pre-training could not use."
    return table(("training", "split", "clip", "status", "reason"), rows, caption)

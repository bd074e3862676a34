"""Which videos were read and which were not: from the merged coverage tables, and from the pre-training's history."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stages.lib.errors import StageError
from stages.report.html import paragraph, table

Rows = Sequence[Mapping[str, str]]


def read_coverage(path: Path) -> list[dict[str, str]]:
    """The rows of a coverage tsv; StageError when it has no column `status`."""
    try:
        with path.open(newline="", encoding="utf-8") as handle:
            reader = csv.DictReader(handle, delimiter="\t")
            rows = [{key: value or "" for key, value in row.items() if key} for row in reader]
    except (OSError, UnicodeDecodeError) as error:
        raise StageError(f"cannot read the coverage ({error})", str(path), "re-run index coverage") from None
    if reader.fieldnames is None or "status" not in reader.fieldnames:
        raise StageError("no column status", str(path), "give a table of index coverage")
    return rows


def coverage_html(tables: Mapping[str, Rows]) -> str:
    """Counts per data set, split and status; then every video of which something is missing, with its reason."""
    groups: dict[tuple[str, str, str], list[Mapping[str, str]]] = {}
    for dataset, rows in tables.items():
        for row in rows:
            groups.setdefault((dataset, row.get("split", ""), row["status"]), []).append(row)
    counted = [
        (dataset, split or "–", status, len(rows), _sum(rows, "keyframes"), sum(map(lost_keyframes, rows)))
        for (dataset, split, status), rows in sorted(groups.items())
    ]
    body = table(
        ("data set", "split", "status", "videos", "keyframes", "of them lost"),
        counted,
        "Videos by data set, split and status.",
    )
    lacking = [
        _cells(dataset, row)
        for dataset, rows in tables.items()
        for row in rows
        if row["status"] != "ok" or row.get("reason") or lost_keyframes(row)
    ]
    if not lacking:
        return body + paragraph("Every video was read whole; no keyframe was lost.", "note")
    caption = (
        "Videos that were skipped, or of which something is missing. Lost keyframes have no predictions: "
        "the people on them count as missed."
    )
    head = ("data set", "video", "split", "status", "keyframes", "of them lost", "reason")
    return body + table(head, lacking, caption)


def lost_keyframes(row: Mapping[str, str]) -> int:
    """How many keyframes of a video have no whole window of frames."""
    return int(row.get("keyframes") or 0) - int(row.get("usable") or 0)


def _cells(dataset: str, row: Mapping[str, str]) -> tuple[str | int, ...]:
    name = row.get("name") or row.get("video", "")
    split, reason = row.get("split", ""), row.get("reason", "")
    return dataset, name, split, row["status"], int(row.get("keyframes") or 0), lost_keyframes(row), reason


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

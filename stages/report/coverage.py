"""Which videos were read and which were not, from the merged coverage tables."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

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
    """Counts per data set, split and status; then every video that was left out, with its reason."""
    counted = []
    for dataset, rows in tables.items():
        for (split, status), count in sorted(
            Counter((row.get("split", ""), row["status"]) for row in rows).items()
        ):
            counted.append((dataset, split or "–", status, count))
    body = table(("data set", "split", "status", "videos"), counted, "Videos by data set, split and status.")
    left_out = [
        (
            dataset,
            row.get("name") or row.get("video", ""),
            row.get("split", ""),
            row["status"],
            row.get("reason", ""),
        )
        for dataset, rows in tables.items()
        for row in rows
        if row["status"] != "ok"
    ]
    if not left_out:
        return body + paragraph("Every video was read; none was skipped.", "note")
    caption = "Skipped videos: their keyframes have no predictions and count as missed."
    return body + table(("data set", "video", "split", "status", "reason"), left_out, caption)

"""The tables of an error analysis as csv texts."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

Table = dict[str, Any]


def csv_tables(tables: Table) -> dict[str, str]:
    """By file name: causes by class, confusion, what-ifs, and what is doubtful in the truth; a table without rows is empty."""
    annotations = tables["annotations"]
    records = {
        "confusion.csv": tables["confusion"],
        "what_if.csv": [{"dialect": tables["dialect"], **row} for row in tables["what_if"]],
        "missing_truth.csv": tables["missing"]["listed"],
        "flicker.csv": annotations["flicker"],
        "flickers.csv": annotations["flickers"]["listed"],
        "swaps.csv": annotations["swaps"],
        "doubles.csv": annotations["doubles"]["listed"],
    }
    return {"causes.csv": _causes(tables), **{name: _records(rows) for name, rows in records.items()}}


def _causes(tables: Table) -> str:
    """A row for each class and one for all: number of errors, share, and AP with the cause repaired, for each cause."""
    whole = {"id": "", "name": "all", "ap": tables["mAP"], **tables["all"]}
    head = ["dialect", "id", "class", "ap", "truths", "entries"]
    for kind in ("errors", "share", "ap repaired"):
        head += [f"{kind}: {cause}" for cause in tables["causes"]]
    rows = []
    for row in [*tables["classes"], whole]:
        numbers = [value for column in ("counts", "shares", "repaired") for value in row[column]]
        named = [tables["dialect"], row["id"], row["name"]]
        rows.append([*named, row["ap"], row["truths"], row["entries"], *numbers])
    return _csv(head, rows)


def _records(rows: Sequence[Table]) -> str:
    return _csv(list(rows[0]), [list(row.values()) for row in rows]) if rows else ""


def _csv(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(head)
    for row in rows:
        writer.writerow([" ".join(map(str, value)) if isinstance(value, list) else value for value in row])
    return stream.getvalue()

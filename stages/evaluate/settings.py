"""What is scored in one run: the combinations of split, box set and views, and the kinds of the classes."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stages.lib.artifacts.predictions import FUSED, BoxSet
from stages.lib.artifacts.tables import Classes
from stages.lib.errors import StageError

ALL_VIEWS: Final = "all"


@dataclass(frozen=True)
class Views:
    """Which views are averaged, and how; `name` is the flag's text, under which results are filed."""

    name: str
    views: tuple[str, ...]
    average: str

    @staticmethod
    def parse(text: str) -> Views:
        """From `all`, `s128` or `s128,s128-flip`, each with `:prob` behind it to average probabilities."""
        names, _, average = text.partition(":")
        if average not in ("", "logit", "prob") or not names:
            fix = "write all, one view, or several with commas; behind it :logit or :prob"
            raise StageError(f"cannot read the views {text!r}", "--views", fix)
        views = () if names == ALL_VIEWS else tuple(names.split(","))
        return Views(text, views, average or "logit")

    def of(self, boxset: BoxSet, where: str) -> tuple[str, ...]:
        """The views to average in this box set; a StageError when one is missing."""
        if FUSED in boxset.values:
            return (FUSED,)
        missing = [view for view in self.views if view not in boxset.values]
        if missing or not boxset.values:
            what = (
                f"has no view {', '.join(missing) or 'at all'} (views: {', '.join(boxset.values) or 'none'})"
            )
            raise StageError(what, where, "name views of extract.views, or re-run predict")
        return self.views or tuple(boxset.values)


def read_kinds(path: Path, classes: Classes | None = None) -> dict[int, str]:
    """Kind of each class id from a csv with the columns id, name, kind (a header line is skipped).

    Raises:
        StageError: a row without three columns, an id that is no number, a class of `classes` is missing.
    """
    kinds: dict[int, str] = {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as handle:
            rows = list(csv.reader(handle))
    except OSError as error:
        raise StageError(f"cannot read the kinds ({error.strerror})", str(path), "check the path") from None
    for line, row in enumerate(rows, start=1):
        if not row or (line == 1 and row[:1] == ["id"]):
            continue
        if len(row) != 3 or not row[0].strip().isdigit():
            raise StageError(
                "not a row of id,name,kind", f"{path}:{line}", "write a number, a name and a kind"
            )
        kinds[int(row[0])] = row[2].strip()
    lacking = [str(number) for number in (classes.ids if classes else ()) if number not in kinds]
    if lacking:
        raise StageError(f"no kind for class {', '.join(lacking)}", str(path), "add a row for each class")
    return kinds


def flat_results(per_class: Sequence[tuple[str, str, str, str, dict[str, object]]], dialect: str) -> str:
    """The per-class table of all combinations as csv text, a row for each combination and class."""
    lines = ["dialect,split,boxset,views,dataset,id,name,kind,ap,truths,detections"]
    for split, boxset, views, dataset, row in per_class:
        ap = "" if row["ap"] is None else f"{row['ap']:.6f}"
        name = str(row["name"]).replace('"', '""')
        fields = [
            dialect,
            split,
            boxset,
            f'"{views}"',
            dataset,
            str(row["id"]),
            f'"{name}"',
            str(row["kind"]),
            ap,
        ]
        lines.append(",".join([*fields, str(row["truths"]), str(row["detections"])]))
    return "\n".join(lines) + "\n"

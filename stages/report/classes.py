"""AP of each class: bars of the first models, and a table of all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from stages.report.html import esc, figure, percent, table
from stages.report.metrics import DETECTED, UNION, Model, kinds_of, note_on
from stages.report.svg import Bar, bar_chart, colour_of, legend
from stages.report.tables import KIND_MEANING

_DRAWN: Final = 4  # models in a chart


def classes_html(models: Sequence[Model], split: str) -> str:
    """Chart and table of one split, detected boxes, each model in its first choice of views."""
    single = [model for model in models if not model.members] or models
    choice = single[0].views(split)[0]
    found = single[0].table(split, DETECTED, choice)
    if found is None:
        return ""
    classes = sorted(found["per_class"], key=lambda row: (row["kind"], row["name"]))
    note = f"{note_on(single[0], split, DETECTED, choice)}; pool {UNION}, detected boxes."
    rows = [
        (row["name"], row["kind"], f"{row['truths']:,}", *map(percent, _aps(models, split, row["id"])))
        for row in classes
    ]
    head = ("class", "kind", "labels", *(model.name for model in models))
    chart = _chart(single, split, classes, note)
    return f"<h3>Split {esc(split)}</h3>{chart}{table(head, rows, f'AP of each class, {note}')}"


def _chart(models: Sequence[Model], split: str, classes: Sequence[Mapping[str, Any]], note: str) -> str:
    """Bars of the first models; left out on paper, where the table says the same in less room."""
    drawn, kinds = models[:_DRAWN], kinds_of(models)
    bars = [
        Bar(
            row["name"],
            tuple(_aps(drawn, split, row["id"])),
            colour_of(row["kind"], kinds),
            f"({row['truths']:,} labels)",
        )
        for row in classes
    ]
    key = legend({KIND_MEANING.get(kind, kind): colour_of(kind, kinds) for kind in kinds})
    left_out = f" Not drawn: {', '.join(model.name for model in models[_DRAWN:])}." if models[_DRAWN:] else ""
    chart = key + bar_chart(bars, [model.name for model in drawn])
    return figure(chart, f"AP of each class, {note}{left_out}", kind="screen")


def _aps(models: Sequence[Model], split: str, class_id: int) -> list[float | None]:
    """AP of a class by each model in its first choice of views; None without truth."""
    values = [model.class_ap(split, DETECTED, model.views(split)[0], class_id) for model in models]
    return [value.mean if value else None for value in values]

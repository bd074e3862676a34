"""The slides' tables for this run, as rows of texts: main table, boxes, views, ensemble, the bank's gain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from stages.report.metrics import DETECTED, TRUTH, UNION, Model, Value, kinds_of, note_on

KIND_MEANING: Final = {
    "a": "a body",
    "b": "b context",
    "c": "c actor-context-actor",
    "d": "d long-term",
}


@dataclass(frozen=True)
class Grid:
    """A table: titles, rows of texts, the numbers behind them (None: no number), and what it shows."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: tuple[tuple[float | None, ...], ...]
    caption: str

    def text(self) -> str:
        """The table as aligned plain text."""
        cells = [self.head, *self.rows]
        wide = [max(len(row[c]) for row in cells) for c in range(len(self.head))]
        lines = [
            "  ".join(
                cell.ljust(w) if c == 0 else cell.rjust(w)
                for c, (cell, w) in enumerate(zip(row, wide, strict=True))
            )
            for row in cells
        ]
        rule = "-" * len(lines[0])
        return "\n".join([lines[0].rstrip(), rule, *(line.rstrip() for line in lines[1:])])


def main_table(models: Sequence[Model], split: str) -> Grid:
    """mAP of each model with detected boxes: union, data sets, kinds; single heads in their single view."""
    kinds = kinds_of(models)
    datasets = models[0].datasets(split)
    rows = []
    for model in models:
        views = model.views(split)
        if not views:
            continue
        choice = views[0]
        values = [model.mean_ap(split, DETECTED, choice)]
        values += [model.mean_ap(split, DETECTED, choice, name) for name in datasets]
        values += [model.mean_ap(split, DETECTED, choice, UNION, kind) for kind in kinds]
        rows.append((f"{model.name} ({_views_text(model, choice)})", values))
    head = ("model", UNION, *datasets, *(KIND_MEANING.get(kind, kind) for kind in kinds))
    caption = (
        f"{note_on(models[0], split, DETECTED, models[0].views(split)[0])}; detected boxes. {_seeds(models)}"
    )
    return _grid(head, rows, caption)


def missing_table(models: Sequence[Model], split: str) -> Grid | None:
    """mAP of the union where keyframes without frames count as misses and where they are ignored; None where none lacks."""
    rows, found = [], dict[str, Any]()
    for model in models:
        choice = model.views(split)[0]
        found = (model.table(split, DETECTED, choice) or {}).get("missing") or found
        values = [model.missing_ap(split, DETECTED, choice, way) for way in ("count-as-miss", "ignore")]
        if any(values):
            rows.append((f"{model.name} ({_views_text(model, choice)})", values))
    if not found.get("keyframes"):
        return None
    caption = (
        f"{note_on(models[0], split, DETECTED, models[0].views(split)[0], short=True)}; pool {UNION}. Of "
        f"{found['keyframes']:,} keyframes with {found['labels']:,} labels the video or its frames are missing. In the other "
        f"tables they are counted as evaluate.missing says: {found['counted']}."
    )
    return _grid(("missing keyframes", "count as misses", "are ignored"), rows, caption)


def box_table(models: Sequence[Model], split: str) -> Grid:
    """Detected against ground-truth boxes, per data set: what better boxes would give."""
    datasets = models[0].datasets(split)
    rows = []
    for model in models:
        for boxset, title in ((DETECTED, "detected boxes"), (TRUTH, "ground-truth boxes")):
            views = model.views(split)
            if not views or model.table(split, boxset, views[0]) is None:
                continue
            values = [model.mean_ap(split, boxset, views[0], name) for name in (UNION, *datasets)]
            rows.append((f"{model.name}, {title}", values))
    caption = f"{note_on(models[0], split, TRUTH, models[0].views(split)[0])}; same classifier on both."
    return _grid(("boxes", UNION, *datasets), rows, caption)


def view_table(models: Sequence[Model], split: str) -> Grid:
    """mAP of each model by choice of views, a column each: single views, then averages of logits and of probabilities."""
    choices = list(dict.fromkeys(choice for model in models for choice in model.views(split)))
    choices.sort(key=lambda choice: (max(model.number_of_views(choice) for model in models), ":" in choice))
    rows = [
        (_model_text(model), [model.mean_ap(split, DETECTED, choice) for choice in choices])
        for model in models
    ]
    caption = (
        f"{note_on(models[0], split, DETECTED, models[0].views(split)[0])}; detected boxes, pool {UNION}."
    )
    return _grid(("model", *map(_choice_text, choices)), rows, caption)


def bank_statement(
    models: Sequence[Model], split: str, with_bank: str, control: str, base: str, kind: str
) -> str:
    """One paragraph on what the long-term bank adds on a kind of classes, beside control and base head."""
    found = {model.name: model for model in models}
    values: dict[str, Value] = {}
    for name in (with_bank, control, base):
        model = found.get(name)
        views = model.views(split) if model else []
        value = model.mean_ap(split, DETECTED, views[0], UNION, kind) if model and views else None
        if value is not None:
            values[name] = value
    title = KIND_MEANING.get(kind, kind)
    if with_bank not in values or not (control in values or base in values):
        return ""
    dialect = note_on(found[with_bank], split, DETECTED, found[with_bank].views(split)[0], short=True)
    text = f"On the classes of kind {title} ({dialect}) {with_bank} reaches {values[with_bank].percent()}"
    if base in values:
        text += (
            f" against {values[base].percent()} of {base} ({_difference(values[with_bank], values[base])})"
        )
    text += "."
    if control in values:
        gain = _difference(values[with_bank], values[control])
        text += (
            f" The control {control}, trained like it but unable to look beyond its own keyframe, "
            f"reaches {values[control].percent()}: reading the long-term bank is worth {gain} points."
        )
    if values[with_bank].seeds == 1:
        text += " This is one seed: differences of a few points can be the luck of the seed."
    return text


def _difference(one: Value, other: Value) -> str:
    return f"{100 * (one.mean - other.mean):+.2f}"


def _views_text(model: Model, choice: str) -> str:
    count = model.number_of_views(choice)
    if model.members:
        return f"{len(model.members)} members"
    return f"{count} views" if count > 1 else f"single view {model.seeds[0]['views'][choice][0]}"


def _model_text(model: Model) -> str:
    return f"{model.name} ({len(model.members)} members)" if model.members else model.name


def _choice_text(choice: str) -> str:
    names, _, how = choice.partition(":")
    return (
        f"{names}, probabilities averaged"
        if how == "prob"
        else f"{names}, logits averaged"
        if names == "all"
        else names
    )


def _seeds(models: Sequence[Model]) -> str:
    most = max(len(model.seeds) for model in models)
    return f"Mean ± standard deviation over up to {most} seeds." if most > 1 else "One seed."


def _grid(head: tuple[str, ...], rows: Sequence[tuple[str, Sequence[Value | None]]], caption: str) -> Grid:
    return Grid(
        head,
        tuple((name, *(value.percent() if value else "–" for value in values)) for name, values in rows),
        tuple(tuple(value.mean if value else None for value in values) for _, values in rows),
        caption,
    )

"""Training curves from history files and precision-recall curves of the detectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from stages.report.html import figure
from stages.report.svg import Line, line_chart

_POINTS: Final = 120
_SCORES: Final = {"map": "mAP on truth boxes of val (dialect strict)"}
_AXES: Final = ("epoch", "iteration", "step")


@dataclass(frozen=True)
class Measure:
    """Fractions that a history records beside the loss: in which list, over which axis, and each column's own name."""

    records: str
    axis: str
    columns: Mapping[str, str]
    unit: str
    caption: str


MEASURES: Final = (
    Measure(
        "epochs",
        "epoch",
        {"train_top1": "train", "val_top1": "val"},
        "top-1",
        "Clips that pre-training puts into the right class.",
    ),
    Measure("validations", "iteration", {"ap50": ""}, "AP@50", "Person boxes on val after each pass."),
)


def history_charts(histories: Mapping[str, Any]) -> str:
    """Loss curves, one chart per part of the name before the first slash (`pretrain/…`, `train/…`), and all measures."""
    charts = [*_loss_charts(histories), *filter(None, (_measured(histories, one) for one in MEASURES))]
    return f'<div class="pair">{"".join(charts)}</div>' if charts else ""


def _measured(histories: Mapping[str, Any], measure: Measure) -> str:
    """The chart of one measure; nothing where no history has it."""
    lines = []
    for name, history in histories.items():
        records = history.get(measure.records, []) if isinstance(history, dict) else []
        for column, label in measure.columns.items():
            rows = [row for row in records if row.get(column) is not None]
            points = [[float(row[key]) for row in rows] for key in (measure.axis, column)]
            if rows:
                lines.append(Line(" ".join([name.partition("/")[2] or name, label]).strip(), *points))
    if not lines:
        return ""
    return figure(line_chart(lines, measure.axis, measure.unit, y_range=(0.0, 1.0)), measure.caption)


def _loss_charts(histories: Mapping[str, Any]) -> list[str]:
    groups: dict[str, list[Line]] = {}
    titles: dict[str, str] = {}
    for name, history in histories.items():
        group, _, rest = name.partition("/")
        found = loss_curve(history)
        if found:
            axis, x, y = found
            groups.setdefault(group, []).append(Line(rest or name, x, y))
            titles[group] = axis
    return [
        figure(
            line_chart(lines, titles[group], "loss", y_range=_from_zero(lines)), f"Training loss: {group}."
        )
        for group, lines in groups.items()
    ]


def loss_curve(history: Any) -> tuple[str, list[float], list[float]] | None:
    """Axis title, positions and loss of a history: the first records that have one; thinned by means."""
    records = next((rows for rows in _record_lists(history) if any("loss" in row for row in rows)), None)
    if records is None:
        return None
    rows = [row for row in records if isinstance(row.get("loss"), int | float)]
    axis = next((name for name in _AXES if all(name in row for row in rows)), "record")
    x = np.array([float(row.get(axis, number)) for number, row in enumerate(rows)])
    y = np.array([float(row["loss"]) for row in rows])
    parts = [part for part in np.array_split(np.arange(len(rows)), min(_POINTS, len(rows))) if len(part)]
    return axis, [float(x[part].mean()) for part in parts], [float(y[part].mean()) for part in parts]


def _record_lists(value: Any) -> list[list[dict[str, Any]]]:
    """All lists of objects in a history, outermost first."""
    if isinstance(value, list):
        return [value] if value and all(isinstance(row, dict) for row in value) else []
    if isinstance(value, dict):
        return [rows for item in value.values() for rows in _record_lists(item)]
    return []


def _from_zero(lines: Sequence[Line]) -> tuple[float, float]:
    """From zero to a little above the largest value that is no outlier of the first steps."""
    values = np.concatenate([np.asarray(line.y, np.float64) for line in lines])
    high = float(np.quantile(values[np.isfinite(values)], 0.99)) if np.isfinite(values).any() else 1.0
    return 0.0, high * 1.08 or 1.0


def last_numbers(history: Any) -> str:
    """The plain numbers of a history as one line of text: its own, those of its validation, and of its last epoch."""
    if not isinstance(history, dict):
        return ""
    validation = history.get("validation")
    scores = validation if isinstance(validation, dict) else {}
    last = (history.get("epochs") or [{}])[-1]
    flat = history | {_SCORES.get(key, f"val {key}"): value for key, value in scores.items()} | last
    shown = [
        f"{key.replace('_', ' ')} {value:.4g}"
        if isinstance(value, float)
        else f"{key.replace('_', ' ')} {value}"
        for key, value in flat.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    ]
    return ", ".join(shown)


def detector_chart(tables: Mapping[str, Mapping[str, Any]], split: str) -> str:
    """Precision over recall of the person boxes of one split."""
    lines = [
        Line(name, table["curve"]["recall"], table["curve"]["precision"]) for name, table in tables.items()
    ]
    if not any(len(line.x) for line in lines):
        return ""
    chart = line_chart(lines, "recall", "precision", (0.0, 1.0), (0.0, 1.0))
    return figure(
        chart,
        f"Person boxes on split {split}: precision over recall at IoU 0.5.",
    )

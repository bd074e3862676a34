"""The ensemble in the report: what its weights are worth on other videos, each member's part, and the weights themselves."""

from __future__ import annotations

import math
from collections.abc import Mapping
from statistics import fmean
from typing import Any

from stages.report.html import figure, paragraph, percent, table
from stages.report.svg import heat_map


def ensemble_html(weights: Mapping[str, Any]) -> str:
    """Everything about one weights.json as html; empty without one."""
    if not weights:
        return ""
    parts = ["<h3>The ensemble</h3>"]
    if weights["held_out"]:
        kind = "warning" if _gain(weights) < 0 else "finding"
        parts += [paragraph(optimism_statement(weights), kind), _halves(weights)]
    return "".join([*parts, _members(weights), _heat_map(weights)])


def optimism_statement(weights: Mapping[str, Any]) -> str:
    """How far the mAP on the videos of the fit flatters the weights, and whether the best single member is beaten."""
    held = weights["held_out"]
    if math.isnan(_gain(weights)):
        return "One half of the videos has no truth: what the weights are worth on other videos is unknown."
    reached, alone = fmean(held["held_out"]), fmean(held["best_member"])
    return (
        f"On videos that its weights were not fitted on the ensemble reaches {percent(reached)} mAP (dialect "
        f"{weights['dialect']}), on those of the fit {percent(fmean(held['in_sample']))}: an optimism of "
        f"{100 * held['optimism']:+.2f} points. The member that is best on the one half reaches {percent(alone)} on the "
        f"other; the ensemble is worth {100 * (reached - alone):+.2f} points over it."
    )


def _gain(weights: Mapping[str, Any]) -> float:
    """Held-out mAP of the ensemble over that of the member that is best on the other half; NaN where a half has no truth."""
    held = weights["held_out"]
    if any(value is None for name in ("in_sample", "held_out", "best_member") for value in held[name]):
        return math.nan
    return fmean(held["held_out"]) - fmean(held["best_member"])


def _halves(weights: Mapping[str, Any]) -> str:
    held = weights["held_out"]
    names = (
        ("in_sample", "weights fitted on the same half"),
        ("held_out", "weights fitted on the other half"),
        ("uniform", "even weights"),
        ("best_member", "member that is best on the other half"),
    )
    rows = []
    for name, title in names:
        values = held[name]
        mean = None if None in values else fmean(values)
        rows.append((title, *(percent(value) for value in (*values, mean))))
    first, second = held["videos"]
    head = ("measured on", f"first half ({first} videos)", f"second half ({second} videos)", "mean")
    caption = (
        f"mAP in percent, dialect {weights['dialect']}, split {weights['fit_split']} of "
        f"{', '.join(weights['fit_datasets'])}, rule {weights['rule']}. Weights of a half are fitted on half of the data; "
        "those of all videos should do no worse elsewhere."
    )
    return table(head, rows, caption)


def _members(weights: Mapping[str, Any]) -> str:
    worth = weights["worth"] or [None] * len(weights["members"])
    share = [fmean(row) for row in weights["weights"]]
    rows: list[tuple[object, ...]] = [
        (name, percent(ap), f"{100 * part:.1f}", "–" if value is None else f"{100 * value:+.2f}")
        for name, ap, part, value in zip(weights["members"], weights["mean_ap"], share, worth, strict=True)
    ]
    rows.append(("ensemble, in sample", percent(weights["ensemble_mean_ap"]), "100.0", "–"))
    caption = (
        f"Each member alone on split {weights['fit_split']} (mAP in percent, dialect "
        f"{weights['dialect']}, views averaged by {weights['view_average']}), "
        "its mean weight in percent, and its worth: points of held-out mAP that the ensemble loses without it, its weight "
        "shared among the others. The ensemble in sample is measured where it was fitted, and optimistic by nature."
    )
    return table(("member", "mAP alone", "mean weight", "worth"), rows, caption)


def _heat_map(weights: Mapping[str, Any]) -> str:
    names = [str(row["name"]) for row in weights["classes"]]
    chart = heat_map(names, list(weights["members"]), list(zip(*weights["weights"], strict=True)))
    caption = (
        f"Ensemble weights in percent, a row per class (rule {weights['rule']}, fitted on split {weights['fit_split']} of "
        f"{', '.join(weights['fit_datasets']) or 'nothing'}). {' '.join(weights['notes'])}"
    )
    return figure(chart, caption, kind="heat")

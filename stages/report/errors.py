"""The part of the page about errors: their causes, what was said instead, what perfect parts would give, doubtful truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from stages.lib.errors import StageError
from stages.report.doubts import annotations_html, missing_html
from stages.report.html import esc, figure, paragraph, table
from stages.report.sheets import LEGEND, Shot, sheet, short
from stages.report.svg import Bar, legend, stacked_chart

COLOURS: Final = {
    "wrong class": "#4e79a7",
    "poor box": "#f28e2b",
    "both": "#c79f6a",
    "duplicate": "#b07aa1",
    "missing truth": "#59a14f",
    "false person": "#e15759",
    "missed person": "#7f8794",
    "missed class": "#c3cad4",
}
MEANING: Final = {
    "wrong class": "box on a person (IoU ≥ {iou:g}) who does not do the class",
    "poor box": "box near a person ({far:g} ≤ IoU < {iou:g}) who does the class",
    "both": "box near a person ({far:g} ≤ IoU < {iou:g}) who does not do the class",
    "duplicate": "box on a person (IoU ≥ {iou:g}) who does the class, but whom another entry has",
    "missing truth": "box on nobody, in a chain of ≥ {keyframes} confident ones: perhaps not annotated",
    "false person": "box on nobody (IoU < {far:g} with everybody)",
    "missed person": "truth without any box of IoU ≥ {iou:g}",
    "missed class": "truth whose person has a box, on which the class was not said",
}
WHAT_IF: Final = {
    "boxes in place": "each box with IoU ≥ {far:g} moved onto its nearest person; of each class the best entry stays",
    "perfect boxes": "the same, and boxes on nobody withdrawn; people without any box stay missed",
    "perfect classification of found boxes": "a box on a person says exactly that person's classes",
    "no missed persons": "people without a box get one with the right classes at score 1 (an upper bound)",
    "perfect tail classes": "the rarest third of the classes without error",
    "perfect middle classes": "the middle third of the classes without error",
    "ground-truth boxes": "measured: the model's answers on the boxes of the truth, nobody missed",
}
CONFUSIONS: Final = 15
PRINTED: Final = 30
"""Classes whose causes are drawn on paper, too: those with most errors."""


def errors_of_split(found: Any, split: str, where: str) -> dict[str, Any]:
    """The tables of one split (without a name of val, else of the first) with model and split named; {} without a split.

    Raises:
        StageError: another file, or one that lacks the named split.
    """
    if not isinstance(found, dict) or not isinstance(found.get("splits"), dict):
        raise StageError(
            "not an errors.json of a run", where, "give the file that evaluate wrote beside metrics.json"
        )
    splits = found["splits"]
    if split and split not in splits:
        what = f"holds no split {split!r}, only {', '.join(splits) or 'none'}"
        raise StageError(what, where, "name one of them with --split, or evaluate that split")
    chosen = split if split else "val" if "val" in splits else next(iter(splits), "")
    return {**splits[chosen], "name": found["name"], "split": chosen} if chosen else {}


def errors_html(tables: Mapping[str, Any], shots: Mapping[str, Sequence[Shot]]) -> str:
    """The whole section as html; nothing without tables."""
    if not tables:
        return ""
    intro = (
        f"Model {tables['name']}, split {tables['split']}, union of the data sets, detected boxes, dialect "
        f"{tables['dialect']}. Of each class the N best scored entries are judged, N being its number of truths: there "
        "precision equals recall, whatever the scale of the scores. Every false entry among them and every truth that none "
        "of them hits is one error and has exactly one cause, the first that holds; shares are of all errors."
    )
    parts = [
        paragraph(intro, "note"),
        _causes(tables),
        _classes(tables),
        _confusion(tables),
        _what_if(tables),
    ]
    parts += [_sheets(tables, shots), missing_html(tables), annotations_html(tables)]
    return "".join(parts)


def _causes(tables: Mapping[str, Any]) -> str:
    whole = tables["all"]
    rows = [
        (cause, MEANING[cause].format(**_numbers(tables)), count, percent(share), signed(gain))
        for cause, count, share, gain in zip(
            tables["causes"], whole["counts"], whole["shares"], whole["gain"], strict=True
        )
    ]
    caption = (
        f"All classes: {whole['truths']:,} truths, {whole['entries']:,} entries judged. Gain: what mAP "
        f"({percent(tables['mAP'])}, dialect {tables['dialect']}) gains when this cause alone is repaired at every rank "
        "(as TIDE, Bolya et al. 2020, section 3: put right where that hits a truth which nothing else hits, else "
        "withdrawn; missed truths are forgotten). Gains do not add up."
    )
    return "<h3>Causes</h3>" + table(("cause", "meaning", "errors", "share %", "gain"), rows, caption)


def _classes(tables: Mapping[str, Any]) -> str:
    rows = sorted((row for row in tables["classes"] if row["truths"]), key=lambda row: -sum(row["counts"]))
    whole = Bar("all classes", tuple(tables["all"]["shares"]), "", f"{sum(tables['all']['counts']):,} errors")
    bars = [
        Bar(
            short(row["name"]),
            tuple(row["shares"]),
            "",
            f"{sum(row['counts']):,} errors, AP {percent(row['ap'])}",
        )
        for row in rows
    ]
    caption = (
        "Share of each cause in the errors of each class, in percent; classes with most errors first. False entries stand to "
        "the left, missed truths to the right: half and half, unless a class has fewer entries than truths."
    )
    charts = figure(stacked_chart([whole, *bars[:PRINTED]], COLOURS), caption, kind="stack")
    if len(bars) > PRINTED:
        rest = f"The other {len(bars) - PRINTED} classes, with fewer errors."
        charts += figure(stacked_chart(bars[PRINTED:], COLOURS), rest, kind="screen")
    head = ("class", "AP", "truths", "errors", *(f"{cause} %" for cause in tables["causes"]))
    cells = [
        (
            short(row["name"]),
            percent(row["ap"]),
            row["truths"],
            sum(row["counts"]),
            *map(percent, row["shares"]),
        )
        for row in rows
    ]
    found = table(head, cells, f"The same as numbers; AP of dialect {tables['dialect']}.")
    return (
        f"<h3>Causes by class</h3><p>{legend(COLOURS)}</p>{charts}"
        f"<details><summary>As a table</summary>{found}</details>"
    )


def _confusion(tables: Mapping[str, Any]) -> str:
    whole = [row for row in tables["confusion"] if row["truth"] is not None]
    beside = [row for row in tables["confusion"] if row["truth"] is None]
    number = sum(row["entries"] for row in tables["confusion"])
    if not number:
        return ""
    instead = [
        (short(row["said"]), short(row["truth"]), f"{row['entries']:.1f}") for row in whole[:CONFUSIONS]
    ]
    added = [(short(row["said"]), f"{row['entries']:.0f}") for row in beside[:CONFUSIONS]]
    left = table(
        ("said", "truth instead", "entries"),
        instead,
        f"Wrong class on a right box: which class of that person was not said instead. An entry is shared equally among "
        f"several. {sum(row['entries'] for row in whole):.0f} of {number:.0f} entries; at most {CONFUSIONS} rows.",
    )
    right = table(
        ("said", "entries"),
        added,
        "Wrong class on a right box, said beside all that the truth has for that person: an addition.",
    )
    return f'<h3>Which class instead</h3><div class="pair"><div>{left}</div><div>{right}</div></div>'


def _what_if(tables: Mapping[str, Any]) -> str:
    rows: list[tuple[str, ...]] = [("as it is", "", percent(tables["mAP"]), "")]
    rows += [
        (
            one["what"],
            WHAT_IF.get(one["what"], "").format(**_numbers(tables)),
            percent(one["mAP"]),
            signed(one["change"]),
        )
        for one in tables["what_if"]
    ]
    caption = (
        f"mAP in percent (dialect {tables['dialect']}) on repaired inputs, one part perfect at a time (the slides' row "
        "34.15 → 42.25 is ground-truth boxes). "
        "Everything but the measured row is computed from the detections alone."
    )
    return "<h3>What if</h3>" + table(("perfect", "meaning", "mAP", "change"), rows, caption)


def _sheets(tables: Mapping[str, Any], shots: Mapping[str, Sequence[Shot]]) -> str:
    if not any(shots.values()):
        return paragraph(
            "No picture of an error: none was asked for, or no frame of one is in the cache.", "note"
        )
    text = (
        "The worst of each cause, classes taking turns: false entries by score, missed people by size. Predictions are "
        "what was said above the operating point on the box, right claims in green, wrong ones in red."
    )
    parts = [f"<h3>Contact sheet</h3><p>{legend(LEGEND)}</p>", paragraph(text, "note")]
    for cause, found in sorted(shots.items(), key=lambda item: tables["causes"].index(item[0])):
        if found:
            meaning = MEANING[cause].format(**_numbers(tables))
            parts.append(f"<h4>{esc(cause)}: {esc(meaning)}</h4>{sheet(found)}")
    return "".join(parts)


def _numbers(tables: Mapping[str, Any]) -> dict[str, float]:
    return {"iou": tables["iou"], **tables["limits"]}


def percent(value: float | None) -> str:
    """A share in percent, without a unit."""
    return "–" if value is None else f"{100 * value:.1f}"


def signed(value: float | None) -> str:
    """A difference in points of percent."""
    return "–" if value is None else f"{100 * value:+.2f}"

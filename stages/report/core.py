"""The report's page: every section from its material; a section without material is left out with a note."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from stages.report.classes import classes_html
from stages.report.costs import Cost, spell_bytes, spell_seconds
from stages.report.coverage import coverage_html, skipped_clips_html
from stages.report.curves import detector_chart, history_charts, last_numbers
from stages.report.ensemble import ensemble_html
from stages.report.errors import errors_html
from stages.report.html import (
    Measured,
    Section,
    best_cells,
    details,
    esc,
    page,
    paragraph,
    percent,
    preformatted,
    table,
)
from stages.report.looks import CAPTION, Look, look_card
from stages.report.metrics import Model
from stages.report.pictures import Picture, card
from stages.report.sheets import Shot
from stages.report.tables import Grid, bank_statement, box_table, main_table, missing_table, view_table


@dataclass(frozen=True)
class Material:
    """All that the page is made of; whatever is empty leads to a note instead of a section.

    `bank` names the rows of the statement on long-term memory: head with bank, its control, without, kind.
    """

    run: str
    models: Sequence[Model] = ()
    persons: Mapping[str, Any] = field(default_factory=dict)
    histories: Mapping[str, Any] = field(default_factory=dict)
    weights: Mapping[str, Any] = field(default_factory=dict)
    coverage: Mapping[str, Sequence[Mapping[str, str]]] = field(default_factory=dict)
    class_coverage: Mapping[str, Sequence[Mapping[str, str]]] = field(default_factory=dict)
    costs: Sequence[Cost] = ()
    pictures: Sequence[Picture] = ()
    errors: Mapping[str, Any] = field(default_factory=dict)
    shots: Mapping[str, Sequence[Shot]] = field(default_factory=dict)
    relation_head: str = ""
    looks: Sequence[Look] = ()
    bank: tuple[str, str, str, str] = ("", "", "", "d")
    configuration: str = ""
    origins: Sequence[tuple[str, str]] = ()


def build_page(material: Material) -> str:
    """The whole html page."""
    makers = (
        ("results", "Results", _results),
        ("boxes", "Detectors and boxes", _boxes),
        ("views", "Views and ensemble", _views),
        ("classes", "Classes", _classes),
        ("errors", "Understanding the errors", lambda of: errors_html(of.errors, of.shots)),
        ("keyframes", "Keyframes", _keyframes),
        ("relations", "Where relations look", _relations),
        ("training", "Training", _training),
        ("coverage", "Coverage", _coverage),
        ("cost", "Time and space", _cost),
        ("origin", "Configuration and origin", _origin),
    )
    sections, absent = [], []
    for anchor, title, maker in makers:
        body = maker(material)
        if body:
            sections.append(Section(anchor, title, body))
        elif anchor != "relations":  # a run need not have a head with relations
            absent.append(title)
    if absent:
        text = f"Nothing was given for: {', '.join(absent)}. Runs without ground truth have no results."
        sections.append(Section("absent", "Left out", paragraph(text, "note")))
    return page(
        f"acarflow report: {material.run}", "Spatio-temporal action detection with the ACAR recipe", sections
    )


def plain_tables(material: Material) -> str:
    """The main table of every split as plain text."""
    if not material.models:
        return f"run {material.run}: no metrics (no ground truth was given)\n"
    parts = []
    for split in _splits(material):
        grid = main_table(_scored(material.models, split), split)
        parts.append(f"{grid.text()}\n{grid.caption}\n")
        missing = missing_table(_scored(material.models, split), split)
        parts += [f"{missing.text()}\n{missing.caption}\n"] if missing else []
        statement = bank_statement(material.models, split, *material.bank)
        parts += [f"{statement}\n"] if statement else []
    return "\n".join(parts)


def _splits(material: Material) -> list[str]:
    """Splits of all models, the test first: choices are made on val, tables are read on test."""
    found = {split for model in material.models for split in model.splits()}
    return sorted(found, key=lambda split: {"test": 0, "val": 1}.get(split, 2))


def _scored(models: Sequence[Model], split: str) -> list[Model]:
    return [model for model in models if model.views(split)]


def _html(grid: Grid) -> str:
    return table(grid.head, grid.rows, grid.caption, best_cells(grid.numbers))


def _results(material: Material) -> str:
    parts = []
    for split in _splits(material):
        parts += [f"<h3>Split {esc(split)}</h3>", _html(main_table(_scored(material.models, split), split))]
        missing = missing_table(_scored(material.models, split), split)
        parts += [_html(missing)] if missing else []
        statement = bank_statement(material.models, split, *material.bank)
        parts += [paragraph(statement, "finding")] if statement else []
    if len(parts) and len(_splits(material)) > 1:
        note = "Choices (weights of the ensemble, thresholds) were made on val; read the comparison on test."
        parts.append(paragraph(note, "note"))
    return "".join(parts)


def _boxes(material: Material) -> str:
    persons = material.persons.get("results", {})
    parts = []
    for split in dict.fromkeys([*_splits(material), *persons]):
        found = [_persons(persons[split], split)] if split in persons else []
        models = _scored(material.models, split)
        grid = box_table(models, split) if models else None
        found += [_html(grid)] if grid and grid.rows else []
        parts += [f"<h3>Split {esc(split)}</h3>", *found] if found else []
    return "".join(parts)


def _persons(tables: Mapping[str, Mapping[str, Any]], split: str) -> str:
    tables = {_boxes_named(name, row): row for name, row in tables.items()}
    rows = [
        (name, percent(row["AP"]), percent(row["AP_coco"]), row["keyframes"], row["truths"], row["boxes"])
        for name, row in tables.items()
    ]
    head = ("data set", "AP@50", "COCO AP@50", "keyframes", "people", "boxes")
    caption = (
        f"Person boxes on split {split} in percent, by each data set's own detector unless another is named. AP@50: the "
        "area under the curve; COCO AP@50: its mean at 101 recalls. The dialects of the mAP do not touch them."
    )
    return f'<div class="pair"><div>{table(head, rows, caption)}</div>{detector_chart(tables, split)}</div>'


def _boxes_named(name: str, row: Mapping[str, Any]) -> str:
    """The data set, or what a further detector found there."""
    return f"boxes of detector {row['detector']} on {row['dataset']}" if row.get("detector") else name


def _views(material: Material) -> str:
    parts = []
    for split in _splits(material):
        grid = view_table(_scored(material.models, split), split)
        parts += [f"<h3>Split {esc(split)}</h3>", _html(grid)] if len(grid.rows) > 1 else []
    return "".join(parts) + ensemble_html(material.weights)


def _classes(material: Material) -> str:
    return "".join(classes_html(_scored(material.models, split), split) for split in _splits(material))


def _keyframes(material: Material) -> str:
    if not material.pictures:
        return ""
    text = (
        "Solid boxes are detected people: green where the truth has a person there, red where it has none; "
        "dashed white is the truth, dashed orange a person whom no box overlaps. Below each picture: actions that were "
        "said rightly (✓), wrongly (✗), and those of the truth that were not said."
    )
    cards = "".join(card(picture) for picture in material.pictures)
    return f'{paragraph(text, "note")}<div class="cards">{cards}</div>'


def _relations(material: Material) -> str:
    if not material.looks:
        return ""
    cards = "".join(look_card(look) for look in material.looks)
    text = CAPTION.format(head=material.relation_head)
    return f'{paragraph(text, "note")}<div class="cards wide">{cards}</div>'


def _training(material: Material) -> str:
    rows = [(name, last_numbers(history)) for name, history in material.histories.items()]
    if not rows:
        return ""
    charts = history_charts(material.histories)
    return charts + table(
        ("training", "recorded numbers"), rows, "What each training recorded beside its curve."
    )


def _coverage(material: Material) -> str:
    videos = coverage_html(material.coverage, material.class_coverage) if material.coverage else ""
    return videos + skipped_clips_html(material.histories)


def _cost(material: Material) -> str:
    if not material.costs:
        return ""
    rows = [
        (
            cost.stage,
            cost.jobs or None,
            Measured(spell_seconds(cost.seconds), cost.seconds) if cost.jobs else None,
            f"{cost.peak_mib:,.0f}" if cost.peak_mib else None,
            cost.files or None,
            Measured(spell_bytes(cost.size), cost.size) if cost.files else None,
        )
        for cost in material.costs
    ]
    seconds, size = sum(cost.seconds for cost in material.costs), sum(cost.size for cost in material.costs)
    caption = f"In all {spell_seconds(seconds)} of job time, {spell_bytes(size)} on disk; jobs may overlap."
    return table(("stage", "jobs", "job time", "peak MiB", "files", "on disk"), rows, caption)


def _origin(material: Material) -> str:
    parts = []
    if material.origins:
        parts.append(
            details(
                "Fingerprints of everything this page was made of",
                table(("input", "fingerprint"), material.origins, "Artifacts, and sha256 of other files."),
            )
        )
    if material.configuration:
        parts.append(details("Configuration of the run", preformatted(material.configuration)))
    return "".join(parts)

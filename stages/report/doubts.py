"""The parts of the page about the truth itself: people whom it may lack, labels that contradict each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from stages.report.html import details, paragraph, table
from stages.report.sheets import short

ROWS: Final = 12
LEAST: Final = 5  # swaps of a pair that are worth a row


def missing_html(tables: Mapping[str, Any]) -> str:
    """People whom the truth may lack, the longest chains first."""
    found, limits = tables["missing"], tables["limits"]
    what = (
        f"boxes on nobody with a best score ≥ {limits['confident']:g} in {limits['keyframes']} or more neighbouring keyframes, "
        f"linked by IoU ≥ {limits['link']:g}"
    )
    title = "<h3>Missing truth?</h3>"
    if not found["number"]:
        return title + paragraph(f"None: there are no {what}.")
    rows = [
        (
            row["video"],
            _time(row["from_ms"]),
            _time(row["to_ms"]),
            row["keyframes"],
            f"{row['score']:.2f}",
            short(row["class"]),
            _box(row["box"]),
        )
        for row in found["listed"][:ROWS]
    ]
    head = ("video", "from s", "to s", "keyframes", "score", "best class", "box at the start")
    return title + table(head, rows, f"{_some(rows, found['number'])} candidates: {what}.")


def annotations_html(tables: Mapping[str, Any]) -> str:
    """Flicker, swaps and doubles of the truth."""
    found, limits = tables["annotations"], tables["limits"]
    title = "<h3>Inconsistent annotations</h3>"
    if not found["links"] and not found["doubles"]["number"]:
        return title + paragraph(
            f"{found['people']:,} people, none of them annotated at two neighbouring keyframes (at most "
            f"{limits['gap_ms'] / 1000:g} s apart): nothing can be said about labels over time."
        )
    text = (
        f"{found['tracks']:,} tracks with {found['links']:,} steps between neighbouring keyframes (same person id, where the "
        f"truth has ids, and IoU ≥ {limits['link']:g})."
    )
    return title + paragraph(text, "note") + _flicker(found, limits) + _swaps(found) + _doubles(found, limits)


def _flicker(found: Mapping[str, Any], limits: Mapping[str, Any]) -> str:
    ranked = sorted(found["flicker"], key=lambda row: (-row["rate"], -row["steady"]))
    rows = [
        (short(row["class"]), row["flickers"], row["steady"], f"{100 * row['rate']:.1f}")
        for row in ranked
        if row["flickers"]
    ]
    if not rows:
        return paragraph(f"No label goes and comes back within {limits['window']} keyframes of a track.")
    listed = [
        (row["video"], _time(row["ms"]), _time(row["to_ms"]), short(row["class"]), _box(row["box"]))
        for row in found["flickers"]["listed"][:ROWS]
    ]
    head = ("class", "flickers", "steady", "rate %")
    rates = table(
        head,
        rows[:ROWS],
        f"Labels that go and come back on a track within {limits['window']} keyframes, beside those that stand at the next "
        f"keyframe, too; {_some(rows[:ROWS], len(rows))} classes. "
        f"{len(found['flicker']) - len(rows)} further classes never flicker.",
    )
    if len(rows) > ROWS:
        rates += details(f"The other {len(rows) - ROWS} classes", table(head, rows[ROWS:], "Lower rates."))
    places = table(
        ("video", "on at s", "again at s", "class", "box"),
        listed,
        f"{_some(listed, found['flickers']['number'])} flickers.",
    )
    return rates + places


def _swaps(found: Mapping[str, Any]) -> str:
    rows = [
        (
            short(row["first"]),
            short(row["second"]),
            row["there"],
            row["back"],
            f"{row['expected']:.1f}",
            f"{row['excess']:+.1f}",
            row["returned"],
        )
        for row in found["swaps"]
        if row["there"] + row["back"] >= LEAST and row["excess"] > 0
    ]
    if not rows:
        return paragraph(
            f"No two classes are swapped {LEAST} times or more, and oftener than chance would have it."
        )
    caption = (
        "Classes swapped from one keyframe of a person to the next, against what chance gives (both directions together); "
        "excess in standard deviations. Many taken back at once: perhaps used interchangeably; few: one follows the other."
    )
    head = ("A", "B", "A → B", "B → A", "by chance", "excess", "taken back")
    return table(head, rows[:ROWS], caption)


def _doubles(found: Mapping[str, Any], limits: Mapping[str, Any]) -> str:
    doubles = found["doubles"]
    rows = [
        (row["video"], _time(row["ms"]), _box(row["box"]), _box(row["other"]))
        for row in doubles["listed"][:ROWS]
    ]
    if not rows:
        return ""
    number = _some(rows, doubles["number"])
    caption = f"{number} pairs of boxes of one keyframe with IoU ≥ {limits['double']:g} and different labels."
    return table(("video", "at s", "box", "other box"), rows, caption)


def _some(rows: Sequence[object], number: int) -> str:
    return f"{len(rows)} of {number:,}" if len(rows) < number else f"{number:,}"


def _time(ms: int) -> str:
    return f"{ms / 1000:g}"


def _box(box: Sequence[float]) -> str:
    return " ".join(f"{side:.2f}" for side in box)

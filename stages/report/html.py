"""Small pieces of html: every text that comes from data is escaped here and nowhere else."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from stages.report.style import CSS, SORT

MISSING: Final = "–"
_SORTED_FROM: Final = 4  # rows; shorter tables are seen at a glance
_LONG_FROM: Final = 20  # rows; longer tables are printed in small type
_NUMBER: Final = re.compile(r"[+-]?\d[\d,]*(\.\d+)?( ± \d+(\.\d+)?)?")
_POLICY: Final = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"


@dataclass(frozen=True)
class Section:
    """A part of the page: anchor, title, and its inner html."""

    anchor: str
    title: str
    body: str


@dataclass(frozen=True)
class Measured:
    """A cell whose text is no plain number (`3 min 05 s`, `1.2 GB`), with the number by which it is sorted."""

    text: str
    number: float


def esc(value: object) -> str:
    """A value as text that is safe in html content and in quoted attributes."""
    return html.escape(str(value), quote=True)


def paragraph(text: object, kind: str = "") -> str:
    """A paragraph of plain text, with an optional class (`note`, `caption`, `warning`)."""
    attribute = f' class="{esc(kind)}"' if kind else ""
    return f"<p{attribute}>{esc(text)}</p>"


def figure(body: str, caption: object, *, kind: str = "") -> str:
    """A figure with its caption below; `body` is html."""
    attribute = f' class="{esc(kind)}"' if kind else ""
    return f"<figure{attribute}>{body}<figcaption>{esc(caption)}</figcaption></figure>"


def details(title: object, body: str) -> str:
    """A folded block, which is not printed; `body` is html."""
    return f"<details><summary>{esc(title)}</summary>{body}</details>"


def preformatted(text: str) -> str:
    """Plain text with its own line breaks."""
    return f"<pre>{esc(text)}</pre>"


def percent(value: float | None) -> str:
    """A fraction in percent with two decimals; a dash where there is none."""
    return MISSING if value is None else f"{100 * value:.2f}"


def table(
    head: Sequence[object],
    rows: Sequence[Sequence[object]],
    caption: object,
    bold: frozenset[tuple[int, int]] = frozenset(),
) -> str:
    """A table whose columns of numbers stand to the right; cells in `bold` are the best.

    From four rows on a click on a title sorts it: numbers from the largest, texts by the alphabet, missing cells last.
    """
    numeric = [_is_numeric([row[c] for row in rows]) for c in range(len(head))]
    columns = "".join(
        f"<th{' class=num' * number}>{esc(title)}</th>" for title, number in zip(head, numeric, strict=True)
    )
    body = []
    for r, row in enumerate(rows):
        cells = [_cell(value, numeric[c], (r, c) in bold) for c, value in enumerate(row)]
        body.append(f"<tr>{''.join(cells)}</tr>")
    sizes = (("sortable", len(rows) >= _SORTED_FROM), ("long", len(rows) >= _LONG_FROM))
    kind = " ".join(name for name, wanted in sizes if wanted)
    return (
        f'<div class="scroll"><table class="{kind}"><caption>{esc(caption)}</caption>'
        f"<thead><tr>{columns}</tr></thead><tbody>{''.join(body)}</tbody></table></div>"
    )


def best_cells(values: Sequence[Sequence[float | None]], first: int = 1) -> frozenset[tuple[int, int]]:
    """Cells (row, column) with the largest value of their column, the columns being counted from `first`."""
    cells: set[tuple[int, int]] = set()
    for c in range(len(values[0]) if values else 0):
        column = [(value, r) for r, row in enumerate(values) if (value := row[c]) is not None]
        if len(column) > 1:
            best = max(value for value, _ in column)
            cells |= {(r, c + first) for value, r in column if value == best}
    return frozenset(cells)


def page(title: str, subtitle: str, sections: Sequence[Section]) -> str:
    """The whole self-contained page; its policy forbids the browser to load anything but what the file holds."""
    links = "".join(f'<li><a href="#{esc(s.anchor)}">{esc(s.title)}</a></li>' for s in sections)
    parts = "".join(
        f'<section id="{esc(s.anchor)}"><h2>{esc(s.title)}</h2>{s.body}</section>' for s in sections
    )
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        f"<title>{esc(title)}</title><style>{CSS}</style></head><body>"
        f"<nav><p>{esc(title)}</p><ol>{links}</ol></nav>"
        f"<main><header><h1>{esc(title)}</h1><p>{esc(subtitle)}</p></header>{parts}</main>"
        f"<script>{SORT}</script></body></html>\n"
    )


def _is_numeric(values: Sequence[object]) -> bool:
    """Whether all cells of a column that are not missing are numbers, and some is."""
    known = [value for value in values if _text(value) not in ("", MISSING)]
    return bool(known) and all(
        isinstance(value, Measured) or bool(_NUMBER.fullmatch(_text(value))) for value in known
    )


def _text(value: object) -> str:
    if value is None:
        return MISSING
    return value.text if isinstance(value, Measured) else str(value)


def _cell(value: object, numeric: bool, best: bool) -> str:
    names = " ".join(name for name, wanted in (("num", numeric), ("best", best)) if wanted)
    attribute = f' class="{names}"' if names else ""
    if isinstance(value, Measured):
        attribute += f' data-key="{value.number!r}"'
    return f"<td{attribute}>{esc(_text(value))}</td>"

"""Small pieces of html: every text that comes from data is escaped here and nowhere else."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Section:
    """A part of the page: anchor, title, and its inner html."""

    anchor: str
    title: str
    body: str


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


def details(title: object, text: str) -> str:
    """A folded block of preformatted plain text."""
    return f"<details><summary>{esc(title)}</summary><pre>{esc(text)}</pre></details>"


def table(
    head: Sequence[object],
    rows: Sequence[Sequence[object]],
    caption: object,
    bold: frozenset[tuple[int, int]] = frozenset(),
) -> str:
    """A sortable table; cells that look like numbers stand to the right, cells in `bold` are the best."""
    columns = "".join(f"<th>{esc(title)}</th>" for title in head)
    body = []
    for r, row in enumerate(rows):
        cells = [_cell(value, (r, c) in bold) for c, value in enumerate(row)]
        body.append(f"<tr>{''.join(cells)}</tr>")
    return (
        f'<div class="scroll"><table class="sortable"><caption>{esc(caption)}</caption>'
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
    """The whole self-contained page."""
    links = "".join(f'<li><a href="#{esc(s.anchor)}">{esc(s.title)}</a></li>' for s in sections)
    parts = "".join(
        f'<section id="{esc(s.anchor)}"><h2>{esc(s.title)}</h2>{s.body}</section>' for s in sections
    )
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{esc(title)}</title><style>{CSS}</style></head><body>"
        f"<nav><p>{esc(title)}</p><ol>{links}</ol></nav>"
        f"<main><header><h1>{esc(title)}</h1><p>{esc(subtitle)}</p></header>{parts}</main>"
        f"<script>{SORT}</script></body></html>\n"
    )


def _cell(value: object, best: bool) -> str:
    text = "–" if value is None else str(value)
    number = isinstance(value, int | float) or text[:1].isdigit() or text[:1] in "–-+"
    names = " ".join(name for name, wanted in (("num", number), ("best", best)) if wanted)
    attribute = f' class="{names}"' if names else ""
    return f"<td{attribute}>{esc(text)}</td>"


CSS: Final = """
:root { --ink: #1c2330; --dim: #5b6575; --line: #dfe3ea; --soft: #f5f7fa; --link: #2458a8;
  --good: #1d8a4a; --bad: #c8322b; --miss: #b26a00; }
* { box-sizing: border-box; }
body { margin: 0; color: var(--ink); font: 15px/1.55 system-ui, "Segoe UI", Arial, sans-serif;
  display: grid; grid-template-columns: 230px minmax(0, 1fr); }
nav { position: sticky; top: 0; height: 100vh; overflow: auto; padding: 22px 18px; background: var(--soft);
  border-right: 1px solid var(--line); font-size: 13.5px; }
nav p { margin: 0 0 10px; font-weight: 650; }
nav ol { margin: 0; padding-left: 20px; } nav li { margin: 4px 0; }
a { color: var(--link); text-decoration: none; } a:hover { text-decoration: underline; }
main { padding: 26px 40px 80px; max-width: 1180px; }
header { border-bottom: 2px solid var(--ink); margin-bottom: 8px; }
h1 { font-size: 26px; margin: 0 0 2px; } header p { margin: 0 0 12px; color: var(--dim); }
h2 { font-size: 20px; margin: 34px 0 10px; padding-top: 6px; } h3 { font-size: 16px; margin: 22px 0 6px; }
.scroll { overflow-x: auto; margin: 10px 0 18px; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; min-width: 420px; }
caption { caption-side: bottom; text-align: left; color: var(--dim); font-size: 13px; padding-top: 6px; }
th, td { padding: 5px 9px; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
th { border-bottom: 1.5px solid var(--ink); font-weight: 600; cursor: pointer; }
td.num { text-align: right; white-space: nowrap; } td.best { font-weight: 700; } td:first-child { min-width: 11em; }
tbody tr:hover { background: var(--soft); }
figure { margin: 10px 0 22px; } figure svg { max-width: 100%; height: auto; display: block; }
figcaption, .caption { color: var(--dim); font-size: 13px; margin-top: 5px; }
.note { color: var(--dim); }
.warning { border-left: 4px solid var(--miss); background: #fdf6ea; padding: 8px 14px; }
.square { display: inline-block; width: 11px; height: 11px; }
.finding { border-left: 4px solid var(--link); background: #eef4fd; padding: 8px 14px; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(330px, 1fr)); gap: 18px; }
.cards figure { margin: 0; border: 1px solid var(--line); border-radius: 6px; padding: 8px; }
.cards svg { width: 100%; border-radius: 4px; background: #222; }
.cards.wide { grid-template-columns: repeat(auto-fill, minmax(500px, 1fr)); }
.looks { display: grid; grid-template-columns: 1fr 1fr; gap: 8px; }
.people { list-style: none; margin: 6px 0 0; padding: 0; font-size: 13.5px; }
.people li { padding: 2px 0; border-top: 1px dotted var(--line); }
.people b { margin-right: 6px; }
.good { color: var(--good); } .bad { color: var(--bad); } .miss { color: var(--miss); }
.tag { white-space: nowrap; margin-right: 9px; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(440px, 1fr)); gap: 18px; }
.pair > div { min-width: 0; } .pair table { min-width: 0; font-size: 13.5px; }
.pair th, .pair td { padding: 5px 6px; } .pair td:first-child { min-width: 7em; }
pre { background: var(--soft); border: 1px solid var(--line); border-radius: 4px; padding: 10px; overflow: auto;
  font-size: 12.5px; max-height: 480px; }
summary { cursor: pointer; padding: 4px 0; }
@media (max-width: 900px) {
  body { display: block; } nav { position: static; height: auto; } main { padding: 18px; } }
@media print { body { display: block; } nav { display: none; } figure { break-inside: avoid; } }
"""

SORT: Final = """
for (const table of document.querySelectorAll('table.sortable')) {
  table.querySelectorAll('th').forEach((head, column) => head.addEventListener('click', () => {
    const body = table.tBodies[0], down = head.dataset.down !== '1';
    head.dataset.down = down ? '1' : '0';
    const value = row => row.cells[column].textContent.trim();
    const number = text => {
      const n = parseFloat(text.replace(/[,%]/g, ''));
      return isNaN(n) ? null : n;
    };
    [...body.rows].sort((a, b) => {
      const x = number(value(a)), y = number(value(b));
      const order = x !== null && y !== null ? x - y : value(a).localeCompare(value(b));
      return down ? -order : order;
    }).forEach(row => body.append(row));
  }));
}
"""

"""How the page looks on a screen and on paper, and the script that sorts its tables."""

from __future__ import annotations

from typing import Final

_SCREEN: Final = """
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
main { padding: 26px 40px 80px; max-width: 1180px; min-width: 0; }
header { border-bottom: 2px solid var(--ink); margin-bottom: 8px; }
h1 { font-size: 26px; margin: 0 0 2px; } header p { margin: 0 0 12px; color: var(--dim); }
h2 { font-size: 20px; margin: 34px 0 10px; padding-top: 6px; } h3 { font-size: 16px; margin: 22px 0 6px; }
.scroll { overflow-x: auto; margin: 10px 0 18px; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; min-width: 560px; }
caption { caption-side: bottom; text-align: left; color: var(--dim); font-size: 13px; padding-top: 6px; }
th, td { padding: 5px 9px; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
th { border-bottom: 1.5px solid var(--ink); font-weight: 600; vertical-align: bottom; }
th.num, td.num { text-align: right; } td.num { white-space: nowrap; }
th button { all: unset; cursor: pointer; } th button:hover { text-decoration: underline; }
th button:focus-visible { outline: 2px solid var(--link); outline-offset: 3px; }
th[aria-sort] { color: var(--link); }
th[aria-sort=ascending] button::after { content: " ▲"; font-size: 0.7em; }
th[aria-sort=descending] button::after { content: " ▼"; font-size: 0.7em; }
td.best { font-weight: 700; } td:first-child { min-width: 13em; }
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
.cards.sheet { grid-template-columns: repeat(auto-fill, minmax(210px, 1fr)); gap: 12px; }
.looks { display: grid; grid-template-columns: 1fr 1fr; gap: 8px; font-size: 13px; }
.people { list-style: none; margin: 6px 0 0; padding: 0; font-size: 13.5px; }
.people li { padding: 2px 0; border-top: 1px dotted var(--line); }
.people b { margin-right: 6px; }
.good { color: var(--good); } .bad { color: var(--bad); } .miss { color: var(--miss); }
.tag { white-space: nowrap; margin-right: 9px; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(440px, 1fr)); gap: 18px; }
.pair > * { min-width: 0; } .pair table { min-width: 0; font-size: 13.5px; }
.pair th, .pair td { padding: 5px 6px; } .pair td:first-child { min-width: 10em; }
pre { background: var(--soft); border: 1px solid var(--line); border-radius: 4px; padding: 10px; overflow: auto;
  font-size: 12.5px; max-height: 480px; }
summary { cursor: pointer; padding: 4px 0; }
@media (max-width: 900px) {
  body { display: block; } nav { position: static; height: auto; } main { padding: 18px; } }
"""

_PAPER: Final = """
@page { size: A4; margin: 11mm 12mm; }
@media print {
  body { display: block; font-size: 8.5pt; line-height: 1.3; print-color-adjust: exact; }
  nav, details, section:not(:has(> :not(h2, details))), figure.screen { display: none; }
  main { padding: 0; max-width: none; }
  h1 { font-size: 15pt; } h2 { font-size: 12pt; margin: 9pt 0 3pt; } h3 { font-size: 9.5pt; margin: 6pt 0 2pt; }
  h2, h3, .note { break-after: avoid; }
  figure, tr, p, thead, table:not(.long) { break-inside: avoid; }
  p { margin: 3pt 0; } .finding, .warning { padding: 3pt 6pt; }
  .scroll { overflow: visible; margin: 2pt 0 5pt; }
  table, .pair table { min-width: 0; font-size: 7.5pt; } table.long, .pair table.long { font-size: 6.5pt; }
  table.long td:first-child { white-space: nowrap; }
  th, td, .pair th, .pair td { padding: 0.7pt 5pt; } td:first-child { min-width: 0; } .pair td:first-child { min-width: 9em; }
  th[aria-sort] button::after { content: none; }
  caption, figcaption, .caption { font-size: 7pt; padding-top: 1pt; margin-top: 1pt; }
  figure { margin: 3pt 0 5pt; } figure.heat svg, figure.stack svg { zoom: 0.62; }
  .pair { grid-template-columns: 1fr 1fr; gap: 8pt; }
  .pair figure svg { width: 82mm; }
  .cards { grid-template-columns: repeat(4, 1fr); gap: 5pt; }
  .cards.wide { grid-template-columns: repeat(3, 1fr); }
  .cards.sheet { grid-template-columns: repeat(4, 1fr); gap: 3pt; font-size: 6.5pt; line-height: 1.15; }
  .cards.sheet svg { max-height: 18mm; } .cards.sheet figcaption { font-size: 6pt; margin: 0; }
  h4 { font-size: 7.5pt; margin: 3pt 0 1pt; break-after: avoid; }
  .cards figure { padding: 3pt; border-radius: 2pt; } .looks { gap: 2pt; font-size: 6pt; }
  .people { font-size: 6.5pt; margin: 0; } .people li { padding: 0; }
  .tag { margin-right: 4pt; }
}
"""
CSS: Final = _SCREEN + _PAPER

SORT: Final = """
for (const table of document.querySelectorAll('table.sortable')) {
  const body = table.tBodies[0], heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const numeric = head.classList.contains('num');
    const key = row => {
      const cell = row.cells[column], text = cell.dataset.key ?? cell.textContent.trim();
      if (text === '' || text === '–') return null;
      return numeric ? parseFloat(text.replaceAll(',', '')) : text;
    };
    const button = document.createElement('button');
    button.type = 'button';
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener('click', () => {
      const before = head.getAttribute('aria-sort');
      const up = before ? before === 'descending' : !numeric;
      heads.forEach(other => other.removeAttribute('aria-sort'));
      head.setAttribute('aria-sort', up ? 'ascending' : 'descending');
      const keyed = [...body.rows].map(row => [key(row), row]);
      keyed.sort(([a], [b]) => {
        if (a === null || b === null) return (a === null) - (b === null);
        const order = numeric ? a - b : a.localeCompare(b, undefined, {numeric: true});
        return up ? order : -order;
      });
      body.append(...keyed.map(([, row]) => row));
    });
  });
}
"""

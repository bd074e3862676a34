"""Charts as vector graphics written by hand: bars, lines and a heat map; texts escaped, sizes in pixels."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from stages.report.html import esc

PALETTE: Final = (
    "#4e79a7",
    "#f28e2b",
    "#59a14f",
    "#b07aa1",
    "#e15759",
    "#76b7b2",
    "#9c755f",
    "#edc948",
    "#7f7f7f",
)
KIND_COLOURS: Final = {
    "a": "#4e79a7", "b": "#59a14f", "c": "#f28e2b", "d": "#b07aa1",
    "pose": "#4e79a7", "object": "#59a14f", "person": "#f28e2b",
}  # fmt: skip
_FONT: Final = 'font-family="system-ui, Segoe UI, Arial, sans-serif"'


@dataclass(frozen=True)
class Line:
    """One curve: name and points."""

    name: str
    x: Sequence[float]
    y: Sequence[float]


@dataclass(frozen=True)
class Bar:
    """A bar: name, one value per series (None: no bar), colour, and a text at the right."""

    name: str
    values: tuple[float | None, ...]
    colour: str
    remark: str = ""


def colour_of(kind: str, kinds: Sequence[str]) -> str:
    """The colour of a kind of classes; unknown kinds take the palette in their order."""
    return KIND_COLOURS.get(kind) or PALETTE[list(kinds).index(kind) % len(PALETTE)]


def bar_chart(bars: Sequence[Bar], series: Sequence[str], top: float = 1.0) -> str:
    """Horizontal bars from 0 to `top`, one group per class, one bar per series (later ones are darker)."""
    thick, gap, left, width, right = 9, 9, 190, 520, 150
    step = thick * len(series) + gap
    height = 30 + step * len(bars) + 18
    title = (
        f"from light to dark: {', '.join(series)} (whose number stands behind)"
        if len(series) > 1
        else "".join(series)
    )
    parts = [label(left, 14, title, 12, "#5b6575")]
    for tick in range(0, 11, 2):
        x = left + width * tick / 10
        parts.append(rule(x, 22, x, height - 18))
        parts.append(label(x, height - 4, f"{100 * top * tick / 10:g}", 11, "#5b6575", "middle"))
    for number, bar in enumerate(bars):
        y = 26 + number * step
        parts.append(
            label(left - 8, y + thick * len(series) / 2 + 4, shorten(bar.name, 26), 12, "#1c2330", "end")
        )
        for place, value in enumerate(bar.values):
            opacity = 0.35 + 0.65 * (place + 1) / len(bar.values)
            length = max(width * min(value or 0.0, top) / top, 0.0)
            parts.append(
                f'<rect x="{left}" y="{y + place * thick}" width="{length:.1f}" height="{thick - 1}" '
                f'fill="{bar.colour}" fill-opacity="{opacity:.2f}"/>'
            )
        known = [f"{100 * value:.1f}" for value in bar.values if value is not None]
        longest = max((value or 0.0 for value in bar.values), default=0.0)
        remark = f"{known[-1] if known else 'no truth'}  {bar.remark}"
        x = left + width * min(longest, top) / top + 6
        parts.append(label(x, y + thick * len(series) / 2 + 4, remark, 11, "#5b6575"))
    return drawing(left + width + right, height, parts)


def stacked_chart(rows: Sequence[Bar], parts_of: Mapping[str, str]) -> str:
    """A bar for each row made of shares that sum to one, in the order and colours of `parts_of`; texts at both sides."""
    left, width, right, step = 190, 520, 190, 19
    drawn = []
    for tick in range(0, 11, 2):
        x = left + width * tick / 10
        drawn.append(label(x, 12, f"{10 * tick}", 11, "#5b6575", "middle"))
    for number, row in enumerate(rows):
        x, y = float(left), 20 + number * step
        drawn.append(label(left - 8, y + 11, shorten(row.name, 26), 12, "#1c2330", "end"))
        for value, (name, colour) in zip(row.values, parts_of.items(), strict=True):
            length = width * (value or 0.0)
            if length:
                hint = f"<title>{esc(row.name)}: {esc(name)} {100 * (value or 0.0):.1f}</title>"
                place = f'x="{x:.1f}" y="{y}" width="{length:.1f}" height="{step - 5}"'
                drawn.append(f'<g>{hint}<rect {place} fill="{colour}"/></g>')
            x += length
        drawn.append(label(left + width + 8, y + 11, row.remark, 11, "#5b6575"))
    return drawing(left + width + right, 24 + step * len(rows), drawn)


def line_chart(
    lines: Sequence[Line],
    x_title: str,
    y_title: str,
    x_range: tuple[float, float] | None = None,
    y_range: tuple[float, float] | None = None,
) -> str:
    """Curves over common axes, with a legend below."""
    width, height, left, bottom, top = 460, 258, 52, 40, 20
    drawn = [line for line in lines if len(line.x)]
    low_x, high_x = x_range or _range([value for line in drawn for value in line.x])
    low_y, high_y = y_range or _range([value for line in drawn for value in line.y])
    inner_w, inner_h = width - left - 12, height - bottom - top

    def place(x: float, y: float) -> tuple[float, float]:
        across = (x - low_x) / (high_x - low_x)
        up = (y - low_y) / (high_y - low_y)
        return left + inner_w * across, top + inner_h * (1 - min(max(up, 0.0), 1.0))

    parts = []
    for tick in ticks(low_y, high_y):
        y = place(low_x, tick)[1]
        parts += [rule(left, y, width - 12, y), label(left - 6, y + 4, f"{tick:g}", 11, "#5b6575", "end")]
    for tick in ticks(low_x, high_x):
        x = place(tick, low_y)[0]
        parts += [
            rule(x, top, x, height - bottom),
            label(x, height - bottom + 15, f"{tick:g}", 11, "#5b6575", "middle"),
        ]
    for number, line in enumerate(drawn):
        points = " ".join(f"{a:.1f},{b:.1f}" for a, b in map(place, line.x, line.y))
        colour = PALETTE[number % len(PALETTE)]
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.8"/>')
        if len(line.x) == 1:
            x, y = place(line.x[0], line.y[0])
            parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>')
    parts.append(label(left + inner_w / 2, height - 8, x_title, 12, "#1c2330", "middle"))
    parts.append(label(left, 9, y_title, 11, "#1c2330"))
    beside = 2 if all(len(line.name) <= 26 for line in drawn) else 1
    for number, line in enumerate(drawn):
        x, y = left + (number % beside) * 200, height + 12 + 17 * (number // beside)
        parts.append(
            f'<rect x="{x}" y="{y - 8}" width="14" height="4" fill="{PALETTE[number % len(PALETTE)]}"/>'
        )
        parts.append(label(x + 20, y, shorten(line.name, 26 if beside == 2 else 54), 12))
    return drawing(width, height + 10 + 17 * math.ceil(len(drawn) / beside), parts)


def heat_map(rows: Sequence[str], columns: Sequence[str], values: Sequence[Sequence[float | None]]) -> str:
    """A matrix of values from 0 to 1 as shades of blue, the value in percent inside each cell, long titles aslant."""
    cell_w, cell_h, left, lean = 54, 26 if len(rows) <= 30 else 19, 190, 35
    longest = min(max((len(name) for name in columns), default=0), 24)
    aslant = longest > 9
    top = 24 + 6.5 * longest * math.sin(math.radians(lean)) if aslant else 30
    right = 6.5 * longest * math.cos(math.radians(lean)) if aslant else 10
    parts = []
    for c, name in enumerate(columns):
        x, y = left + cell_w * (c + 0.5), top - 8
        title = label(x, y, shorten(name, 24), 11, "#1c2330", "start" if aslant else "middle")
        parts.append(f'<g transform="rotate({-lean} {x:.1f} {y:.1f})">{title}</g>' if aslant else title)
    largest = max([value for row in values for value in row if value is not None], default=1.0) or 1.0
    for r, name in enumerate(rows):
        parts.append(label(left - 8, top + cell_h * (r + 0.65), shorten(name, 26), 12, "#1c2330", "end"))
        for c, value in enumerate(values[r]):
            share = (value or 0.0) / largest
            fill = f"rgb({int(247 - 190 * share)},{int(250 - 130 * share)},{int(255 - 75 * share)})"
            x, y = left + cell_w * c, top + cell_h * r
            parts.append(
                f'<rect x="{x}" y="{y:.1f}" width="{cell_w - 2}" height="{cell_h - 2}" fill="{fill}"/>'
            )
            shown = "–" if value is None else f"{100 * value:.0f}"
            ink = "#fff" if share > 0.8 else "#1c2330"
            parts.append(label(x + cell_w / 2 - 1, y + cell_h * 0.62, shown, 11, ink, "middle"))
    return drawing(left + cell_w * len(columns) + right, top + cell_h * len(rows) + 6, parts)


def legend(colours: Mapping[str, str]) -> str:
    """A line of coloured squares with their meanings, as html."""
    return "".join(
        f'<span class="tag"><i class="square" style="background:{esc(colour)}"></i> {esc(name)}</span> '
        for name, colour in colours.items()
    )


def drawing(width: float, height: float, parts: Sequence[str]) -> str:
    size = f'width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}"'
    return f'<svg {size} {_FONT} preserveAspectRatio="xMinYMin meet">{"".join(parts)}</svg>'


def label(x: float, y: float, text: str, size: int, fill: str = "#1c2330", anchor: str = "start") -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{fill}" text-anchor="{anchor}"'
    return f"<text {place}>{esc(text)}</text>"


def rule(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="#e4e8ee"/>'


def shorten(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def _range(values: Sequence[float]) -> tuple[float, float]:
    finite = [value for value in values if math.isfinite(value)]
    low, high = min(finite, default=0.0), max(finite, default=1.0)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def ticks(low: float, high: float) -> list[float]:
    """About five round numbers from low to high."""
    raw = (high - low) / 4
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [round(step * k, 10) for k in range(first, math.floor(high / step + 1e-9) + 1)]

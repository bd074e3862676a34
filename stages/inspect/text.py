"""A file's description as plain text for a terminal of 100 columns."""

from __future__ import annotations

import json
import math
import textwrap
from collections.abc import Iterator
from typing import Any, Final

from stages.inspect.contents import Contents, Entry

WIDTH: Final = 100
_LONG: Final = 40


def describe(name: str, contents: Contents) -> str:
    """The whole description: facts, configuration and inputs, then every array."""
    lines = [name, "=" * min(len(name), WIDTH)]
    wide = max(len(title) for title in contents.facts)
    lines += [f"{title:<{wide}}  {value}" for title, value in contents.facts.items()]
    for title, value in contents.plain.items():
        lines += ["", f"{title}:", *_plain(value)]
    if contents.arrays:
        lines += ["", "arrays:"]
        for array, entry in contents.arrays.items():
            lines += _array(array, entry)
    return "\n".join(lines)


def _plain(value: Any) -> Iterator[str]:
    if value in ({}, [], "", None):
        yield "  (none)"
        return
    yield from textwrap.indent(_compact(value), "  ").splitlines()


def _compact(value: Any, depth: int = 0) -> str:
    """JSON with one key a line; lists and objects that fit on a line stay on it, long lists are cut."""
    flat = json.dumps(value, ensure_ascii=False, sort_keys=True)
    if len(flat) <= WIDTH - 2 * depth - 2 or not isinstance(value, dict | list):
        return flat
    pad = "  " * (depth + 1)
    if isinstance(value, dict):
        body = [
            f"{pad}{json.dumps(str(key), ensure_ascii=False)}: {_compact(value[key], depth + 1)}"
            for key in sorted(value, key=str)
        ]
        return "{\n" + ",\n".join(body) + "\n" + "  " * depth + "}"
    shown = [f"{pad}{_compact(item, depth + 1)}" for item in value[:_LONG]]
    if len(value) > _LONG:
        shown.append(f"{pad}... {len(value) - _LONG} more")
    return "[\n" + ",\n".join(shown) + "\n" + "  " * depth + "]"


def _array(name: str, entry: Entry) -> Iterator[str]:
    shape = " x ".join(str(size) for size in entry.shape)
    axes = f" ({entry.axes})" if entry.axes else ""
    yield f"  {name:<36} {entry.dtype:<8} {shape or 'scalar'}{axes}"
    if entry.doc:
        yield f"      {entry.doc}"
    if entry.first:
        values = ", ".join(_value(value) for value in entry.first)
        cut = ", ..." if math.prod(entry.shape) > len(entry.first) else ""
        yield f"      {textwrap.shorten(values + cut, WIDTH - 6, placeholder=' ...')}"


def _value(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else repr(value)


def difference(first: Contents, second: Contents) -> list[str]:
    """What differs between two files, a line each; empty when they hold the same."""
    lines = []
    if first.kind != second.kind:
        return [f"kind: {first.kind} against {second.kind}"]
    for title in first.facts:
        if title != "fingerprint" and first.facts[title] != second.facts.get(title):
            lines.append(f"{title}: {first.facts[title]} against {second.facts.get(title)}")
    for title in first.plain:
        lines += _plain_difference(title, first.plain[title], second.plain.get(title))
    for name in sorted({*first.arrays, *second.arrays}):
        lines += _array_difference(name, first.arrays.get(name), second.arrays.get(name))
    if first.facts["fingerprint"] != second.facts["fingerprint"]:
        lines.append(
            f"fingerprint: {first.facts['fingerprint'][:16]} against {second.facts['fingerprint'][:16]}"
        )
    return lines


def _plain_difference(where: str, first: Any, second: Any) -> Iterator[str]:
    if isinstance(first, dict) and isinstance(second, dict):
        for key in sorted({*first, *second}, key=str):
            if key not in first:
                yield f"{where}.{key}: only in the second, {_compact(second[key])}"
            elif key not in second:
                yield f"{where}.{key}: only in the first, {_compact(first[key])}"
            else:
                yield from _plain_difference(f"{where}.{key}", first[key], second[key])
    elif isinstance(first, list) and isinstance(second, list) and len(first) == len(second):
        for row, (one, other) in enumerate(zip(first, second, strict=True)):
            yield from _plain_difference(f"{where}[{row}]", one, other)
    elif first != second:
        yield f"{where}: {_compact(first)} against {_compact(second)}"


def _array_difference(name: str, first: Entry | None, second: Entry | None) -> Iterator[str]:
    if first is None or second is None:
        yield f"array {name}: only in the {'second' if first is None else 'first'}"
    elif (first.dtype, first.shape) != (second.dtype, second.shape):
        yield f"array {name}: {first.dtype} {first.shape} against {second.dtype} {second.shape}"
    elif first.digest != second.digest:
        yield f"array {name}: values differ"

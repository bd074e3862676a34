"""The four dialects of frame mAP: the same metric with different rules at its edges.

All of them break ties by one stated order, where the originals leave it to an unstable sort: higher score first,
then video name, then timestamp, then the order of rows within the keyframe. Keyframes are compared by the microsecond,
so that `902` and `902.000000` are one; a dialect of whole seconds truncates that.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from stages.lib.errors import StageError


@dataclass(frozen=True)
class Dialect:
    """One set of rules; change a single switch with `dataclasses.replace` to see its effect.

    `cap`: (box, class) entries kept per keyframe, the highest scored, before degenerate boxes are dropped; None: all.
    `use_exclusions`: keyframes of the exclusions file are dropped on both sides; otherwise the file is not used.
    `ignore_unlisted_keyframes`: detections on keyframes absent from the truth are ignored; otherwise they are false.
    `whole_seconds`: timestamps are truncated to seconds before keyframes are compared.
    `best_first`: within a keyframe the higher score claims a truth first; otherwise the row that is listed first.
    """

    name: str
    cap: int | None
    use_exclusions: bool
    ignore_unlisted_keyframes: bool
    whole_seconds: bool
    best_first: bool


DIALECTS = {
    "official": Dialect("official", 50, False, True, False, True),
    "2020": Dialect("2020", 50, True, False, True, True),
    "pyslowfast": Dialect("pyslowfast", None, True, False, True, False),
    "strict": Dialect("strict", None, False, True, False, True),
}


def dialect_named(name: str, cap: int | None = None) -> Dialect:
    """A dialect by name, with another cap where one is given (0: none); StageError for an unknown name."""
    if name not in DIALECTS:
        raise StageError(f'unknown dialect "{name}"', "dialect", f"use one of {', '.join(DIALECTS)}")
    dialect = DIALECTS[name]
    if cap is None or (cap or None) == dialect.cap:
        return dialect
    return replace(dialect, name=f"{name} with {f'cap {cap}' if cap else 'no cap'}", cap=cap or None)

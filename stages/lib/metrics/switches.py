"""What each single rule of a dialect is worth: the same detections scored with one switch turned."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from stages.lib.metrics.ava import frame_map
from stages.lib.metrics.dialects import DIALECTS, Dialect
from stages.lib.metrics.tables import DetectionsTable, Truth


@dataclass(frozen=True)
class Turned:
    """Mean AP with one switch of a dialect turned to another value, the other switches left alone."""

    switch: str
    value: bool | int | None
    mean_ap: float


def turned_switches(
    truth: Truth,
    detections: DetectionsTable,
    class_ids: Sequence[int],
    dialect: Dialect,
    iou: float,
    *,
    exclusions: Collection[tuple[str, int]] = (),
) -> list[Turned]:
    """Mean AP for every switch of `dialect` turned alone; a cap is turned off, and one of 50 on where there is none."""
    turned: Mapping[str, bool | int | None] = {
        "cap": None if dialect.cap else DIALECTS["official"].cap,
        "use_exclusions": not dialect.use_exclusions,
        "ignore_unlisted_keyframes": not dialect.ignore_unlisted_keyframes,
        "whole_seconds": not dialect.whole_seconds,
        "best_first": not dialect.best_first,
    }
    found = []
    for switch, value in turned.items():
        rules = replace(dialect, **{switch: value})  # type: ignore[arg-type]
        result = frame_map(truth, detections, class_ids, rules, iou, exclusions=exclusions)
        found.append(Turned(switch, value, result.mean_ap))
    return found

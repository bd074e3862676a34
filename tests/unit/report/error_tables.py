"""Tables of errors as evaluate makes them, of a film in which everything goes wrong, with any names."""

from __future__ import annotations

from typing import Any

from stages.evaluate.core import Scored
from stages.evaluate.errors import error_tables
from stages.lib.annotations.labelmap import label_map
from stages.lib.config.evaluate import EvaluateConfig
from tests.unit.lib.metrics.tables_for_tests import LEFT, RIGHT, detections_of, truth_of

NOBODY = (0.42, 0.1, 0.5, 0.9)
NEAR = (0.1, 0.1, 0.401, 0.9)


def everything_wrong(name: str) -> dict[str, Any]:
    """Confusions, somebody missed, somebody unannotated, flicker, swaps and doubles; `name` is in all names."""
    truth, found = [], []
    for second in range(902, 914):
        truth += [(name, float(second), LEFT, 1 + second % 2), (name, float(second), RIGHT, 3)]
        found += [(name, float(second), LEFT, 3, 0.6 + second / 1e4), (name, float(second), NOBODY, 1, 0.9)]
    truth += [(name, 902.0, NEAR, 3), (name, 902.0, RIGHT, 1), (name, 904.0, RIGHT, 1)]
    classes = label_map((1, 2, 3), (name, f"2{name}", f"3{name}"))
    scored = Scored("film", truth_of(truth), detections_of(found))
    return {**error_tables(scored, classes, EvaluateConfig()), "name": name, "split": name}

"""Each switch of a dialect, turned alone, on detections for which it matters."""

from __future__ import annotations

import pytest

from stages.lib.metrics.ava import frame_map
from stages.lib.metrics.dialects import DIALECTS
from stages.lib.metrics.switches import turned_switches
from tests.unit.lib.metrics.tables_for_tests import LEFT, RIGHT, detections_of, truth_of

TRUTH = truth_of(
    [("v", 902, LEFT, 1), ("v", 903, LEFT, 1), ("w", 902, LEFT, 3), ("v", 904, LEFT, 3), ("u", 902, LEFT, 1)]
)
ROWS = [
    ("v", 902, LEFT, 1, 0.82),
    ("v", 902, LEFT, 1, 0.95),
    ("v", 902, RIGHT, 1, 0.9),
    ("v", 903.4, LEFT, 1, 0.85),
    ("x", 902, LEFT, 1, 0.8),
    ("v", 903, LEFT, 1, 0.3),
    ("u", 902, LEFT, 1, 0.25),
    ("v", 904, LEFT, 3, 0.95),
    *[("w", 902, RIGHT, 3, 0.7)] * 50,
    ("w", 902, LEFT, 3, 0.1),
]


@pytest.mark.parametrize("dialect", sorted(DIALECTS))
def test_every_switch_turned_alone_changes_this_number(dialect: str) -> None:
    rules, out = DIALECTS[dialect], {("v", 904_000_000)}
    base = frame_map(TRUTH, detections_of(ROWS), (1, 3), rules, exclusions=out).mean_ap
    turned = {
        one.switch: one
        for one in turned_switches(TRUTH, detections_of(ROWS), (1, 3), rules, 0.5, exclusions=out)
    }
    assert turned["cap"].value == (None if rules.cap else 50)
    changed = {name for name, one in turned.items() if one.mean_ap != pytest.approx(base, abs=1e-12)}
    assert changed == {"cap", "use_exclusions", "ignore_unlisted_keyframes", "whole_seconds", "best_first"}

"""Missing keyframes in both ways of counting, against the literal evaluator and against a closed formula."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.evaluate.core import UNION, Scored, both_ways, counted, measure, pool_of
from stages.lib.annotations.labelmap import label_map
from stages.lib.config.evaluate import EvaluateConfig, MissingName
from stages.lib.metrics.dialects import DIALECTS
from stages.lib.metrics.tables import to_milliseconds
from tests.property.literal_evaluator import literal_frame_map
from tests.property.test_metric_exactness import CLASSES, detection_table, random_case, truth_table

MAP = label_map(CLASSES, [f"class {number}" for number in CLASSES])


def keys_of(rows: Sequence[tuple]) -> list[tuple[str, float]]:
    return sorted({row[:2] for row in rows})


def case_with_losses(seed: int, n_rows: int) -> tuple[list, list, set[tuple[str, int]]]:
    """A random case on whole milliseconds, with some of all keyframes lost, those that only detections know among them."""
    truths, found, _ = random_case(seed, n_rows)
    truths, found = ([row for row in rows if row[1] != 903.500001] for rows in (truths, found))
    rng = np.random.default_rng(seed + 1)
    lost = {key for key in keys_of([*truths, *found]) if rng.random() < 0.3}
    return truths, found, {(video, int(to_milliseconds([seconds])[0])) for video, seconds in lost}


def remaining(rows: Sequence[tuple], lost: set[tuple[str, int]]) -> list[tuple]:
    """The rows that are on none of the lost keyframes, one by one."""
    return [row for row in rows if (row[0], round(1000 * row[1])) not in lost]


@pytest.mark.parametrize("missing", get_args(MissingName))
@pytest.mark.parametrize("dialect", sorted(DIALECTS))
@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), n_rows=st.integers(0, 60))
def test_both_numbers_are_those_of_the_literal_evaluator_on_filtered_rows(
    dialect: str, missing: MissingName, seed: int, n_rows: int
) -> None:
    """Detections on lost keyframes, as a csv of others may have them, count as they are, or not at all."""
    truths, found, lost = case_with_losses(seed, n_rows)
    by_hand = {
        "count-as-miss": literal_frame_map(truths, found, CLASSES, dialect),
        "ignore": literal_frame_map(remaining(truths, lost), remaining(found, lost), CLASSES, dialect),
    }
    cfg = EvaluateConfig(dialect=dialect, missing=missing)  # type: ignore[arg-type]
    scored = Scored("d", truth_table(truths), detection_table(found), lost=lost)
    result = measure(counted(scored, missing), MAP, cfg)
    per_class = by_hand[missing][1]
    np.testing.assert_allclose(result.ap, [per_class[c] for c in CLASSES], atol=1e-9, equal_nan=True)
    both = both_ways([scored], {"d": result, UNION: result}, MAP, cfg)
    for name in ("d", UNION):
        for way, (value, _) in by_hand.items():
            told = both[name]["mAP"][way]
            assert (math.nan if told is None else told) == pytest.approx(value, abs=1e-9, nan_ok=True)
    assert both["d"]["keyframes"] == len(keys_of(truths)) - len(keys_of(remaining(truths, lost)))
    boxed = [row for row in truths if len(row) > 2]
    assert both["d"]["labels"] == len(boxed) - len(remaining(boxed, lost))
    assert both["d"]["counted"] == missing


@pytest.mark.parametrize("dialect", sorted(DIALECTS))
@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), n_rows=st.integers(0, 60))
def test_misses_shrink_a_class_by_its_share_of_lost_truths(dialect: str, seed: int, n_rows: int) -> None:
    """Without detections on lost keyframes precision stays, and recall shrinks: AP = AP without them * (n - lost) / n.

    Lost videos, not keyframes: a dialect of whole seconds would join a lost keyframe with another one of its second.
    """
    truths, found, _ = case_with_losses(seed, n_rows)
    lost = {(video, round(1000 * seconds)) for video, seconds in keys_of(truths) if video == "v1"}
    scored = Scored(
        "d", truth_table(truths), detection_table([row for row in found if row[0] != "v1"]), lost=lost
    )
    cfg = EvaluateConfig(dialect=dialect)  # type: ignore[arg-type]
    whole, present = (measure(counted(scored, way), MAP, cfg) for way in ("count-as-miss", "ignore"))
    share = present.truths / np.maximum(whole.truths, 1)
    expected = np.where(present.truths > 0, np.nan_to_num(present.ap) * share, 0.0)
    expected[whole.truths == 0] = np.nan
    np.testing.assert_allclose(whole.ap, expected, atol=1e-12, equal_nan=True)


def test_a_pool_knows_the_losses_of_its_data_sets() -> None:
    truths, found, lost = case_with_losses(29, 40)
    parts = [
        Scored(
            name,
            truth_table([row for row in truths if (row[0] == "v0") == first]),
            detection_table([row for row in found if (row[0] == "v0") == first]),
            lost={key for key in lost if (key[0] == "v0") == first},
        )
        for name, first in (("a", True), ("b", False))
    ]
    cfg = EvaluateConfig(missing="ignore")
    present = [counted(part, "ignore") for part in parts]
    results = {part.name: measure(part, MAP, cfg) for part in present}
    results[UNION] = measure(pool_of(present), MAP, cfg)
    both = both_ways(parts, results, MAP, cfg)
    assert both["a"]["keyframes"] > 0 and both["b"]["keyframes"] > 0
    assert both["a"]["keyframes"] + both["b"]["keyframes"] == both[UNION]["keyframes"]
    assert both[UNION]["mAP"]["ignore"] > both[UNION]["mAP"]["count-as-miss"]
    expected, _ = literal_frame_map(remaining(truths, lost), remaining(found, lost), CLASSES, "official")
    assert both[UNION]["mAP"]["ignore"] == pytest.approx(expected, abs=1e-9)
    assert both[UNION]["mAP"]["count-as-miss"] == pytest.approx(
        literal_frame_map(truths, found, CLASSES, "official")[0], abs=1e-9
    )
    unknown = Scored("c", parts[0].truth, parts[0].detections)
    assert both_ways([unknown], {}, MAP, cfg) == {}

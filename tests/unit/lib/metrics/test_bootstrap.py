from __future__ import annotations

import numpy as np
import pytest

from stages.lib.metrics.ava import frame_map
from stages.lib.metrics.bootstrap import bootstrap, interval_of, paired_bootstrap
from stages.lib.metrics.tables import DetectionsTable, Truth, concat_detections, concat_truths
from tests.unit.lib.metrics.tables_for_tests import LEFT, RIGHT, detections_of, truth_of


def noisy_world(seed: int, n_videos: int = 30, skill: float = 0.6) -> tuple[Truth, DetectionsTable]:
    rng = np.random.default_rng(seed)
    truths, rows = [], []
    for v in range(n_videos):
        for second in range(4):
            truths.append((f"v{v:02d}", second, LEFT, 1 + 2 * (second % 2)))
            box = LEFT if rng.random() < skill else RIGHT
            rows.append((f"v{v:02d}", second, box, 1 + 2 * (second % 2), float(rng.random())))
    return truth_of(truths), detections_of(rows)


def test_interval_holds_the_value_is_seeded_and_shrinks_with_videos() -> None:
    small, large = (frame_map(*noisy_world(1, n), (1, 3)) for n in (20, 160))
    interval = bootstrap(small, 300, seed=3)
    assert interval.low < interval.value < interval.high
    assert bootstrap(small, 300, seed=3).low == interval.low
    assert bootstrap(small, 300, seed=4).low != interval.low
    assert bootstrap(large, 300).error < 0.6 * interval.error


def test_resampling_equals_scoring_the_drawn_videos_anew() -> None:
    truth, found = noisy_world(5, n_videos=6)
    result = frame_map(truth, found, (1, 3), "strict")
    rng = np.random.default_rng(11)
    drawn = rng.integers(0, 6, size=(1, 6), dtype=np.int32)[0]
    truths, tables = [], []
    for copy, v in enumerate(
        drawn
    ):  # a video drawn twice stands there twice, under names that sort side by side
        keep_truth, keep = truth.video == v, found.video == v
        name = f"v{v:02d}copy{copy}"
        truths.append(
            truth_of(
                [
                    (name, t / 1000, tuple(b), c)
                    for t, b, c in zip(
                        truth.timestamp_ms[keep_truth],
                        truth.boxes[keep_truth],
                        truth.class_id[keep_truth],
                        strict=True,
                    )
                ]
            )
        )
        tables.append(
            detections_of(
                [
                    (name, t / 1000, tuple(b), c, s)
                    for t, b, c, s in zip(
                        found.timestamp_ms[keep],
                        found.boxes[keep],
                        found.class_id[keep],
                        found.score[keep],
                        strict=True,
                    )
                ]
            )
        )
    anew = frame_map(concat_truths(truths), concat_detections(tables), (1, 3), "strict").mean_ap
    assert bootstrap(result, 1, seed=11).resamples[0] == pytest.approx(anew, abs=1e-12)


def test_paired_difference_is_surer_than_two_intervals() -> None:
    truth, good = noisy_world(2, 60, skill=0.7)
    _, other = noisy_world(2, 60, skill=0.65)
    first, second = frame_map(truth, good, (1, 3)), frame_map(truth, other, (1, 3))
    paired = paired_bootstrap(first, second, 300)
    assert paired.value == pytest.approx(first.mean_ap - second.mean_ap)
    assert paired.error < np.hypot(bootstrap(first, 300).error, bootstrap(second, 300).error)
    same = paired_bootstrap(first, first, 50)
    assert (same.low, same.high, same.above_zero) == (0.0, 0.0, 0.0)
    assert same.p_value == 1.0
    assert paired.p_value == pytest.approx(2 * ((paired.resamples <= 0).sum() + 1) / 301)


def test_resamples_without_a_value_count_neither_way() -> None:
    some = interval_of(0.1, np.array([0.2, np.nan, -0.1, np.nan, 0.3, 0.4]))
    assert (some.above_zero, some.p_value) == (3 / 4, 2 * (1 + 1) / (4 + 1))
    assert np.isnan(interval_of(0.1, np.full(3, np.nan)).above_zero)

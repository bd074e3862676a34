"""The vectorised metric against the literal one, on random small cases and on the real ground truth."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.lib.annotations.ava_csv import read_truth
from stages.lib.metrics.ava import frame_map
from stages.lib.metrics.dialects import DIALECTS
from stages.lib.metrics.tables import DetectionsTable, Truth, to_microseconds
from tests.property.literal_evaluator import literal_frame_map

REAL_TRUTH = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "kinetics_val_v1.0.csv"
CLASSES = (1, 3, 12, 80)


def truth_table(rows: Sequence[tuple]) -> Truth:
    videos = tuple(dict.fromkeys(row[0] for row in rows))
    keys = list(dict.fromkeys((row[0], row[1]) for row in rows))
    boxed = [row for row in rows if len(row) > 2]
    return Truth(
        videos=videos,
        key_video=np.array([videos.index(key[0]) for key in keys], np.int32),
        key_us=to_microseconds([key[1] for key in keys]),
        video=np.array([videos.index(row[0]) for row in boxed], np.int32),
        timestamp_us=to_microseconds([row[1] for row in boxed]),
        boxes=np.array([row[2] for row in boxed], np.float64).reshape(-1, 4),
        class_id=np.array([row[3] for row in boxed], np.int32),
        person_id=np.full(len(boxed), -1, np.int32),
    )


def detection_table(rows: Sequence[tuple]) -> DetectionsTable:
    videos = tuple(dict.fromkeys(row[0] for row in rows))
    return DetectionsTable(
        videos=videos,
        video=np.array([videos.index(row[0]) for row in rows], np.int32),
        timestamp_us=to_microseconds([row[1] for row in rows]),
        boxes=np.array([row[2] for row in rows], np.float64).reshape(-1, 4),
        class_id=np.array([row[3] for row in rows], np.int32),
        score=np.array([row[4] for row in rows], np.float64),
    )


def random_case(seed: int, n_rows: int) -> tuple[list, list, list]:
    """Few videos, keyframes and classes, so that every rule meets: boxes near truths, crowds, inverted boxes."""
    rng = np.random.default_rng(seed)
    keys = [(f"v{v}", float(t)) for v in range(3) for t in (902, 903, 903.5, 903.500001)]
    truths, detections = [], []
    for key in keys[: rng.integers(1, len(keys) + 1)]:
        truths.append(key)
        for _ in range(rng.integers(0, 4)):
            truths.append((*key, random_box(rng), int(rng.choice([*CLASSES[:-1], 2]))))
    boxed = [row for row in truths if len(row) > 2]
    scores = rng.permutation(10 * n_rows + 10)[:n_rows] / (10 * n_rows + 10)
    few = keys[: rng.integers(1, 3)] if n_rows > 100 or rng.random() < 0.5 else keys
    nearness = rng.choice([0.7, 0.1, 0.02])  # with few detections near a truth, the cap costs some of those
    for score in scores:
        key = few[rng.integers(len(few))]
        mine = [row for row in boxed if row[:2] == key]
        if mine and rng.random() < nearness:
            target = mine[rng.integers(len(mine))]
            box, label = tuple(np.array(target[2]) + rng.normal(0, 0.03, 4)), target[3]
        else:
            box, label = random_box(rng), int(rng.choice([*CLASSES, 2]))
        if rng.random() < 0.05:
            box = (box[2], box[1], box[0], box[3])
        detections.append((*key, box, label, float(score)))
    exclusions = [key for key in keys if rng.random() < 0.15]
    return truths, detections, exclusions


def random_box(rng: np.random.Generator) -> tuple[float, float, float, float]:
    x, y = rng.uniform(0, 0.5, 2)
    width, height = rng.uniform(0.1, 0.5, 2)
    return float(x), float(y), float(x + width), float(y + height)


@pytest.mark.parametrize("dialect", sorted(DIALECTS))
@settings(max_examples=500, deadline=None)
@given(seed=st.integers(0, 2**32), n_rows=st.integers(0, 40))
def test_equals_the_literal_evaluator(dialect: str, seed: int, n_rows: int) -> None:
    compare(*random_case(seed, n_rows), dialect)


@pytest.mark.parametrize("dialect", sorted(DIALECTS))
@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_equals_the_literal_evaluator_in_crowds(dialect: str, seed: int) -> None:
    compare(*random_case(seed, 300), dialect)


def compare(
    truths: Sequence[tuple], detections: Sequence[tuple], exclusions: Sequence[tuple], dialect: str
) -> None:
    expected, expected_ap = literal_frame_map(truths, detections, CLASSES, dialect, exclusions=exclusions)
    microseconds = {(video, int(to_microseconds(seconds))) for video, seconds in exclusions}
    result = frame_map(
        truth_table(truths), detection_table(detections), CLASSES, dialect, exclusions=microseconds
    )
    np.testing.assert_allclose(result.ap, [expected_ap[c] for c in CLASSES], atol=1e-9, equal_nan=True)
    assert result.mean_ap == pytest.approx(expected, abs=1e-9, nan_ok=True)
    counts = result.counts
    gone = (
        counts.unlisted_class
        + counts.unlisted_keyframe
        + counts.excluded
        + counts.beyond_cap
        + counts.degenerate
    )
    assert counts.used + gone == counts.detections == len(detections)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    n_rows=st.integers(1, 120),
    dialect=st.sampled_from(["official", "2020", "strict"]),
)
def test_order_of_rows_does_not_matter(seed: int, n_rows: int, dialect: str) -> None:
    truths, detections, _ = random_case(seed, n_rows)
    order = np.random.default_rng(seed).permutation(len(detections))
    straight = frame_map(truth_table(truths), detection_table(detections), CLASSES, dialect)
    mixed = frame_map(truth_table(truths), detection_table([detections[i] for i in order]), CLASSES, dialect)
    np.testing.assert_array_equal(straight.ap, mixed.ap)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), n_rows=st.integers(1, 60), power=st.floats(0.2, 5))
def test_only_the_ranking_of_scores_matters(seed: int, n_rows: int, power: float) -> None:
    truths, detections, _ = random_case(seed, n_rows)
    bent = [(*row[:4], row[4] ** power) for row in detections]
    if len({row[4] for row in bent}) < len(bent):
        return
    straight = frame_map(truth_table(truths), detection_table(detections), CLASSES)
    np.testing.assert_array_equal(
        straight.ap, frame_map(truth_table(truths), detection_table(bent), CLASSES).ap
    )


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_perfect_detections_have_ap_one(seed: int) -> None:
    truths, _, _ = random_case(seed, 0)
    boxed = list({(row[0], row[1], row[2], row[3]): None for row in truths if len(row) > 2})
    rows = [(*row, 1.0 - 0.001 * place) for place, row in enumerate(boxed)]
    ap = frame_map(truth_table(truths), detection_table(rows), CLASSES).ap
    assert all(math.isnan(value) or value == pytest.approx(1.0) for value in ap)


@pytest.mark.parametrize("dialect", sorted(DIALECTS))
def test_equals_the_literal_evaluator_on_the_real_kinetics_truth(dialect: str) -> None:
    if not REAL_TRUTH.exists():
        pytest.skip(f"the AVA-Kinetics ground truth is not at {REAL_TRUTH}")
    truth, counts = read_truth(REAL_TRUTH)
    assert (counts.rows, counts.negatives, len(truth.key_us)) == (65172, 8673, 31272)
    rows, detections = generated_detections(truth, 1500)
    class_ids = sorted(set(range(1, 81)) - {2, 16})
    out = list(dict.fromkeys(row[:2] for row in detections))[::7]
    expected, expected_ap = literal_frame_map(rows, detections, class_ids, dialect, exclusions=out)
    microseconds = {(video, int(to_microseconds(seconds))) for video, seconds in out}
    result = frame_map(truth, detection_table(detections), class_ids, dialect, exclusions=microseconds)
    np.testing.assert_allclose(result.ap, [expected_ap[c] for c in class_ids], atol=1e-9, equal_nan=True)
    assert result.mean_ap == pytest.approx(expected, abs=1e-9)
    assert 0.001 < expected < 0.5


def generated_detections(truth: Truth, n_keyframes: int) -> tuple[list, list]:
    """The truth as rows, and about 60 detections on some keyframes, around its boxes, without equal scores."""
    rng = np.random.default_rng(7)
    name = truth.videos
    rows = [(name[v], s) for v, s in zip(truth.key_video, truth.key_seconds, strict=True)]
    seconds = dict(zip(zip(truth.key_video, truth.key_us, strict=True), truth.key_seconds, strict=True))
    by_key: dict[tuple[int, int], list[int]] = {}
    for row in range(len(truth.video)):
        key = (truth.video[row], truth.timestamp_us[row])
        rows.append((name[key[0]], seconds[key], tuple(truth.boxes[row].tolist()), int(truth.class_id[row])))
        by_key.setdefault(key, []).append(row)
    keys = list(seconds)[:: max(1, len(seconds) // n_keyframes)]
    scores = iter(rng.permutation(2_000_000) / 2_000_000)
    detections = []
    for key in keys:
        mine = by_key.get(key, [])
        for place in range(int(rng.integers(20, 90))):
            if mine and rng.random() < 0.5:
                row = mine[place % len(mine)]
                box, label = truth.boxes[row] + rng.normal(0, 0.03, 4), int(truth.class_id[row])
            else:
                box, label = np.array(random_box(rng)), int(rng.integers(1, 81))
            detections.append((name[key[0]], seconds[key], tuple(box.tolist()), label, float(next(scores))))
    detections += [(row[0], row[1] + 30.0, *row[2:4], float(next(scores))) for row in detections[::50]]
    return rows, detections

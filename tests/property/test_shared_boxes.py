"""Scores of shared boxes against the evaluation of plain rows: the same APs under every rule of every dialect."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.lib.metrics.ava import frame_map
from stages.lib.metrics.dialects import DIALECTS, Dialect
from stages.lib.metrics.shared_boxes import SharedBoxes, best_entries, descending, share_boxes
from stages.lib.metrics.tables import DetectionsTable, Truth, detections_from_dense
from tests.unit.lib.metrics.tables_for_tests import truth_of

CLASSES = (3, 7, 11)
VIDEOS = ("a", "b", "c", "d")
BOXES = ((0.0, 0.0, 0.4, 0.8), (0.05, 0.0, 0.4, 0.8), (0.3, 0.1, 0.9, 0.9), (0.5, 0.5, 0.5, 0.9))
Boxes = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def case(seed: int) -> tuple[Truth, Boxes, np.ndarray, set[tuple[str, int]]]:
    """Truth, keyframes with boxes (shuffled, some absent from the truth), tied scores, excluded keyframes."""
    rng = np.random.default_rng(seed)
    keys = [(video, second / 2) for video in VIDEOS for second in range(2, 6)]
    truths: list[tuple] = []
    for video, second in keys:
        if rng.random() < 0.8:
            truths.append((video, second))
            truths += [
                (video, second, BOXES[rng.integers(0, 3)], int(rng.choice([*CLASSES, 5])))
                for _ in range(rng.integers(0, 4))
            ]
    order = rng.permutation(len(keys))
    counts = rng.integers(0, 5, len(keys))
    splits = np.concatenate([[0], np.cumsum(counts)])
    boxes = np.array([BOXES[k] for k in rng.integers(0, 4, splits[-1])]).reshape(-1, 4)
    video = np.array([VIDEOS.index(keys[k][0]) for k in order], np.int32)
    ms = np.array([int(1000 * keys[k][1]) for k in order])
    scores = rng.integers(0, 6, (len(boxes), len(CLASSES))) / 5
    excluded = {(name, int(1e6 * t)) for name, t in keys if rng.random() < 0.1}
    return truth_of(truths or [("a", 1.0)]), (video, ms, boxes, splits), scores, excluded


def rows_of(boxes: Boxes, scores: np.ndarray) -> DetectionsTable:
    return detections_from_dense(VIDEOS, *boxes, scores, CLASSES)


def shared(truth: Truth, boxes: Boxes, rules: Dialect, excluded: set[tuple[str, int]]) -> SharedBoxes:
    table = detections_from_dense(VIDEOS, *boxes, np.zeros((len(boxes[2]), 1)), CLASSES[:1])
    return share_boxes(truth, table, CLASSES, rules, exclusions=excluded)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(sorted(DIALECTS)), st.sampled_from([None, 1, 4, 50]))
def test_the_aps_are_those_of_plain_rows(seed: int, dialect: str, cap: int | None) -> None:
    truth, boxes, scores, excluded = case(seed)
    rules = replace(DIALECTS[dialect], cap=cap)
    expected = frame_map(truth, rows_of(boxes, scores), CLASSES, rules, exclusions=excluded)
    for dtype in (np.float32, np.float64):
        ap = shared(truth, boxes, rules, excluded).rank(scores.astype(dtype)).ap()
        np.testing.assert_allclose(ap, expected.ap, rtol=1e-14)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10**6), st.sets(st.sampled_from(VIDEOS), min_size=1))
def test_the_aps_of_some_videos_are_those_of_their_rows_alone(seed: int, chosen: set[str]) -> None:
    truth, boxes, scores, _ = case(seed)
    whole = shared(truth, boxes, DIALECTS["official"], set())
    ap = whole.rank(scores).ap(np.isin(whole.videos, sorted(chosen)))
    inside = np.array([video in chosen for video in truth.videos])
    part = replace(
        truth,
        **{name: getattr(truth, name)[inside[truth.key_video]] for name in ("key_video", "key_us")},
        **{
            name: getattr(truth, name)[inside[truth.video]]
            for name in ("video", "timestamp_us", "boxes", "class_id", "person_id")
        },
    )  # fmt: skip
    np.testing.assert_allclose(ap, frame_map(part, rows_of(boxes, scores), CLASSES).ap, rtol=1e-14)


def test_targets_are_the_truths_that_a_box_overlaps() -> None:
    truth = truth_of([("a", 1.0, BOXES[0], 3), ("a", 1.0, BOXES[2], 7)])
    boxes = (np.array([0], np.int32), np.array([1000]), np.array(BOXES), np.array([0, 4]))
    found = shared(truth, boxes, DIALECTS["official"], set())
    assert found.targets(0).tolist() == [0, 0, -1, -1]
    assert found.targets(1).tolist() == [-1, -1, 1, -1], "a box without area overlaps nothing"
    assert found.targets(2).tolist() == [-1] * 4


def test_scores_of_other_boxes_are_no_input() -> None:
    truth, boxes, scores, _ = case(1)
    with pytest.raises(AssertionError, match="other boxes"):
        shared(truth, boxes, DIALECTS["official"], set()).rank(scores[1:])


def test_the_cap_prefers_the_first_listed_of_equal_scores() -> None:
    scores = np.array([[0.5, 0.9, 0.5, 0.5], [0.1, 0.2, 0.3, 0.4], [0.7, 0.7, 0.7, 0.7]])
    kept = best_entries(scores, 2)
    assert kept.tolist() == [
        [True, True, False, False],
        [False, False, True, True],
        [True, True, False, False],
    ]


@settings(deadline=None)
@given(
    st.lists(
        st.sampled_from([0.0, -0.0, 1e-40, 0.25, 1.0, -3.5, -1e-40, np.inf, -np.inf])
        | st.floats(-9, 9, width=32)
    )
)
def test_descending_is_a_stable_sort(values: list[float]) -> None:
    for dtype in (np.float32, np.float64):
        scores = np.array(values, dtype)
        assert descending(scores).tolist() == sorted(range(len(scores)), key=lambda k: -scores[k])

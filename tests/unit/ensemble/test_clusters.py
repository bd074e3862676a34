"""Clustering of boxes against a literal twin, and weighted boxes fusion against the union of boxes with NMS."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.ensemble.clusters import cluster_boxes, share_boxes_of
from stages.lib.artifacts.predictions import FUSED, BoxSet
from stages.lib.artifacts.tables import Boxes
from stages.lib.geometry.boxes import iou_matrix
from stages.lib.metrics.ava import frame_map
from stages.lib.metrics.tables import DetectionsTable, Truth, truth_from_dense

CORNERS = st.floats(0, 0.5, width=32)
BOX = st.builds(
    lambda x, y, w, h: (x, y, x + w, y + h), *[CORNERS] * 2, *[st.floats(0.125, 0.5, width=32)] * 2
)
KEYFRAME = st.lists(st.tuples(BOX, st.integers(1, 8).map(lambda n: n / 8)), max_size=4)


def table(keyframes: list) -> Boxes:
    return Boxes.stack([([box for box, _ in one], [score for _, score in one]) for one in keyframes])


def literal(tables: list[Boxes], votes: list[int], keyframe: int, iou: float) -> list[tuple]:
    """Fused box, score and {table: row} of each cluster: all pairs compared, means taken from the members afresh."""
    listed = [
        (s, r)
        for s, one in enumerate(tables)
        for r in range(one.row_splits[keyframe], one.row_splits[keyframe + 1])
    ]
    listed.sort(key=lambda e: (-tables[e[0]].scores[e[1]], e))
    groups: list[list[tuple[int, int]]] = []

    def mean(group: list[tuple[int, int]]) -> np.ndarray:
        weights = [votes[s] * float(tables[s].scores[r]) for s, r in group]
        return np.average([tables[s].boxes[r].astype(float) for s, r in group], axis=0, weights=weights)

    for s, r in listed:
        overlaps = [
            -1.0 if s in dict(group) else iou_matrix(mean(group)[None], tables[s].boxes[r : r + 1])[0, 0]
            for group in groups
        ]
        if overlaps and max(overlaps) >= iou:
            groups[int(np.argmax(overlaps))].append((s, r))
        else:
            groups.append([(s, r)])
    return [(mean(group), tables[group[0][0]].scores[group[0][1]], dict(group)) for group in groups]


@settings(deadline=None, max_examples=150)
@given(
    st.integers(1, 3).flatmap(
        lambda k: st.lists(st.lists(KEYFRAME, min_size=k, max_size=k), min_size=1, max_size=4)
    ),
    st.sampled_from([0.31, 0.52, 0.73]),
)
def test_clusters_are_those_of_a_literal_twin(drawn: list, iou: float) -> None:
    tables = [table(one) for one in drawn]
    votes = [1 + 2 * (s == 0) for s in range(len(tables))]
    boxes, rows = cluster_boxes(tables, votes, iou)
    for keyframe in range(len(boxes.row_splits) - 1):
        expected = literal(tables, votes, keyframe, iou)
        found = boxes.of(keyframe)
        assert found.stop - found.start == len(expected)
        for row, (box, score, members) in zip(range(found.start, found.stop), expected, strict=True):
            np.testing.assert_allclose(boxes.boxes[row], box, atol=1e-6)
            assert boxes.scores[row] == score
            assert {s: int(r[row]) for s, r in enumerate(rows) if r[row] >= 0} == members
    for one, placed in zip(tables, rows, strict=True):
        assert sorted(placed[placed >= 0].tolist()) == list(range(len(one))), "each box has exactly one place"


def test_same_boxes_take_the_fast_path_and_boxes_in_another_order_are_aligned() -> None:
    rng = np.random.default_rng(0)
    boxes = table([[((0.0, 0.0, 0.3, 0.5), 0.9), ((0.4, 0.1, 0.7, 0.9), 0.8)]])
    turned = Boxes(boxes.row_splits, boxes.boxes[::-1].copy(), boxes.scores[::-1].copy())
    first, second = (rng.random((2, 3)).astype(np.float32) for _ in range(2))
    parts = [BoxSet(boxes, {FUSED: first}), BoxSet(boxes, {FUSED: second})]
    assert all(a is b for a, b in zip(parts, share_boxes_of(parts, 0.7), strict=True))
    aligned = share_boxes_of([parts[0], BoxSet(turned, {FUSED: second[::-1]})], 0.7)
    for found, scores in zip(aligned, (first, second), strict=True):
        np.testing.assert_array_equal(found.boxes.boxes, boxes.boxes)
        np.testing.assert_array_equal(found.values[FUSED], scores)


def test_a_box_that_a_member_lacks_has_its_score_zero() -> None:
    both = table([[((0.0, 0.0, 0.3, 0.5), 0.9), ((0.4, 0.1, 0.7, 0.9), 0.8)], []])
    one = table([[((0.4, 0.1, 0.7, 0.88), 0.9)], [((0.1, 0.1, 0.2, 0.2), 0.5)]])
    parts = [BoxSet(b, {FUSED: np.full((len(b), 2), 0.6, np.float32)}) for b in (both, one)]
    first, second = share_boxes_of(parts, 0.7)
    assert first.boxes is second.boxes and first.boxes.row_splits.tolist() == [0, 2, 3]
    present = np.array([first.values[FUSED][:, 0] > 0, second.values[FUSED][:, 0] > 0])
    assert sorted(map(tuple, present[:, :2].T.tolist())) == [(True, False), (True, True)]
    assert present[:, 2].tolist() == [False, True]


@pytest.mark.parametrize("seed", range(3))
def test_fused_boxes_are_better_than_their_union_with_nms(seed: int) -> None:
    """Five members that see each person with a noise of their own; the union keeps one noisy box of each, or several."""
    rng = np.random.default_rng(seed)
    n_keys, classes = 300, (1, 2)
    corner = np.stack([rng.uniform(0, 0.2, n_keys * 2), rng.uniform(0, 0.4, n_keys * 2)], axis=1)
    corner[1::2, 0] += 0.5
    people = np.concatenate([corner, corner + rng.uniform(0.2, 0.3, corner.shape)], axis=1)
    labels = rng.random((len(people), 2)) < 0.5
    splits = 2 * np.arange(n_keys + 1)
    truth = truth_from_dense(
        ["v"], np.zeros(n_keys, int), 1000 * np.arange(n_keys), people, splits, labels, classes
    )
    parts = []
    for _ in range(5):
        seen = np.clip(people + rng.normal(0, 0.035, people.shape), 0, 1).astype(np.float32)
        seen[:, 2:] = np.maximum(seen[:, 2:], seen[:, :2] + 0.02)
        scores = np.clip(0.5 + 0.25 * (labels - 0.5) + rng.normal(0, 0.2, labels.shape), 0, 1).astype(
            np.float32
        )
        parts.append(
            BoxSet(Boxes(splits, seen, rng.uniform(0.7, 1, len(seen)).astype(np.float32)), {FUSED: scores})
        )
    shared = share_boxes_of(parts, 0.4)
    mixed = np.mean([part.values[FUSED] for part in shared], axis=0)
    fused = _measured(truth, [(shared[0].boxes, mixed)], classes)
    union = _measured(truth, [(part.boxes, part.values[FUSED]) for part in parts], classes)
    assert fused > union + 0.15, (fused, union)


def _measured(truth: Truth, sources: list, classes: tuple[int, ...]) -> float:
    """mAP of all boxes after NMS per class and keyframe at IoU 0.5."""
    rows = []
    for keyframe in range(len(truth.key_ms)):
        boxes = np.concatenate([source.boxes[source.of(keyframe)] for source, _ in sources])
        scores = np.concatenate([values[source.of(keyframe)] for source, values in sources])
        overlap = iou_matrix(boxes, boxes)
        for c, number in enumerate(classes):
            kept: list[int] = []
            for b in np.argsort(-scores[:, c], kind="stable"):
                if all(overlap[b, k] < 0.5 for k in kept):
                    kept.append(int(b))
            rows += [(1000 * keyframe, boxes[b], number, scores[b, c]) for b in kept]
    found = DetectionsTable(
        ("v",),
        np.zeros(len(rows), np.int32),
        np.array([1000 * r[0] for r in rows]),
        np.array([r[1] for r in rows], np.float64),
        np.array([r[2] for r in rows], np.int32),
        np.array([r[3] for r in rows], np.float64),
    )
    return frame_map(truth, found, classes).mean_ap

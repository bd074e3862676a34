"""Person AP against a closed example, a slow twin, and COCO's own evaluator."""

from __future__ import annotations

import contextlib
import io

import numpy as np
import pytest

from stages.lib.metrics.person_ap import person_curve


def _scene(seed: int, keyframes: int = 12) -> tuple[np.ndarray, ...]:
    """Random truths, and detections that are truths moved about, copies, or nothing."""
    rng = np.random.default_rng(seed)
    truth, found, scores = [], [], []
    for _ in range(keyframes):
        corner = rng.uniform(0, 0.6, (rng.integers(0, 5), 2))
        truths = np.concatenate([corner, corner + rng.uniform(0.1, 0.4, corner.shape)], axis=1)
        moved = np.repeat(truths, 2, axis=0) + rng.normal(0, 0.03, (2 * len(truths), 4))
        moved[:, 2:] = np.maximum(moved[:, 2:], moved[:, :2] + 0.01)
        noise = rng.uniform(0, 0.5, (rng.integers(0, 4), 4))
        noise[:, 2:] += noise[:, :2] + 0.05
        truth.append(truths)
        found.append(np.concatenate([moved, noise]))
        scores.append(rng.permutation(len(found[-1])) / 50 + rng.random() / 100)
    splits = np.cumsum([0, *map(len, found)])
    return (
        np.concatenate(found),
        np.concatenate(scores),
        splits,
        np.concatenate(truth),
        np.cumsum([0, *map(len, truth)]),
    )


def _slow(
    boxes: np.ndarray, scores: np.ndarray, splits: np.ndarray, truth: np.ndarray, truth_splits: np.ndarray
) -> float:
    """All-point AP: walk down all detections, then integrate the best precision at or beyond each recall."""
    keyframe = np.searchsorted(splits, np.arange(len(boxes)), side="right") - 1
    taken: set[int] = set()
    points = []
    hits = 0
    for rank, row in enumerate(np.argsort(-scores, kind="stable"), start=1):
        best, best_iou = -1, 0.5
        for t in range(truth_splits[keyframe[row]], truth_splits[keyframe[row] + 1]):
            low, high = np.maximum(boxes[row, :2], truth[t, :2]), np.minimum(boxes[row, 2:], truth[t, 2:])
            common = np.prod(np.clip(high - low, 0, None))
            iou = common / (
                np.prod(boxes[row, 2:] - boxes[row, :2]) + np.prod(truth[t, 2:] - truth[t, :2]) - common
            )
            if t not in taken and iou >= best_iou:
                best, best_iou = t, iou
        if best >= 0:
            taken.add(best)
            hits += 1
        points.append((hits / len(truth), hits / rank))
    area, before = 0.0, 0.0
    for recall, _ in points:
        area += (recall - before) * max(p for r, p in points if r >= recall)
        before = recall
    return area


def test_closed_example() -> None:
    """Two truths; hit, miss, hit: all-point (1 + 2/3) / 2; 101 points: 51 at 1 and 50 at 2/3."""
    truth = np.array([[0.0, 0.0, 0.4, 0.4], [0.5, 0.5, 0.9, 0.9]])
    boxes = np.array([[0.0, 0.0, 0.4, 0.4], [0.6, 0.0, 0.9, 0.3], [0.5, 0.5, 0.9, 0.9]])
    curve = person_curve(boxes, np.array([0.9, 0.8, 0.7]), np.array([0, 3]), truth, np.array([0, 2]))
    assert curve.all_point == pytest.approx((1 + 2 / 3) / 2, abs=1e-12)
    assert curve.coco == pytest.approx((51 + 50 * 2 / 3) / 101, abs=1e-12)
    assert curve.at(0.8) == (0.5, 0.5)
    assert curve.at(0.7) == (pytest.approx(2 / 3), 1.0)
    assert np.isnan(curve.at(0.95)[0])


@pytest.mark.parametrize("seed", range(6))
def test_all_point_equals_the_slow_twin(seed: int) -> None:
    scene = _scene(seed)
    assert person_curve(*scene).all_point == pytest.approx(_slow(*scene), abs=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_101_points_equal_cocos_evaluator(seed: int) -> None:
    coco_module, eval_module = (
        pytest.importorskip("pycocotools.coco"),
        pytest.importorskip("pycocotools.cocoeval"),
    )
    boxes, scores, splits, truth, truth_splits = _scene(seed, keyframes=30)

    def rows(flat: np.ndarray, ends: np.ndarray, values: np.ndarray | None) -> list[dict[str, object]]:
        out: list[dict[str, object]] = []
        for k in range(len(ends) - 1):
            for i in range(ends[k], ends[k + 1]):
                x1, y1, x2, y2 = (1000 * flat[i]).tolist()
                row = {
                    "image_id": k,
                    "category_id": 1,
                    "bbox": [x1, y1, x2 - x1, y2 - y1],
                    "id": i + 1,
                    "iscrowd": 0,
                }
                out.append(
                    {**row, "area": (x2 - x1) * (y2 - y1)}
                    | ({} if values is None else {"score": float(values[i])})
                )
        return out

    with contextlib.redirect_stdout(io.StringIO()):
        official = coco_module.COCO()
        official.dataset = {
            "images": [{"id": k} for k in range(30)],
            "categories": [{"id": 1}],
            "annotations": rows(truth, truth_splits, None),
        }
        official.createIndex()
        result = eval_module.COCOeval(official, official.loadRes(rows(boxes, splits, scores)), "bbox")
        result.params.iouThrs = np.array([0.5])
        result.evaluate()
        result.accumulate()
    expected = result.eval["precision"][0, :, 0, 0, -1].mean()
    assert person_curve(boxes, scores, splits, truth, truth_splits).coco == pytest.approx(expected, abs=1e-9)


def test_order_of_keyframes_does_not_matter() -> None:
    boxes, scores, splits, truth, truth_splits = _scene(3)
    turned = list(reversed(range(len(splits) - 1)))
    rows = np.concatenate([np.arange(splits[k], splits[k + 1]) for k in turned])
    truths = np.concatenate([np.arange(truth_splits[k], truth_splits[k + 1]) for k in turned])
    other = person_curve(
        boxes[rows],
        scores[rows],
        np.cumsum([0, *(splits[k + 1] - splits[k] for k in turned)]),
        truth[truths],
        np.cumsum([0, *(truth_splits[k + 1] - truth_splits[k] for k in turned)]),
    )
    assert other.all_point == pytest.approx(
        person_curve(boxes, scores, splits, truth, truth_splits).all_point, abs=1e-12
    )


def test_empty_cases() -> None:
    nothing, zero = np.zeros((0, 4)), np.zeros(0)
    one = np.array([[0.1, 0.1, 0.5, 0.5]])
    assert np.isnan(person_curve(one, np.ones(1), np.array([0, 1]), nothing, np.array([0, 0])).all_point)
    missed = person_curve(nothing, zero, np.array([0, 0]), one, np.array([0, 1]))
    assert missed.all_point == 0.0
    assert missed.coco == 0.0


def test_only_the_hundred_best_of_a_keyframe_count() -> None:
    truth = np.array([[0.0, 0.0, 0.5, 0.5]])
    noise = np.tile([[0.6, 0.6, 0.9, 0.9]], (100, 1))
    boxes, scores = np.concatenate([noise, truth]), np.concatenate([np.full(100, 0.9), [0.1]])
    assert person_curve(boxes, scores, np.array([0, 101]), truth, np.array([0, 1])).all_point == 0.0

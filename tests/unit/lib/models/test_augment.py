"""Box jitter: its bounds and its distribution."""

from __future__ import annotations

import numpy as np

from stages.lib.models.augment import jitter_boxes


def test_every_side_moves_by_itself_within_its_bound() -> None:
    boxes = np.tile(np.array([[0.3, 0.2, 0.5, 0.8]], np.float32), (20_000, 1))
    moved = jitter_boxes(boxes, np.random.default_rng(0)) - boxes
    bound = 0.075 * np.array([0.2, 0.6, 0.2, 0.6])
    assert (np.abs(moved) <= bound + 1e-6).all()
    assert (np.abs(moved).max(axis=0) > 0.99 * bound).all()
    # Uniform: the deviation is the bound over the square root of three; the four sides are uncorrelated.
    np.testing.assert_allclose(moved.std(axis=0), bound / np.sqrt(3), rtol=0.03)
    assert np.abs(np.corrcoef(moved.T) - np.eye(4)).max() < 0.03


def test_boxes_stay_inside_the_frame() -> None:
    boxes = np.tile(np.array([[0.0, 0.0, 1.0, 1.0]], np.float32), (500, 1))
    moved = jitter_boxes(boxes, np.random.default_rng(1), amount=0.3)
    assert moved.min() >= 0.0
    assert moved.max() <= 1.0
    assert (moved == 0.0).any()
    assert moved.dtype == np.float32


def test_equal_seeds_give_equal_boxes() -> None:
    boxes = np.array([[0.1, 0.1, 0.4, 0.9], [0.5, 0.2, 0.9, 0.7]], np.float32)
    first, second = (jitter_boxes(boxes, np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, boxes)


def test_without_amount_or_boxes_nothing_happens() -> None:
    boxes = np.array([[0.1, 0.1, 0.4, 0.9]], np.float32)
    np.testing.assert_array_equal(jitter_boxes(boxes, np.random.default_rng(0), amount=0.0), boxes)
    assert jitter_boxes(np.zeros((0, 4), np.float32), np.random.default_rng(0)).shape == (0, 4)

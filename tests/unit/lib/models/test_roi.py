"""Actor vectors against RoIAlign written as loops."""

from __future__ import annotations

import math

import pytest
import torch

from stages.lib.models.roi import actor_vectors


def bilinear(plane: torch.Tensor, y: float, x: float) -> float:
    """One sample of a map; outside by more than a cell is zero, else clamped."""
    height, width = plane.shape
    if y < -1 or y > height or x < -1 or x > width:
        return 0.0
    y, x = min(max(y, 0.0), height - 1), min(max(x, 0.0), width - 1)
    top, left = int(y), int(x)
    bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
    v, u = y - top, x - left
    upper = float(plane[top, left]) * (1 - u) + float(plane[top, right]) * u
    lower = float(plane[bottom, left]) * (1 - u) + float(plane[bottom, right]) * u
    return upper * (1 - v) + lower * v


def loop_vector(plane: torch.Tensor, box: list[float], *, aligned: bool, size: int = 7) -> float:
    """Maximum over size x size bins, each the mean of an adaptive grid of samples."""
    shift = 0.5 if aligned else 0.0
    x1, y1, x2, y2 = (value - shift for value in box)
    floor = -math.inf if aligned else 1.0
    width, height = max(x2 - x1, floor), max(y2 - y1, floor)
    across, down = math.ceil(width / size), math.ceil(height / size)
    best = -math.inf
    for i in range(size):
        for j in range(size):
            samples = [
                bilinear(
                    plane,
                    y1 + (i + (k + 0.5) / down) * height / size,
                    x1 + (j + (m + 0.5) / across) * width / size,
                )
                for k in range(down)
                for m in range(across)
            ]
            best = max(best, sum(samples) / len(samples))
    return best


@pytest.mark.parametrize("aligned", [False, True])
def test_equals_loops(aligned: bool) -> None:
    torch.manual_seed(0)
    maps = torch.randn(2, 3, 9, 16)
    boxes = torch.tensor([[0.1, 0.2, 0.45, 0.9], [0.0, 0.0, 1.0, 1.0], [0.3, 0.3, 0.95, 0.5]])
    image = torch.tensor([1, 0, 1])
    found = actor_vectors(maps, boxes, image, aligned=aligned)
    for n in range(3):
        cells = (boxes[n] * torch.tensor([16.0, 9.0, 16.0, 9.0])).tolist()
        for c in range(3):
            wanted = loop_vector(maps[image[n], c], cells, aligned=aligned)
            assert float(found[n, c]) == pytest.approx(wanted, abs=1e-4)


def test_extent_replaces_the_map_size() -> None:
    torch.manual_seed(0)
    maps, boxes = torch.randn(1, 2, 8, 16), torch.tensor([[0.2, 0.1, 0.6, 0.7]])
    image = torch.zeros(1, dtype=torch.int64)
    narrow = actor_vectors(maps, boxes, image, extent_B2=torch.tensor([[12.0, 8.0]]))
    shrunk = actor_vectors(maps, boxes * torch.tensor([0.75, 1.0, 0.75, 1.0]), image)
    torch.testing.assert_close(narrow, shrunk)


def test_no_boxes_no_rows() -> None:
    found = actor_vectors(torch.randn(2, 3, 4, 4), torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64))
    assert found.shape == (0, 3)

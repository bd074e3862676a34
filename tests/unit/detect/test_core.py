"""Frames to ragged boxes, in keyframe order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from stages.detect.core import detect_people
from stages.lib.detectors.detector import Detections


class _Counting:
    """Finds as many people as the first pixel says, and remembers how many frames it was shown at once."""

    def __init__(self) -> None:
        self.shown: list[int] = []

    def detect(self, images: Sequence[np.ndarray]) -> list[Detections]:
        self.shown.append(len(images))
        counts = [int(image[0, 0, 0]) for image in images]
        return [
            Detections(np.full((n, 4), n / 10, np.float32), np.full(n, n / 10, np.float32)) for n in counts
        ]


def _frames(counts: Sequence[int], shown: list[int]) -> Iterator[np.ndarray]:
    for number, count in enumerate(counts):
        assert number - sum(shown) < 3, "frames are not held beyond a batch"
        yield np.full((4, 4, 3), count, np.uint8)


@pytest.mark.parametrize("counts", [[2, 0, 1, 3, 0, 0, 1], [], [0], [1, 2, 3]])
def test_order_and_batches(counts: list[int]) -> None:
    detector = _Counting()
    found = detect_people(_frames(counts, detector.shown), detector, batch=3)  # type: ignore[arg-type]
    assert np.diff(found.row_splits).tolist() == counts
    np.testing.assert_allclose(found.scores, np.repeat(counts, counts) / 10, atol=1e-7)
    assert found.boxes.shape == (sum(counts), 4)
    assert found.boxes.dtype == found.scores.dtype == np.float32
    assert found.row_splits.dtype == np.int64
    assert max(detector.shown, default=0) <= 3

"""Clips from cached JPEG bytes: order, one decoding per distinct frame, faults that surface."""

from __future__ import annotations

import numpy as np
import pytest

from stages.extract.loader import Request, load_batches


class Source:
    """Frames as bytes of their own number; numbers past the end give the end frame."""

    def clip(self, video: int, frames: np.ndarray) -> list[bytes]:
        return [bytes([video, int(number)]) for number in np.clip(frames, 0, 9)]


def test_clips_come_in_order_and_frames_are_decoded_once() -> None:
    decoded: list[bytes] = []

    def decode(data: bytes) -> np.ndarray:
        decoded.append(data)
        return np.full((2, 3, 3), data[0] * 10 + data[1], np.uint8)

    requests = [
        Request(0, np.array([-2, 0, 2])),
        Request(0, np.array([0, 2, 4])),
        Request(1, np.array([8, 10, 12])),
    ]
    batches = list(load_batches([requests[:2], requests[2:]], Source(), decode))
    assert [batch.shape for batch in batches] == [(2, 3, 2, 3, 3), (1, 3, 2, 3, 3)]
    assert batches[0][:, :, 0, 0, 0].tolist() == [[0, 0, 2], [0, 2, 4]]
    assert batches[1][:, :, 0, 0, 0].tolist() == [[18, 19, 19]]
    assert len(decoded) == len(set(decoded)) == 5


def test_a_fault_reaches_the_consumer() -> None:
    def decode(data: bytes) -> np.ndarray:
        raise ValueError("damaged")

    with pytest.raises(ValueError, match="damaged"):
        list(load_batches([[Request(0, np.array([1]))]], Source(), decode))
    assert list(load_batches([], Source(), decode)) == []

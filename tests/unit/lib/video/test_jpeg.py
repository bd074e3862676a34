from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.lib.errors import StageError
from stages.lib.video.jpeg import capped_size, clip_size, decode_jpeg, encode_jpeg, resize_rgb


def test_a_frame_survives_with_its_channel_order() -> None:
    y, x = np.mgrid[0:40, 0:60]
    frame = np.stack([x * 4, y * 6, 255 - x * 4], -1).astype(np.uint8)
    data = encode_jpeg(frame, 95)
    assert data == encode_jpeg(frame, 95)
    assert np.abs(decode_jpeg(data).astype(int) - frame).mean() < 4


@pytest.mark.parametrize("data", [b"", b"no jpeg"])
def test_bytes_that_are_no_jpeg_are_refused(data: bytes) -> None:
    with pytest.raises(StageError, match="no readable JPEG"):
        decode_jpeg(data)


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((1920, 1080), (604, 340)),
        ((1080, 1920), (340, 604)),
        ((340, 256), (340, 256)),
        ((341, 341), (340, 340)),
    ],
)
def test_clip_size_truncates_the_longer_side_and_never_grows(
    size: tuple[int, int], expected: tuple[int, int]
) -> None:
    assert clip_size(*size, 340) == expected


def test_capped_size() -> None:
    assert capped_size(1920, 1080, 800, 1333) == (1333, 749)
    assert capped_size(1000, 1000, 800, 1333) == (800, 800)
    assert capped_size(640, 480, 800, 1333) == (640, 480)
    assert capped_size(1080, 1920, 800, 1333) == (749, 1333)


@given(st.integers(1, 4000), st.integers(1, 4000))
def test_capped_size_fits_and_keeps_the_shape(width: int, height: int) -> None:
    factor = min(Fraction(1), Fraction(800, min(width, height)), Fraction(1333, max(width, height)))
    assert capped_size(width, height, 800, 1333) == tuple(
        max(1, int(side * factor)) for side in (width, height)
    )


def test_resizing_by_a_whole_factor_is_the_mean_of_blocks() -> None:
    frame = np.random.default_rng(0).integers(0, 256, (60, 90, 3), dtype=np.uint8)
    mean = frame.reshape(20, 3, 30, 3, 3).mean(axis=(1, 3))
    assert np.abs(resize_rgb(frame, (30, 20)) - mean).max() <= 1.0
    assert resize_rgb(frame, (90, 60)) is frame

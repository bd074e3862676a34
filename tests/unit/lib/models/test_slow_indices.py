"""Slow frames: the published tables."""

from __future__ import annotations

import pytest
import torch

from stages.lib.models.slowfast import slow_indices, split_pathways

SPAN_64 = (0, 4, 8, 12, 16, 21, 25, 29, 33, 37, 42, 46, 50, 54, 58, 63)


@pytest.mark.parametrize(
    ("frames", "rule", "expected"),
    [
        (32, "full-span", (0, 4, 8, 13, 17, 22, 26, 31)),
        (64, "full-span", SPAN_64),
        (8, "full-span", (0, 7)),
        (4, "full-span", (0,)),
        (32, "stride", (0, 4, 8, 12, 16, 20, 24, 28)),
        (64, "stride", tuple(range(0, 61, 4))),
        (8, "stride", (0, 4)),
    ],
)
def test_tables(frames: int, rule: str, expected: tuple[int, ...]) -> None:
    assert slow_indices(frames, 4, rule) == expected


def test_pathways_are_cut_from_the_clip() -> None:
    clip = torch.arange(8.0).view(1, 1, 8, 1, 1)
    slow, fast = split_pathways(clip, 4, "full-span")
    assert slow.flatten().tolist() == [0.0, 7.0]
    assert torch.equal(fast, clip)


@pytest.mark.parametrize(("frames", "alpha"), [(30, 4), (0, 4), (8, 0)])
def test_uneven_clips_are_refused(frames: int, alpha: int) -> None:
    with pytest.raises(ValueError, match="cannot be divided"):
        slow_indices(frames, alpha, "stride")


def test_unknown_rule_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown slow rule"):
        slow_indices(8, 4, "middle")

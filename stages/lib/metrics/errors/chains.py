"""Links boxes of neighbouring keyframes into chains: the same somebody, second after second.

Legend: B boxes, K keyframes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stages.lib.metrics.errors.people import nearest
from stages.lib.metrics.matching import iou_of_pairs

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

LINK_IOU = 0.5
"""Least IoU of the boxes of one somebody at neighbouring keyframes."""
GAP_MS = 1500
"""Keyframes further apart are no neighbours (AVA has one a second)."""


@dataclass(frozen=True)
class Chains:
    """Chain of each box (B,), its place in it (from 0), and how many boxes its chain has."""

    chain: Ints
    place: Ints
    length: Ints


def link_boxes(
    keyframe_B: Ints,
    boxes_B4: Floats,
    video_K: NDArray[np.int32],
    ms_K: Ints,
    identity_B: NDArray[np.integer] | None = None,
) -> Chains:
    """Chains through neighbouring keyframes, which ascend by video and time; boxes xyxy.

    A box and one of the next keyframe are linked when their IoU is LINK_IOU or more and each is the other's best; boxes
    with an identity (>= 0) when they share it, too. Where the next keyframe is another video's or later than GAP_MS, no
    box is linked.
    """
    identity = np.full(len(keyframe_B), -1) if identity_B is None else identity_B
    known = identity >= 0
    before = np.full(len(keyframe_B), -1, dtype=np.int64)
    for rows, earlier in (
        (np.flatnonzero(~known), _by_overlap(keyframe_B[~known], boxes_B4[~known], len(video_K))),
        (np.flatnonzero(known), _by_identity(keyframe_B[known], identity[known])),
    ):
        before[rows[earlier >= 0]] = rows[earlier[earlier >= 0]]
    rows = np.flatnonzero(before >= 0)
    here, there = keyframe_B[rows], keyframe_B[before[rows]]
    far = (video_K[here] != video_K[there]) | (ms_K[here] - ms_K[there] > GAP_MS)
    with np.errstate(invalid="ignore"):  # boxes without area
        close = iou_of_pairs(boxes_B4[rows], boxes_B4[before[rows]]) >= LINK_IOU
    before[rows[far | ~close]] = -1
    return _chains(before, keyframe_B)


def _by_overlap(keyframe_B: Ints, boxes_B4: Floats, n_keyframes: int) -> Ints:
    """The box of the keyframe before that each box overlaps most, -1 unless it is that one's best as well."""
    back, _ = nearest(keyframe_B, boxes_B4, keyframe_B + 1, boxes_B4, n_keyframes + 1)
    on, _ = nearest(keyframe_B + 1, boxes_B4, keyframe_B, boxes_B4, n_keyframes + 1)
    mutual = (back >= 0) & (on[back] == np.arange(len(back)))
    return np.where(mutual, back, -1)


def _by_identity(keyframe_B: Ints, identity_B: NDArray[np.integer]) -> Ints:
    """The box of the keyframe before with the same identity, -1 where there is none."""
    before = np.full(len(keyframe_B), -1, dtype=np.int64)
    order = np.lexsort((keyframe_B, identity_B))
    here, there = order[1:], order[:-1]
    same = (identity_B[here] == identity_B[there]) & (keyframe_B[here] == keyframe_B[there] + 1)
    before[here[same]] = there[same]
    return before


def _chains(before_B: Ints, keyframe_B: Ints) -> Chains:
    """From each box's predecessor (-1: none) to chains; jumps double, so that long chains take few rounds."""
    root = np.where(before_B >= 0, before_B, np.arange(len(before_B)))
    while not np.array_equal(further := root[root], root):
        root = further
    order = np.lexsort((keyframe_B, root))
    starts = np.flatnonzero(np.diff(root[order], prepend=-1))
    sizes = np.diff(np.append(starts, len(order)))
    place, length = np.empty(len(order), dtype=np.int64), np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order)) - np.repeat(starts, sizes)
    length[order] = np.repeat(sizes, sizes)
    return Chains(root, place, length)

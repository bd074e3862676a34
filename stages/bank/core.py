"""Archiving actors for long-term memory: pooled vectors (AFB), or first-order relation maps of a trained head (ACFB).

Shapes: K keyframes, N boxes over all of them, B keyframes of one forward pass, C D channels, h w cells.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from stages.lib.artifacts.tables import Boxes
from stages.lib.halving import Batches
from stages.lib.models.heads import AcarHead, pool_actors
from stages.lib.models.inputs import HeadInput
from stages.lib.models.mapstore import MapTable
from stages.lib.models.runtime import optional_to_device, to_device

BATCH: Final = 16


def archived_boxes(detections: Boxes, present_K: NDArray[np.bool_], min_score: float) -> Boxes:
    """The detections from `min_score` on, of the keyframes that are archived (K,)."""
    return detections.keep((detections.scores >= min_score) & present_K[detections.keyframe_of()])


@torch.inference_mode()
def pooled_vectors(
    maps: MapTable,
    boxes: Boxes,
    device: torch.device,
    batches: Batches | None = None,
    *,
    aligned: bool,
    by_pixels: bool,
) -> Iterator[NDArray[np.float32]]:
    """AFB: the raw RoI-pooled vector (C,) of every box, in parts of some keyframes, in the order of the boxes.

    `aligned` and `by_pixels` are those of the heads that read the bank; ValueError for maps without the frames' size.
    """

    def pool(inputs: HeadInput) -> NDArray[np.float32]:
        vectors_NC = pool_actors(inputs.maps_BCHW.float(), inputs, aligned=aligned, by_pixels=by_pixels)
        return vectors_NC.cpu().numpy()

    yield from _parts(maps, boxes, device, batches, pool)


@torch.inference_mode()
def relation_maps(
    maps: MapTable, boxes: Boxes, head: AcarHead, device: torch.device, batches: Batches | None = None
) -> Iterator[NDArray[np.float32]]:
    """ACFB: the head's relation map (D,h,w) of every box before any relation is drawn, in parts as above."""
    head.to(device).eval()
    yield from _parts(
        maps, boxes, device, batches, lambda inputs: head.relation_maps(inputs).float().cpu().numpy()
    )


def _parts(
    maps: MapTable,
    boxes: Boxes,
    device: torch.device,
    batches: Batches | None,
    work: Callable[[HeadInput], NDArray[np.float32]],
) -> Iterator[NDArray[np.float32]]:
    """What `work` makes of keyframes with boxes in their order, neighbours of one grid together."""
    batches = batches or Batches(BATCH)
    counts = np.diff(boxes.row_splits)
    filled = np.flatnonzero(counts)
    changes = np.flatnonzero((np.diff(maps.grid_K2[filled], axis=0) != 0).any(axis=1)) + 1
    for group in np.split(filled, changes):

        def run(items: slice, group: NDArray[np.int64] = group) -> NDArray[np.float32]:
            rows = group[items]
            image = np.repeat(np.arange(len(rows)), counts[rows])
            inputs = HeadInput(
                to_device(torch.from_numpy(maps.take(rows)), device),
                to_device(torch.from_numpy(boxes.take(rows).boxes), device),
                to_device(torch.from_numpy(image), device),
                extent_B2=optional_to_device(maps.extent(rows), device),
            )
            return work(inputs)

        yield from batches.of(len(group), run)

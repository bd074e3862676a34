"""Archiving actors: each box on its own frame, batched like one by one."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from stages.bank.core import archived_boxes, pooled_vectors, relation_maps
from stages.lib.artifacts.tables import Boxes
from stages.lib.models.builders import build_head
from stages.lib.models.inputs import HeadInput
from stages.lib.models.mapstore import MapTable
from tests.unit.predict.test_core import CPU, Maps, draw_maps

GRIDS = [(6, 9), (6, 9), (8, 8), (6, 9), (6, 9)]
# Heights and widths in pixels that a sixteenth, rounded up, gives these grids.
SIZES = np.array([(88, 131), (88, 131), (120, 115), (90, 130), (88, 131)], np.int32)


def setting() -> tuple[MapTable, Boxes, list[np.ndarray | None]]:
    rng = np.random.default_rng(0)
    maps = draw_maps(rng, GRIDS)
    found = []
    for count in (2, 0, 1, 3, 1):
        corner = rng.random((count, 2)) * 0.5
        found.append((np.concatenate([corner, corner + 0.4], 1), np.linspace(0.95, 0.6, count)))
    source = Maps(maps)
    source.size = SIZES
    return MapTable([source]), Boxes.stack(found), maps


def test_only_confident_boxes_of_present_keyframes() -> None:
    _, boxes, _ = setting()
    kept = archived_boxes(boxes, np.array([True, True, False, True, True]), 0.9)
    assert np.diff(kept.row_splits).tolist() == [1, 0, 0, 1, 1]
    assert (kept.scores >= 0.9).all()


@pytest.mark.parametrize("aligned", [False, True])
@pytest.mark.parametrize("scale", ["grid", "pixels"])
def test_vectors_are_those_that_a_head_pools(aligned: bool, scale: str) -> None:
    """Frame by frame and box by box, as `actors` of a head with the same settings."""
    table, boxes, maps = setting()
    by_pixels = scale == "pixels"
    found = np.concatenate(list(pooled_vectors(table, boxes, CPU, aligned=aligned, by_pixels=by_pixels)))
    head = build_head("linear", channels=6, classes=3, roi_aligned=aligned, roi_scale=scale)
    owner, zero = boxes.keyframe_of(), torch.zeros(1, dtype=torch.int64)
    for row in range(len(boxes)):
        alone = torch.from_numpy(maps[owner[row]])[None]  # type: ignore[arg-type]
        extent = torch.from_numpy(SIZES[owner[row], ::-1].astype(np.float32))[None] / 16
        inputs = HeadInput(alone, torch.from_numpy(boxes.boxes[row : row + 1]), zero, extent_B2=extent)
        assert np.allclose(found[row], head.actors(inputs)[0].numpy(), atol=1e-6)  # type: ignore[operator]


def test_the_four_ways_to_pool_differ() -> None:
    table, boxes, _ = setting()
    ways = [(aligned, by_pixels) for aligned in (False, True) for by_pixels in (False, True)]
    found = [
        np.concatenate(list(pooled_vectors(table, boxes, CPU, aligned=aligned, by_pixels=by_pixels)))
        for aligned, by_pixels in ways
    ]
    for place, one in enumerate(found):
        assert all(np.abs(one - other).max() > 0.01 for other in found[:place])


def test_maps_that_do_not_tell_their_frames_cannot_be_pooled_by_pixels() -> None:
    maps = Maps(draw_maps(np.random.default_rng(0), GRIDS[:1]))
    boxes = Boxes.stack([([[0.1, 0.1, 0.5, 0.5]], [0.95])])
    with pytest.raises(ValueError, match="do not hold the size of the frames"):
        list(pooled_vectors(MapTable([maps]), boxes, CPU, aligned=False, by_pixels=True))


def test_relation_maps_equal_one_by_one() -> None:
    table, boxes, maps = setting()
    torch.manual_seed(0)
    head = build_head("acar", channels=6, classes=3, reduce=4, hidden=5, input_scale=1.7).eval()
    found = [row for part in relation_maps(table, boxes, head, CPU) for row in part]  # type: ignore[arg-type]
    assert len(found) == len(boxes)
    owner = boxes.keyframe_of()
    for row in range(len(boxes)):
        alone = torch.from_numpy(maps[owner[row]])[None]  # type: ignore[arg-type]
        inputs = HeadInput(
            alone, torch.from_numpy(boxes.boxes[row : row + 1]), torch.zeros(1, dtype=torch.int64)
        )
        with torch.no_grad():
            expected = head.relation_maps(inputs)[0].numpy()  # type: ignore[operator]
        assert np.allclose(found[row], expected, atol=1e-5)


def test_nothing_to_archive() -> None:
    empty = MapTable([Maps([])])
    assert list(pooled_vectors(empty, Boxes.stack([]), CPU, aligned=True, by_pixels=True)) == []
    assert (
        list(
            relation_maps(
                empty, Boxes.stack([]), build_head("acar", channels=6, classes=3, reduce=4, hidden=5), CPU
            )
        )
        == []
    )  # type: ignore[arg-type]

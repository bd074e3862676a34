"""Archiving actors: each box on its own frame, batched like one by one."""

from __future__ import annotations

import numpy as np
import torch

from stages.bank.core import archived_boxes, pooled_vectors, relation_maps
from stages.lib.artifacts.tables import Boxes
from stages.lib.models.builders import build_head
from stages.lib.models.inputs import HeadInput
from stages.lib.models.mapstore import MapTable
from stages.lib.models.roi import actor_vectors
from tests.unit.predict.test_core import CPU, Maps, draw_maps

GRIDS = [(6, 9), (6, 9), (8, 8), (6, 9), (6, 9)]


def setting() -> tuple[MapTable, Boxes, list[np.ndarray | None]]:
    rng = np.random.default_rng(0)
    maps = draw_maps(rng, GRIDS)
    found = []
    for count in (2, 0, 1, 3, 1):
        corner = rng.random((count, 2)) * 0.5
        found.append((np.concatenate([corner, corner + 0.4], 1), np.linspace(0.95, 0.6, count)))
    return MapTable([Maps(maps)]), Boxes.stack(found), maps


def test_only_confident_boxes_of_present_keyframes() -> None:
    _, boxes, _ = setting()
    kept = archived_boxes(boxes, np.array([True, True, False, True, True]), 0.9)
    assert np.diff(kept.row_splits).tolist() == [1, 0, 0, 1, 1]
    assert (kept.scores >= 0.9).all()


def test_vectors_equal_one_by_one() -> None:
    table, boxes, maps = setting()
    found = np.concatenate(list(pooled_vectors(table, boxes, CPU)))
    owner = boxes.keyframe_of()
    for row in range(len(boxes)):
        alone = torch.from_numpy(maps[owner[row]].astype(np.float32))[None]  # type: ignore[union-attr]
        expected = actor_vectors(
            alone, torch.from_numpy(boxes.boxes[row : row + 1]), torch.zeros(1, dtype=torch.int64)
        )
        assert np.allclose(found[row], expected[0].numpy(), atol=1e-6)


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
    assert list(pooled_vectors(empty, Boxes.stack([]), CPU)) == []
    assert (
        list(
            relation_maps(
                empty, Boxes.stack([]), build_head("acar", channels=6, classes=3, reduce=4, hidden=5), CPU
            )
        )
        == []
    )  # type: ignore[arg-type]

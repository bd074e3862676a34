"""Views and box sets of a prediction."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from stages.lib.artifacts.tables import Boxes, Keyframes, splits_of
from stages.lib.models.builders import build_head
from stages.lib.models.heads import AcarAcfbHead
from stages.lib.models.mapstore import MapTable
from stages.lib.models.memory import BankMemory
from stages.lib.models.relation import HighOrderLayer
from stages.lib.models.slots import Archive
from stages.predict.core import HeadInUse, logits_by_view, predicted_boxes

CPU = torch.device("cpu")


class Maps:
    """Maps in memory as a source."""

    def __init__(self, maps: list[np.ndarray | None]) -> None:
        self._maps = maps
        self.grid = np.array([(0, 0) if m is None else m.shape[1:] for m in maps], np.int32).reshape(-1, 2)
        self.size = np.zeros_like(self.grid)
        self.row = np.array([-1 if m is None else 0 for m in maps], np.int64)
        self.channels = next((m.shape[0] for m in maps if m is not None), None)

    def fill(self, owners: np.ndarray, out: np.ndarray) -> None:
        for place, owner in enumerate(owners):
            found = self._maps[owner]
            assert found is not None
            out[place] = found


def draw_maps(
    rng: np.random.Generator, grids: list[tuple[int, int]], channels: int = 6
) -> list[np.ndarray | None]:
    return [rng.normal(size=(channels, *grid)).astype(np.float16) for grid in grids]


def test_boxes_below_the_score_and_without_map_are_left_out() -> None:
    boxes = Boxes.stack(
        [([[0, 0, 1, 1]] * 2, [0.9, 0.3]), ([[0, 0, 1, 1]], [0.9]), ([], []), ([[0, 0, 1, 1]], [0.8])]
    )
    kept = predicted_boxes(boxes, np.array([0, 1, 3]), np.array([True, False, True, True]), 0.5)
    assert kept.row_splits.tolist() == [0, 1, 1, 2]
    assert kept.scores.tolist() == [np.float32(0.9), np.float32(0.8)]


def make_use(kind: str, rng: np.random.Generator, keyframes: int, channels: int = 6) -> HeadInUse:
    torch.manual_seed(0)
    head = build_head(kind, channels=channels, classes=5, reduce=4, hidden=4, roi_aligned=True)
    head = head.double() if kind == "linear" else head
    if not kind.endswith("acfb"):
        return HeadInUse(head, 5)
    counts = rng.integers(0, 3, keyframes)
    archive = Archive(
        np.repeat(np.arange(keyframes // 3), 3),
        np.tile([1000, 2000, 3000], keyframes // 3),
        splits_of(counts),
        rng.random(int(counts.sum())).astype(np.float32),
    )
    items = MapTable([Maps(draw_maps(rng, [(3, 3)] * int(counts.sum()), 4))])
    return HeadInUse(head, 5, BankMemory(archive, items, 1.0), 2)


def test_batching_by_video_and_grid_changes_nothing() -> None:
    rng = np.random.default_rng(0)
    grids = [(7, 8)] * 6 + [(9, 8)] * 3 + [(7, 8)] * 21
    keyframes = Keyframes(
        tuple("abcdefghij"), np.repeat(np.arange(10, dtype=np.int32), 3), np.tile([1000, 2000, 3000], 10)
    )
    counts = rng.integers(0, 4, 30)
    corner = rng.random((int(counts.sum()), 2)) * 0.5
    boxes = Boxes(
        splits_of(counts),
        np.concatenate([corner, corner + 0.4], 1).astype(np.float32),
        np.ones(len(corner), np.float32),
    )
    table = MapTable([Maps(draw_maps(rng, grids))])
    for kind in ("linear", "acar", "acar-acfb"):
        use = make_use(kind, rng, 30)
        rows = np.arange(30)
        whole = logits_by_view(use, {"s128": table}, keyframes, rows, boxes, CPU)["s128"]
        single = [
            logits_by_view(
                use, {"s128": table}, keyframes, rows[k : k + 1], boxes.take(rows[k : k + 1]), CPU
            )["s128"]
            for k in rows
        ]
        assert whole.shape == (int(counts.sum()), 5)
        assert np.allclose(whole, np.concatenate(single), atol=1e-5)
        assert len(np.unique(whole.round(4), axis=0)) > 1


def test_a_mirrored_view_sees_mirrored_boxes() -> None:
    """Maps mirrored along the width with mirrored boxes are the same scene to a head that only pools."""
    rng = np.random.default_rng(1)
    maps = draw_maps(rng, [(6, 9)] * 2)
    mirrored = [None if m is None else m[:, :, ::-1].copy() for m in maps]
    keyframes = Keyframes(("a",), np.zeros(2, np.int32), np.array([1000, 2000]))
    boxes = Boxes.stack(
        [([[0.1, 0.2, 0.35, 0.9], [0.5, 0.1, 0.95, 0.8]], [1, 1]), ([[0.0, 0.0, 0.4, 0.5]], [1])]
    )
    views = {"s96": MapTable([Maps(maps)]), "s96-flip": MapTable([Maps(mirrored)])}
    found = logits_by_view(make_use("linear", rng, 2), views, keyframes, np.arange(2), boxes, CPU)
    assert np.allclose(found["s96"], found["s96-flip"], atol=1e-4)
    shown = logits_by_view(
        make_use("linear", rng, 2), {"s96": views["s96-flip"]}, keyframes, np.arange(2), boxes, CPU
    )["s96"]
    assert np.abs(shown - found["s96"]).max() > 0.05, "the unmirrored boxes lie elsewhere"


def test_no_keyframes_and_no_boxes() -> None:
    keyframes = Keyframes((), np.zeros(0, np.int32), np.zeros(0, np.int64))
    none = Boxes.stack([])
    use = make_use("acar", np.random.default_rng(0), 3)
    assert logits_by_view(use, {"s96": MapTable([Maps([])])}, keyframes, np.zeros(0, np.int64), none, CPU)[
        "s96"
    ].shape == (0, 5)


def test_keys_and_values_are_computed_once_per_archived_map(monkeypatch: pytest.MonkeyPatch) -> None:
    """40 keyframes of one video, three batches, whose windows overlap: every archived map meets a layer once."""
    rng = np.random.default_rng(0)
    keyframes = Keyframes(("a",), np.zeros(40, np.int32), 1000 * np.arange(40))
    boxes = Boxes(np.arange(41), np.tile(np.array([[0.1, 0.1, 0.6, 0.9]], np.float32), (40, 1)), np.ones(40))
    torch.manual_seed(0)
    head = build_head("acar-acfb", channels=6, classes=5, reduce=4, hidden=4, depth=2)
    assert isinstance(head, AcarAcfbHead)
    archive = Archive(
        np.zeros(40, np.int64), 1000 * np.arange(40), np.arange(41) * 2, np.ones(80, np.float32)
    )
    memory = BankMemory(archive, MapTable([Maps(draw_maps(rng, [(3, 3)] * 80, 4))]), 10.0)
    seen: list[int] = []
    original = HighOrderLayer.key_value

    def counted(layer: HighOrderLayer, maps: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        seen.append(len(maps))
        return original(layer, maps)

    monkeypatch.setattr(HighOrderLayer, "key_value", counted)
    views = {"s128": MapTable([Maps(draw_maps(rng, [(7, 8)] * 40))])}
    logits_by_view(HeadInUse(head, 5, memory, 2), views, keyframes, np.arange(40), boxes, CPU)
    assert seen == [80, 80], "two layers, each over the 80 maps of the video"

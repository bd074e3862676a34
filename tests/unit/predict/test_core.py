"""Views and box sets of a prediction."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from stages.lib.artifacts.tables import Boxes, Keyframes, splits_of
from stages.lib.geometry.boxes import flip_boxes
from stages.lib.models.builders import build_head
from stages.lib.models.heads import AcarAcfbHead
from stages.lib.models.inference import BATCH
from stages.lib.models.inputs import HeadInput, RelationKeys
from stages.lib.models.mapstore import MapTable
from stages.lib.models.memory import BankMemory, LiveView
from stages.lib.models.moving import MovingKeys
from stages.lib.models.slots import Archive, choose_slots, score_order
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


@pytest.mark.parametrize("kind", ["acar-acfb", "linear-afb"])
def test_a_mirrored_view_reads_a_mirrored_bank(kind: str) -> None:
    """In a mirrored view, archived maps are mirrored: the same as stored mirrored maps with mirrored boxes unmirrored."""
    rng = np.random.default_rng(3)
    archived = draw_maps(rng, [(3, 4)] * 6, 4)
    keyframes = Keyframes(("a",), np.zeros(3, np.int32), np.array([1000, 2000, 3000]))
    corner = np.array([[0.1, 0.2], [0.4, 0.1], [0.2, 0.3]])
    boxes = Boxes(np.arange(4), np.concatenate([corner, corner + 0.4], 1).astype(np.float32), np.ones(3))
    mirrored = Boxes(np.arange(4), flip_boxes(boxes.boxes).astype(np.float32), np.ones(3))
    archive = Archive(np.zeros(3, np.int64), keyframes.timestamp_ms, np.arange(4) * 2, np.ones(6, np.float32))
    torch.manual_seed(0)
    head = build_head(kind, channels=6, classes=5, reduce=4, hidden=4)
    for weight in head.parameters():
        torch.nn.init.normal_(weight, std=0.5)
    live = MapTable([Maps(draw_maps(rng, [(7, 9)] * 3))])

    def logits(items: list[np.ndarray | None], seen: Boxes, view: str) -> np.ndarray:
        stored = MapTable([Maps(items)])
        vectors = np.stack([m.mean(axis=(1, 2))[[0, 1, 2, 3, 0, 1]] for m in archived])  # type: ignore[union-attr]
        memory = BankMemory(archive, stored if kind == "acar-acfb" else vectors, 2.0)
        return logits_by_view(
            HeadInUse(head, 5, memory, 2), {view: live}, keyframes, np.arange(3), seen, CPU
        )[view]

    flipped = [None if m is None else m[:, :, ::-1].copy() for m in archived]
    found = logits(archived, boxes, "s96-flip")
    assert np.allclose(found, logits(flipped, mirrored, "s96"), atol=1e-5)
    if kind == "acar-acfb":
        assert np.abs(found - logits(archived, mirrored, "s96")).max() > 1e-3, "mirroring the bank matters"


def test_a_bank_without_anybody_is_plain_acar() -> None:
    """Nobody was sure enough to be archived in the whole shard, yet there are boxes to classify."""
    rng = np.random.default_rng(0)
    keyframes = Keyframes(("a",), np.zeros(3, np.int32), np.array([1000, 2000, 3000]))
    boxes = Boxes(np.arange(4), np.tile(np.array([[0.1, 0.1, 0.6, 0.9]], np.float32), (3, 1)), np.ones(3))
    torch.manual_seed(0)
    banked = build_head("acar-acfb", channels=6, classes=5, reduce=4, hidden=4)
    plain = build_head("acar", channels=6, classes=5, reduce=4, hidden=4)
    plain.load_state_dict(banked.state_dict())
    archive = Archive(
        np.zeros(3, np.int64), keyframes.timestamp_ms, np.zeros(4, np.int64), np.zeros(0, np.float32)
    )
    memory = BankMemory(archive, MapTable([Maps([])]), 10.0)
    views = {"s128": MapTable([Maps(draw_maps(rng, [(7, 8)] * 3))])}
    found = logits_by_view(HeadInUse(banked, 5, memory, 2), views, keyframes, np.arange(3), boxes, CPU)
    wanted = logits_by_view(HeadInUse(plain, 5), views, keyframes, np.arange(3), boxes, CPU)
    assert np.allclose(found["s128"], wanted["s128"], atol=1e-6)


def long_video(seconds: int, window: float) -> tuple[AcarAcfbHead, MapTable, BankMemory, Keyframes, Boxes]:
    """One video with a keyframe, a box and two archived maps a second, but for a hole without people in its middle."""
    rng = np.random.default_rng(0)
    keyframes = Keyframes(("a",), np.zeros(seconds, np.int32), 1000 * np.arange(seconds))
    corner = rng.random((seconds, 2)) * 0.5
    boxes = np.concatenate([corner, corner + 0.4], 1).astype(np.float32)
    torch.manual_seed(0)
    head = build_head("acar-acfb", channels=6, classes=5, reduce=4, hidden=4, depth=2)
    assert isinstance(head, AcarAcfbHead)
    for weight in head.parameters():
        torch.nn.init.normal_(weight, std=0.5)
    counts = np.where(abs(np.arange(seconds) - seconds // 2) < 2 * window + 20, 0, 2)
    total = int(counts.sum())
    archive = Archive(
        np.zeros(seconds, np.int64),
        keyframes.timestamp_ms,
        splits_of(counts),
        rng.random(total).astype(np.float32),
    )
    memory = BankMemory(archive, MapTable([Maps(draw_maps(rng, [(3, 3)] * total, 4))]), window)
    live = MapTable([Maps(draw_maps(rng, [(7, 8)] * seconds))])
    return head, live, memory, keyframes, Boxes(np.arange(seconds + 1), boxes, np.ones(seconds))


def test_keys_and_values_are_computed_once_and_forgotten_behind_the_windows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """200 keyframes, windows of 21 s: every archived map is computed once, those of few seconds are held at a time."""
    head, live, memory, keyframes, boxes = long_video(200, 10.0)
    computed: list[int] = []
    held: list[int] = []
    precompute_kv, keys_of = AcarAcfbHead.precompute_kv, MovingKeys.of

    def counted(head: AcarAcfbHead, maps: torch.Tensor) -> RelationKeys:
        computed.append(len(maps))
        return precompute_kv(head, maps)

    def watched(keys: MovingKeys, rows: np.ndarray) -> RelationKeys | None:
        found = keys_of(keys, rows)
        held.append(0 if found is None else len(found.pairs[0][0]))
        return found

    monkeypatch.setattr(AcarAcfbHead, "precompute_kv", counted)
    monkeypatch.setattr(MovingKeys, "of", watched)
    logits_by_view(HeadInUse(head, 5, memory, 2), {"s128": live}, keyframes, np.arange(200), boxes, CPU)
    assert sum(computed) == len(memory.archive.scores_N)
    assert max(held) == 2 * (BATCH + 20)
    assert 0 in held, "the hole is wider than a window and a batch"


@torch.inference_mode()
def test_a_long_video_batch_by_batch_equals_its_whole_bank_at_once() -> None:
    head, live, memory, keyframes, boxes = long_video(120, 5.0)
    found = logits_by_view(
        HeadInUse(head, 5, memory, 2), {"s128": live}, keyframes, np.arange(120), boxes, CPU
    )
    chosen = choose_slots(memory.archive, 2, score_order(memory.archive))
    whole = memory.read(
        chosen, np.zeros(120, np.int64), keyframes.timestamp_ms, LiveView((7, 8), flipped=False), CPU
    )
    inputs = HeadInput(
        torch.from_numpy(live.take(np.arange(120))), torch.from_numpy(boxes.boxes), torch.arange(120), whole
    )
    wanted = head.eval()(inputs).numpy()
    assert np.allclose(found["s128"], wanted, rtol=1e-4, atol=1e-4 * float(np.abs(wanted).max()))
    plain = head.eval()(
        dataclasses.replace(inputs, bank=dataclasses.replace(whole, mask_BL=whole.mask_BL & False))
    )
    assert np.abs(found["s128"] - plain.numpy()).max() > 1e-2 * float(np.abs(wanted).max()), (
        "the bank matters"
    )

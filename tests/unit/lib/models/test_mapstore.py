"""Tables of maps over several files, and the bank as a live view reads it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from stages.lib.models.mapstore import MapTable, by_grid
from stages.lib.models.memory import BankMemory, LiveView, relation_grid
from stages.lib.models.relation import FirstOrderEncoder
from stages.lib.models.slots import Archive, choose_slots, score_order
from tests.unit.predict.test_core import CPU, Maps, draw_maps


def table() -> tuple[MapTable, list[np.ndarray | None]]:
    rng = np.random.default_rng(0)
    first, second = draw_maps(rng, [(3, 4), (3, 4), (2, 5)]), draw_maps(rng, [(2, 5), (3, 4)])
    first[1] = None
    return MapTable([Maps(first), Maps([]), Maps(second)]), first + second


@pytest.mark.parametrize("limit", [1 << 30, 10])
def test_held_or_fetched_maps_are_the_same(limit: int) -> None:
    maps, expected = table()
    assert maps.hold(np.arange(5), limit) == (limit > 10)
    assert maps.has_K.tolist() == [True, False, True, True, True]
    assert np.array_equal(maps.take(np.array([4, 0])), np.stack([expected[4], expected[0]]))  # type: ignore[list-item]
    assert np.array_equal(maps.take(np.array([2, 3])), np.stack([expected[2], expected[3]]))  # type: ignore[list-item]
    assert maps.channels() == 6
    assert [(grid, rows.tolist()) for grid, rows in by_grid(maps.grid_K2, np.array([4, 3, 2, 0]))] == [
        ((2, 5), [3, 2]),
        ((3, 4), [4, 0]),
    ]


def test_maps_in_use_are_not_overwritten() -> None:
    maps, expected = table()
    first = maps.take(np.array([0, 4]))
    second = torch.from_numpy(maps.take(np.array([4, 0])))
    assert np.array_equal(first, np.stack([expected[0], expected[4]]))  # type: ignore[list-item]
    del first
    maps.take(np.array([0, 4]))
    assert np.array_equal(second.numpy(), np.stack([expected[4], expected[0]]))  # type: ignore[list-item]


@pytest.mark.parametrize(
    "cut",
    [
        lambda maps: maps[1:],
        lambda maps: maps[1:].reshape(-1)[5:].reshape(-1, 1),
        lambda maps: torch.from_numpy(maps)[1:, :2],
        lambda maps: torch.from_numpy(maps[1:]).flatten()[3:],
    ],
    ids=["slice", "view of a view", "slice of a tensor", "tensor of a slice"],
)
def test_whatever_is_cut_from_maps_keeps_their_memory(cut: Callable[[np.ndarray], Any]) -> None:
    """All that is left of the first maps is the cut; its numbers survive until it is dropped as well."""
    maps, _ = table()
    part = cut(maps.take(np.array([0, 4])))
    before = part.tolist()
    place = maps.take(np.array([4, 0])).ctypes.data
    assert part.tolist() == before
    del part
    assert maps.take(np.array([0, 4])).ctypes.data == place


def test_dropped_maps_leave_their_memory_to_the_next() -> None:
    maps, _ = table()
    place = maps.take(np.array([0, 4])).ctypes.data
    assert maps.take(np.array([4, 0])).ctypes.data == place


def test_extent_is_width_then_height_in_cells() -> None:
    source = Maps(draw_maps(np.random.default_rng(0), [(6, 9), (6, 9)]))
    assert MapTable([source]).extent(np.array([0, 1])) is None
    source.size = np.array([(88, 131), (96, 144)], np.int32)
    extent = MapTable([source]).extent(np.array([1, 0]))
    assert extent is not None
    assert extent.tolist() == [[9, 6], [131 / 16, 5.5]]


class Counting(Maps):
    """Counts how often each map is read."""

    def __init__(self, maps: list[np.ndarray | None]) -> None:
        super().__init__(maps)
        self.reads: list[int] = []

    def fill(self, owners: np.ndarray, out: np.ndarray) -> None:
        self.reads += owners.tolist()
        super().fill(owners, out)


def test_windows_that_overlap_read_each_archived_map_once() -> None:
    source = Counting(draw_maps(np.random.default_rng(0), [(3, 7)] * 12, 2))
    archive = Archive(np.zeros(6, np.int64), np.arange(6) * 1000, np.arange(7) * 2, np.ones(12, np.float32))
    memory = BankMemory(archive, MapTable([source]), 2.0)
    chosen = choose_slots(archive, 2, score_order(archive))
    bank = memory.read(chosen, np.zeros(4, np.int64), np.arange(4) * 1000, LiveView((8, 16), False), CPU)
    assert int(bank.mask_BL.sum()) == 2 * (3 + 4 + 5 + 5)
    assert source.reads == list(range(12))


def test_no_maps_at_all() -> None:
    maps = MapTable([])
    assert maps.channels() is None
    assert not maps.hold(np.zeros(0, np.int64))


@pytest.mark.parametrize("grid", [(3, 3), (4, 6), (8, 16), (16, 22), (9, 29)])
def test_relation_grid_is_the_encoders(grid: tuple[int, int]) -> None:
    encoder = FirstOrderEncoder(2, 2)
    out = encoder(torch.zeros(1, 2, *grid), torch.zeros(1, 2), torch.zeros(1, dtype=torch.int64))
    assert tuple(out.shape[2:]) == relation_grid(grid)


def test_archived_maps_are_fitted_to_the_live_view() -> None:
    rng = np.random.default_rng(0)
    stored = draw_maps(rng, [(3, 7), (3, 7), (3, 6), (3, 7)], 2)
    archive = Archive(np.zeros(2, np.int64), np.array([0, 1000]), np.array([0, 2, 4]), np.ones(4, np.float32))
    memory = BankMemory(archive, MapTable([Maps(stored)]), 5.0)
    chosen = choose_slots(archive, 2, score_order(archive))
    video, time = np.array([0, 0]), np.array([0, 1000])
    bank = memory.read(chosen, video, time, LiveView((8, 16), True), CPU)
    assert bank.archive.shape == (4, 2, 3, 7)
    for row in (0, 1, 3):
        assert torch.equal(bank.archive[row], torch.from_numpy(stored[row][:, :, ::-1].copy()))  # type: ignore[index]
    assert bank.window_BL[bank.mask_BL].tolist() == [0, 1, 2, 3] * 2
    larger = memory.read(chosen, video[:1], time[:1], LiveView((10, 19), False), CPU)
    assert larger.archive.shape == (4, 2, 4, 9)
    nobody = memory.read(chosen, np.array([7]), time[:1], LiveView((8, 16), False), CPU)
    assert nobody.archive.shape == (0, 2, 3, 7)
    assert not nobody.mask_BL.any()

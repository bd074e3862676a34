"""Running a trained head over cached maps: batches of one grid, keys and values of archived maps computed once.

Shapes: K keyframes, N boxes over all of them, B keyframes of a batch, A classes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from stages.lib.geometry.boxes import flip_boxes
from stages.lib.halving import Batches
from stages.lib.models.heads import AcarAcfbHead, Head
from stages.lib.models.inputs import BankInput, HeadInput, RelationKeys
from stages.lib.models.mapstore import MapTable, by_grid
from stages.lib.models.memory import BankMemory, LiveView
from stages.lib.models.moving import MovingKeys
from stages.lib.models.runtime import optional_to_device, to_device
from stages.lib.models.slots import choose_slots, score_order

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]

BankReader = Callable[[Ints, Ints], BankInput | None]

BATCH: Final = 16


@dataclass(frozen=True)
class Queries:
    """Keyframes sorted by (video, time) and their boxes: xyxy in [0,1] of the unflipped frame, ragged by `row_splits`.

    owner_K: rows of the map table; video_K, time_K: video number and milliseconds, as in the bank.
    """

    owner_K: Ints
    video_K: Ints
    time_K: Ints
    row_splits: Ints
    boxes_N4: Floats

    def rows(self, keyframes: Ints) -> tuple[Ints, Ints]:
        """Rows of the boxes of some keyframes, and for each the place of its keyframe among them."""
        counts = self.row_splits[keyframes + 1] - self.row_splits[keyframes]
        place = np.repeat(np.arange(len(keyframes)), counts)
        inside = np.arange(len(place)) - np.repeat(np.cumsum(counts) - counts, counts)
        return self.row_splits[keyframes][place] + inside, place


@dataclass(frozen=True)
class Reader:
    """A head in evaluation mode, the maps it reads in one view, its bank, and how many keyframes it sees at once."""

    head: Head
    maps: MapTable
    device: torch.device
    memory: BankMemory | None = None
    slots: int = 5
    flipped: bool = False
    batches: Batches = field(default_factory=lambda: Batches(BATCH))

    @torch.inference_mode()
    def logits(
        self, queries: Queries, classes: int, on_keyframes: Callable[[int], object] | None = None
    ) -> Floats:
        """Logits (N,A) of all boxes; the slots of the bank are the best scored.

        `on_keyframes` is called with the number of keyframes of each batch.
        """
        self.head.eval()
        logits_NA = np.zeros((len(queries.boxes_N4), classes), np.float32)
        filled = np.flatnonzero(np.diff(queries.row_splits) > 0)
        for grid, group in by_grid(self.maps.grid_K2[queries.owner_K], filled):
            read_bank = self._bank_reader(grid)

            def classify(items: slice, group: Ints = group, read_bank: BankReader = read_bank) -> int:
                part = group[items]
                rows, place = queries.rows(part)
                inputs = HeadInput(
                    to_device(torch.from_numpy(self.maps.take(queries.owner_K[part])), self.device),
                    to_device(torch.from_numpy(self._seen(queries.boxes_N4[rows])), self.device),
                    to_device(torch.from_numpy(place), self.device),
                    read_bank(queries.video_K[part], queries.time_K[part]),
                    optional_to_device(self.maps.extent(queries.owner_K[part]), self.device),
                )
                logits_NA[rows] = self.head(inputs).float().cpu().numpy()
                return len(part)

            for count in self.batches.of(len(group), classify):
                if on_keyframes is not None:
                    on_keyframes(count)
        return logits_NA

    def _seen(self, boxes_N4: Floats) -> Floats:
        return np.ascontiguousarray(flip_boxes(boxes_N4) if self.flipped else boxes_N4, np.float32)

    def _bank_reader(self, grid: tuple[int, int]) -> BankReader:
        """From videos and times of keyframes, in ascending order, to what they read of the bank; None without one."""
        memory, head, view = self.memory, self.head, LiveView(grid, self.flipped)
        if memory is None:
            return lambda _video_B, _time_B: None
        chosen_MP = choose_slots(memory.archive, self.slots, score_order(memory.archive))
        if not isinstance(head, AcarAcfbHead):
            return lambda video_B, time_B: memory.read(chosen_MP, video_B, time_B, view, self.device)

        def compute(rows_S: Ints) -> RelationKeys:
            return head.precompute_kv(memory.look_up(rows_S, view, self.device))

        keys = MovingKeys(compute)
        return lambda video_B, time_B: memory.read_keys(chosen_MP, video_B, time_B, keys, self.device)

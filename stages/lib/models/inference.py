"""Running a trained head over cached maps: batches of one grid, archived keys and values computed once per video.

Shapes: K keyframes, N boxes over all of them, B keyframes of a batch, A classes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from stages.lib.geometry.boxes import flip_boxes
from stages.lib.models.heads import AcarAcfbHead, Head
from stages.lib.models.inputs import BankInput, HeadInput
from stages.lib.models.mapstore import MapTable
from stages.lib.models.memory import BankMemory, LiveView
from stages.lib.models.runtime import optional_to_device, to_device
from stages.lib.models.slots import choose_slots, score_order

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]

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
    """A head in evaluation mode, the maps it reads in one view, and its bank."""

    head: Head
    maps: MapTable
    device: torch.device
    memory: BankMemory | None = None
    slots: int = 5
    flipped: bool = False

    @torch.inference_mode()
    def logits(
        self, queries: Queries, classes: int, on_keyframes: Callable[[int], object] | None = None
    ) -> Floats:
        """Logits (N,A) of all boxes; the slots of the bank are the best scored.

        `on_keyframes` is called with the number of keyframes of each batch.
        """
        self.head.eval()
        logits_NA = np.zeros((len(queries.boxes_N4), classes), np.float32)
        chosen = None
        if self.memory is not None:
            chosen = choose_slots(self.memory.archive, self.slots, score_order(self.memory.archive))
        for group in self._groups(queries):
            bank = self._bank(queries, group, chosen)
            for first in range(0, len(group), BATCH):
                part = np.arange(first, min(first + BATCH, len(group)))
                rows, place = queries.rows(group[part])
                inputs = HeadInput(
                    to_device(torch.from_numpy(self.maps.take(queries.owner_K[group[part]])), self.device),
                    to_device(torch.from_numpy(self._seen(queries.boxes_N4[rows])), self.device),
                    to_device(torch.from_numpy(place), self.device),
                    None if bank is None else _part(bank, part),
                    optional_to_device(self.maps.extent(queries.owner_K[group[part]]), self.device),
                )
                logits_NA[rows] = self.head(inputs).float().cpu().numpy()
                if on_keyframes is not None:
                    on_keyframes(len(part))
        return logits_NA

    def _seen(self, boxes_N4: Floats) -> Floats:
        return np.ascontiguousarray(flip_boxes(boxes_N4) if self.flipped else boxes_N4, np.float32)

    def _groups(self, queries: Queries) -> Iterator[Ints]:
        """Keyframes with boxes, grid by grid: whole videos, as many as fill a batch."""
        filled = np.flatnonzero(np.diff(queries.row_splits) > 0)
        grid_K2 = self.maps.grid_K2[queries.owner_K]
        for grid in sorted({(int(height), int(width)) for height, width in grid_K2[filled]}):
            rows = filled[(grid_K2[filled] == grid).all(axis=1)]
            cuts = np.flatnonzero(np.diff(queries.video_K[rows])) + 1
            group: list[Ints] = []
            for video in np.split(rows, cuts):
                group.append(video)
                if sum(map(len, group)) >= BATCH:
                    yield np.concatenate(group)
                    group = []
            if group:
                yield np.concatenate(group)

    def _bank(self, queries: Queries, group: Ints, chosen_MP: Ints | None) -> BankInput | None:
        if self.memory is None or chosen_MP is None:
            return None
        height, width = self.maps.grid_K2[queries.owner_K[group[0]]]
        view = LiveView((int(height), int(width)), self.flipped)
        bank = self.memory.read(chosen_MP, queries.video_K[group], queries.time_K[group], view, self.device)
        if not isinstance(self.head, AcarAcfbHead):
            return bank
        return replace(bank, keys=self.head.precompute_kv(bank.archive))


def _part(bank: BankInput, rows: Ints) -> BankInput:
    chosen = torch.from_numpy(rows).to(bank.window_BL.device)
    return replace(bank, window_BL=bank.window_BL[chosen], mask_BL=bank.mask_BL[chosen])

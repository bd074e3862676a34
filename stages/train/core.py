"""Training one relation head on cached context maps with the short schedule.

Shapes: K keyframes, N boxes over all of them, B keyframes of one forward pass, A classes, C channels.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from stages.lib.artifacts.tables import Groups
from stages.lib.config.heads import HeadConfig, RecipeConfig
from stages.lib.errors import StageError
from stages.lib.models.augment import jitter_boxes
from stages.lib.models.heads import Head
from stages.lib.models.inputs import BankInput, HeadInput
from stages.lib.models.losses import action_loss
from stages.lib.models.mapstore import MapTable, by_grid
from stages.lib.models.memory import BankMemory, LiveView
from stages.lib.models.runtime import optional_to_device, to_device
from stages.lib.models.schedule import make_optimiser, set_learning_rate, short_schedule
from stages.lib.models.slots import Words, choose_slots, random_order
from stages.lib.progress import track
from stages.train.batches import DROPOUT, JITTER, Mixture, epoch_batches, keyed_rng, steps_per_epoch
from stages.train.samples import Samples

Ints = NDArray[np.int64]

RECORDS_PER_EPOCH = 5
SCALE_SAMPLE = 256

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Bank:
    """The bank of a head that has one, and the words of its videos that key the random slots."""

    memory: BankMemory
    words: Words
    slots: int


@dataclass(frozen=True)
class Record:
    """Means over about a fifth of an epoch, which ends at `epoch`."""

    epoch: float
    loss: float
    lr: float


@dataclass(frozen=True)
class Task:
    """What a head is trained on: samples, the map table their owners point into, the bank.

    `exclusive` are the groups of classes that share a softmax. Without a mixture of data sets an epoch is every keyframe once.
    """

    samples: Samples
    maps: MapTable
    bank: Bank | None
    exclusive: Groups
    device: torch.device
    mixture: Mixture | None = None

    def epoch_length(self, seed: int) -> int:
        """Keyframes of one epoch."""
        return len(self.samples) if self.mixture is None else len(self.mixture.rows(seed, 0))

    def hold(self, others: Samples) -> None:
        """Read the maps of all samples, of `others` too, and of the bank into memory where they fit."""
        self.maps.hold(np.union1d(self.samples.owner_K, others.owner_K))
        if self.bank is not None and isinstance(self.bank.memory.items, MapTable):
            self.bank.memory.items.hold(np.arange(len(self.bank.memory.items)))


def input_scale(maps: MapTable, owners: Ints) -> float:
    """One over the standard deviation of the maps of at most 256 evenly spread keyframes; 1 for constant maps."""
    chosen = owners[:: max(1, -(-len(owners) // SCALE_SAMPLE))]
    count, total, squares = 0, 0.0, 0.0
    for owner in chosen:
        values = maps.take(np.array([owner])).astype(np.float64)
        count, total, squares = count + values.size, total + values.sum(), squares + np.square(values).sum()
    variance = squares / max(count, 1) - (total / max(count, 1)) ** 2
    return float(np.float32(variance**-0.5)) if variance > 1e-12 else 1.0


def train_head(head: Head, task: Task, config: HeadConfig, seed: int) -> list[Record]:
    """Train `head` in place; equal arguments, threads and library versions give equal weights.

    Raises:
        StageError: the loss is no longer finite.
    """
    recipe = config.recipe
    assert len(task.samples) > 0
    per_epoch = steps_per_epoch(task.epoch_length(seed), recipe.batch)
    total = max(1, round(recipe.epochs * per_epoch))
    head.to(task.device).train()
    optimiser = make_optimiser(
        head.parameters(), recipe.optimiser, lr=recipe.lr, weight_decay=recipe.weight_decay
    )
    torch.manual_seed(int(keyed_rng(seed, DROPOUT).integers(1 << 62)))
    losses, records, rate = [], [], 0.0
    steps = _steps(task, recipe, seed, per_epoch, total)
    for step, (rows, epoch, chosen) in enumerate(track(steps, total, f"train {config.kind}")):
        rate = short_schedule(
            step,
            steps_per_epoch=per_epoch,
            lr=recipe.lr,
            warmup_lr=recipe.warmup_lr,
            warmup_epochs=recipe.warmup_epochs,
            milestones=recipe.milestones,
        )
        set_learning_rate(optimiser, rate)
        optimiser.zero_grad(set_to_none=True)
        losses.append(_backward(head, task, recipe, rows, keyed_rng(seed, JITTER, epoch, step), chosen))
        _check(losses[-1], step, task.samples, rows)
        if recipe.clip_norm is not None:
            nn.utils.clip_grad_norm_(head.parameters(), recipe.clip_norm)
        optimiser.step()
        if _ends_record(step, per_epoch) or step == total - 1:
            records.append(Record((step + 1) / per_epoch, float(np.mean(losses)), rate))
            losses = []
    return records


def _steps(
    task: Task, recipe: RecipeConfig, seed: int, per_epoch: int, total: int
) -> Iterator[tuple[Ints, int, Ints | None]]:
    """Per step: rows of its keyframes, its epoch, and the slots drawn for that epoch."""
    grid_K2 = task.maps.grid_K2[task.samples.owner_K]
    runs = "single" if task.bank is None else "video"
    for epoch in range(-(-total // per_epoch)):
        chosen = draw_slots(task.bank, seed, epoch)
        batches = epoch_batches(
            grid_K2,
            task.samples.video_K,
            batch=recipe.batch,
            seed=seed,
            epoch=epoch,
            runs=runs,
            mixture=task.mixture,
        )
        for step, rows in enumerate(batches, start=epoch * per_epoch):
            if step < total:
                yield rows, epoch, chosen


def draw_slots(bank: Bank | None, seed: int, epoch: int) -> Ints | None:
    """The archived actors of every second that this epoch may read: random, at most `slots` per second."""
    if bank is None:
        return None
    archive = bank.memory.archive
    return choose_slots(archive, bank.slots, random_order(archive, bank.words, seed, epoch))


def _backward(
    head: Head, task: Task, recipe: RecipeConfig, rows: Ints, rng: np.random.Generator, chosen: Ints | None
) -> float:
    """Gradients of the mean loss over all boxes of the step, one forward pass per grid; returns that loss."""
    samples = task.samples
    counts = samples.row_splits[rows + 1] - samples.row_splits[rows]
    total, loss = int(counts.sum()), 0.0
    for grid, group in by_grid(task.maps.grid_K2[samples.owner_K], rows):
        inputs, targets = make_inputs(task, group, grid, rng, recipe.jitter, chosen)
        part = action_loss(head(inputs), targets, task.exclusive) * (len(targets) / total)
        torch.autograd.backward(part)
        loss += float(part.detach())
    return loss


def make_inputs(
    task: Task,
    rows: Ints,
    grid: tuple[int, int],
    rng: np.random.Generator,
    jitter: float,
    chosen: Ints | None,
) -> tuple[HeadInput, Tensor]:
    """Inputs and targets (N,A) of keyframes of one grid, their boxes jittered."""
    samples, device = task.samples, task.device
    flat = np.concatenate([np.arange(samples.row_splits[row], samples.row_splits[row + 1]) for row in rows])
    image = np.repeat(np.arange(len(rows)), samples.row_splits[rows + 1] - samples.row_splits[rows])
    boxes = jitter_boxes(samples.boxes_N4[flat], rng, jitter)
    inputs = HeadInput(
        to_device(torch.from_numpy(task.maps.take(samples.owner_K[rows])), device),
        to_device(torch.from_numpy(boxes), device),
        to_device(torch.from_numpy(image), device),
        _bank_input(task, rows, grid, chosen),
        optional_to_device(task.maps.extent(samples.owner_K[rows]), device),
    )
    return inputs, to_device(torch.from_numpy(samples.labels_NA[flat]).float(), device)


def _bank_input(task: Task, rows: Ints, grid: tuple[int, int], chosen: Ints | None) -> BankInput | None:
    if task.bank is None or chosen is None:
        return None
    view = LiveView(grid, flipped=False)
    return task.bank.memory.read(
        chosen, task.samples.video_K[rows], task.samples.time_K[rows], view, task.device
    )


def _ends_record(step: int, per_epoch: int) -> bool:
    return (step + 1) * RECORDS_PER_EPOCH // per_epoch > step * RECORDS_PER_EPOCH // per_epoch


def _check(loss: float, step: int, samples: Samples, rows: Sequence[int] | Ints) -> None:
    if not np.isfinite(loss):
        places = ", ".join(
            f"video {samples.video_K[row]} at {samples.time_K[row] / 1000:g} s" for row in rows[:3]
        )
        raise StageError(
            f"the loss is {loss} at step {step} ({places}, ...)", "recipe.lr", "lower it, or set clip_norm"
        )

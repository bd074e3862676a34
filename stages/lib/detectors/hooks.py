"""Hooks of the fine-tuning: checkpoints that load safely, randomness per step, history and the best weights."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from typing import Any

import torch
from mmengine.hooks import Hook
from torch import Tensor, nn

from stages.lib.detectors.checkpoint import export_state
from stages.lib.errors import StageError

LOG = logging.getLogger(__name__)
PLAIN = (int, float, str)


class PlainMessages(Hook):  # type: ignore[misc]  # mmengine is untyped
    """Reduces mmengine's message hub to plain values in checkpoints; its history buffers could not be read safely."""

    priority = "LOWEST"

    def before_save_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        info = checkpoint["message_hub"]["runtime_info"]
        plain = {key: value for key, value in info.items() if type(value) in PLAIN}
        resumed = dict.fromkeys(plain, True)
        checkpoint["message_hub"] = {"log_scalars": {}, "runtime_info": plain, "resumed_keys": resumed}


class SeedEachStep(Hook):  # type: ignore[misc]  # mmengine is untyped
    """Makes torch's randomness a function of (seed, step), so that a resumed training is the uninterrupted one."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        torch.manual_seed((self.seed + 1) * 1_000_003 + batch_idx)


class Course(Hook):  # type: ignore[misc]  # mmengine is untyped
    """Records loss and rate of each step, validates at intervals, and keeps the best weights.

    Without `validate` the last weights count as the best. Everything survives in checkpoints.

    Args:
        every: steps between two validations; the last step always ends with one.
        validate: AP@50 in [0, 1] of a model.
        on_step: called with the number of steps done.
    """

    def __init__(
        self,
        every: int,
        validate: Callable[[nn.Module], float] | None,
        on_step: Callable[[int], None] | None = None,
    ) -> None:
        self.every, self.validate, self.on_step = every, validate, on_step
        self.steps: list[dict[str, float]] = []
        self.validations: list[dict[str, float]] = []
        self.best: dict[str, Tensor] = {}

    def after_train_iter(
        self,
        runner: Any,
        batch_idx: int,
        data_batch: Any = None,
        outputs: dict[str, Tensor] | None = None,
    ) -> None:
        assert outputs is not None
        loss, done = float(outputs["loss"].detach()), batch_idx + 1
        if not math.isfinite(loss):
            raise StageError(
                f"the loss of step {done} is {loss}",
                where="detector training",
                fix="lower train.lr or lengthen train.warmup",
            )
        rate = float(runner.optim_wrapper.get_lr()["lr"][0])
        self.steps.append({"iteration": done, "loss": loss, "lr": rate})
        if done % self.every == 0 or done == runner.max_iters:
            self._judge(runner.model, done)
        if self.on_step is not None:
            self.on_step(done)

    def before_save_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        checkpoint["course"] = {"steps": self.steps, "validations": self.validations, "best": self.best}

    def after_load_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        course = checkpoint["course"]
        self.steps, self.validations, self.best = course["steps"], course["validations"], course["best"]

    def _judge(self, model: nn.Module, done: int) -> None:
        """Validate, and keep the weights when they are at least as good as the best so far."""
        if self.validate is None:
            self.best = export_state(model)
            return
        model.eval()
        value = self.validate(model)
        model.train()
        if value >= max((entry["ap50"] for entry in self.validations), default=0.0):
            self.best = export_state(model)
        self.validations.append({"iteration": done, "ap50": value})
        LOG.info("step %d: validation AP@50 %.3f", done, value)

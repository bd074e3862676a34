"""Fine-tuning on mmengine's runner: quiet, on a given device, resumed from its own safe checkpoints.

Shapes: H x W image, C channels, N boxes.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from mmengine.logging import MMLogger
from mmengine.runner import Runner
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from stages.lib.config.detectors import DetectorTrainConfig
from stages.lib.detectors.checkpoint import load_safely
from stages.lib.detectors.hooks import Course, PlainMessages, SeedEachStep
from stages.lib.detectors.quiet import quiet_logger
from stages.lib.detectors.samples import make_sample, stack
from stages.lib.errors import StageError

LOG = logging.getLogger(__name__)
Draw = Callable[[int], tuple[np.ndarray, np.ndarray]]
"""Position in the training order -> (RGB uint8 image (H, W, 3), person boxes (N, 4) xyxy in its pixels)."""

_RUNS = itertools.count()


@dataclass(frozen=True)
class FineTuned:
    """Best weights (CPU), per-step records (iteration, loss, lr) and validations (iteration, ap50)."""

    state: dict[str, Tensor]
    steps: list[dict[str, float]]
    validations: list[dict[str, float]]


def fine_tune(
    model: nn.Module,
    draw: Draw,
    cfg: DetectorTrainConfig,
    *,
    steps: int,
    validate: Callable[[nn.Module], float] | None,
    validate_every: int,
    checkpoint_every: int,
    device: str,
    workdir: Path,
    on_step: Callable[[int], None] | None = None,
) -> FineTuned:
    """Train `model` for `steps` steps on `draw(position)`, position = step * batch + i, resuming what `workdir` holds.

    `draw` has to be a function of its argument alone: order, augmentation and resumption then are reproducible.
    """
    course = Course(validate_every, validate, on_step)
    runner = _QuietRunner(
        target=device,
        model=model,
        work_dir=str(workdir),
        train_dataloader=_loader(draw, steps, cfg.batch),
        train_cfg={"by_epoch": False, "max_iters": steps},
        optim_wrapper=_optimizer(cfg),
        param_scheduler=_schedule(cfg, steps),
        default_hooks={"timer": None, "logger": None, "checkpoint": _checkpoints(checkpoint_every)},
        custom_hooks=[SeedEachStep(cfg.seed), course, PlainMessages()],
        load_from=latest_checkpoint(workdir),
        resume=latest_checkpoint(workdir) is not None,
        env_cfg={},
        randomness={"seed": cfg.seed},
        experiment_name=f"detector-{next(_RUNS)}",
        default_scope="mmdet",
    )
    runner.train()
    return FineTuned(course.best, course.steps, course.validations)


def latest_checkpoint(workdir: Path) -> str | None:
    """The newest checkpoint in `workdir` that can be read; a half-written one is passed over with a warning."""
    found = sorted(
        workdir.glob("iter_*.pth"), key=lambda path: int(path.stem.removeprefix("iter_")), reverse=True
    )
    for path in found:
        try:
            load_safely(path)
        except StageError as error:
            LOG.warning("not resumed from: %s", error)
            continue
        return str(path)
    return None


class _QuietRunner(Runner):  # type: ignore[misc]  # mmengine is untyped
    """mmengine's runner without output of its own, on `target`, reading checkpoints with `weights_only`."""

    def __init__(self, *, target: str, **parts: Any) -> None:
        self._target = target
        super().__init__(**parts)

    def build_logger(self, *_args: object, **_kwargs: object) -> MMLogger:
        return quiet_logger(self._experiment_name)

    def _log_env(self, env_cfg: dict[str, Any]) -> None:
        """Versions and devices stand in the stage's own first log line."""

    def wrap_model(self, model_wrapper_cfg: object, model: nn.Module) -> nn.Module:
        return model.to(self._target)

    def load_checkpoint(self, filename: str, *_args: object, **_kwargs: object) -> dict[str, Any]:
        checkpoint = load_safely(Path(filename))
        self.call_hook("after_load_checkpoint", checkpoint=checkpoint)
        self.model.load_state_dict(checkpoint["state_dict"])
        self._has_loaded = True
        return checkpoint


class _Drawn(Dataset[dict[str, Any]]):
    """The training order as a data set: item `position` is what `draw` makes of it."""

    metainfo: ClassVar[dict[str, Any]] = {"classes": ("person",)}

    def __init__(self, draw: Draw, length: int) -> None:
        self.draw, self.length = draw, length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, position: int) -> dict[str, Any]:
        return make_sample(*self.draw(position))


def _loader(draw: Draw, steps: int, batch: int) -> DataLoader[dict[str, Any]]:
    return DataLoader(
        _Drawn(draw, steps * batch), batch_size=batch, shuffle=False, num_workers=0, collate_fn=stack
    )


def _optimizer(cfg: DetectorTrainConfig) -> dict[str, Any]:
    kind: dict[str, Any] = {"type": "SGD", "momentum": 0.9} if cfg.optimizer == "sgd" else {"type": "AdamW"}
    optimizer = {**kind, "lr": cfg.lr, "weight_decay": cfg.weight_decay}
    return {"type": "OptimWrapper", "optimizer": optimizer, "clip_grad": {"max_norm": cfg.gradient_clip}}


def _schedule(cfg: DetectorTrainConfig, steps: int) -> list[dict[str, Any]]:
    """Linear warm-up from 1/32, then a tenth of the rate after each milestone, or half a cosine down to nothing."""
    warmup = round(cfg.warmup * steps)
    ramp = {"type": "LinearLR", "start_factor": 1 / 32, "by_epoch": False, "begin": 0, "end": warmup}
    fall: dict[str, Any]
    if cfg.decay == "cosine":
        fall = {"type": "CosineAnnealingLR", "by_epoch": False, "eta_min": 0.0, "begin": warmup, "end": steps}
    else:
        marks = sorted({max(1, round(share * steps)) for share in cfg.milestones})
        fall = {"type": "MultiStepLR", "by_epoch": False, "milestones": marks, "gamma": 0.1}
    return [ramp, fall] if warmup > 1 else [fall]


def _checkpoints(every: int) -> dict[str, Any]:
    return {
        "type": "CheckpointHook",
        "interval": every,
        "by_epoch": False,
        "max_keep_ckpts": 2,
        "save_last": False,
    }

"""`detectors`: architecture, image sizes, thresholds and fine-tuning of the person detectors."""

from __future__ import annotations

import math
from typing import Literal, Self

from pydantic import Field, model_validator

from stages.lib.config.base import Section
from stages.lib.config.types import Fraction, Key


class DetectorTrainConfig(Section):
    """Fine-tuning on the unique ground-truth boxes of one data set's labelled keyframes."""

    epochs: float | None = Field(
        default=4.0, gt=0, description="passes over the keyframes; null when iterations is given"
    )
    iterations: int | None = Field(default=None, ge=1, description="steps, instead of epochs")
    batch: int = Field(default=8, ge=1, description="keyframes per step")
    optimizer: Literal["sgd", "adamw"] = Field(default="sgd", description="optimiser; sgd has momentum 0.9")
    lr: float = Field(default=0.005, gt=0, description="learning rate after the warm-up")
    weight_decay: float = Field(default=1e-4, ge=0, description="weight decay")
    warmup: Fraction = Field(default=0.1, description="share of the steps spent on linear warm-up")
    decay: Literal["steps", "cosine"] = Field(
        default="steps",
        description="how lr falls after the warm-up: tenfold at the milestones, or as half a cosine",
    )
    milestones: tuple[Fraction, ...] = Field(
        default=(0.5, 0.75),
        description="shares of the steps at which lr falls tenfold; only for decay: steps",
    )
    gradient_clip: float = Field(default=35.0, gt=0, description="largest norm of the gradient")
    short_sides: tuple[int, ...] = Field(
        default=(), description="shorter sides drawn from at random; empty: short_side"
    )
    flip: Fraction = Field(default=0.5, description="probability of a horizontal flip")
    seed: int = Field(default=0, ge=0, description="seed of initialisation, order and augmentation")

    @model_validator(mode="after")
    def _check_length(self) -> Self:
        if (self.epochs is None) == (self.iterations is None):
            raise ValueError("give either epochs or iterations; set the other to null")
        if list(self.milestones) != sorted(set(self.milestones)):
            raise ValueError("milestones have to rise")
        if any(side < 32 for side in self.short_sides):
            raise ValueError("short_sides below 32 pixels")
        return self

    def steps_per_epoch(self, keyframes: int) -> int:
        """Steps in one pass over `keyframes` keyframes."""
        return math.ceil(keyframes / self.batch)

    def steps(self, keyframes: int) -> int:
        """Steps of the whole training on `keyframes` keyframes."""
        if self.iterations is not None:
            return self.iterations
        assert self.epochs is not None
        return max(1, round(self.epochs * self.steps_per_epoch(keyframes)))


class DetectorConfig(Section):
    """One person detector: architecture, and either given weights or a data set to be fine-tuned on."""

    architecture: Literal["playground", "frcnn-r50-fpn"] = Field(description="row of the architecture table")
    weights: str | None = Field(
        default=None, description="given weights (safetensors or mmdet .pth); then never trained"
    )
    dataset: Key | None = Field(default=None, description="data set this detector is fine-tuned on")
    init: Key | None = Field(default=None, description="detector whose weights the fine-tuning starts from")
    short_side: int = Field(default=800, ge=32, description="shorter side of the network's input in pixels")
    max_long_side: int = Field(
        default=1333, ge=32, description="longest side of the network's input in pixels"
    )
    batch: int = Field(default=8, ge=1, description="keyframes per forward pass in detection")
    min_score: Fraction = Field(default=0.05, description="boxes below this score are dropped")
    max_per_image: int = Field(default=100, ge=1, description="boxes kept per keyframe")
    nms: Fraction = Field(default=0.5, description="IoU above which the weaker of two boxes is dropped")
    train: DetectorTrainConfig = Field(default=DetectorTrainConfig(), description="fine-tuning")

    @model_validator(mode="after")
    def _check_origin(self) -> Self:
        if (self.weights is None) == (self.dataset is None):
            raise ValueError("give either weights or dataset (to be fine-tuned on), not both and not neither")
        if self.init is not None and self.dataset is None:
            raise ValueError("init has no meaning beside given weights")
        if self.max_long_side < self.short_side:
            raise ValueError("max_long_side is below short_side")
        return self

    def inference_only(self) -> DetectorConfig:
        """The detector without its recipe, so that a change of the recipe acts only through the weights."""
        plain = {"weights": "given", "dataset": None, "init": None, "train": DetectorTrainConfig()}
        return self.model_copy(update=plain)

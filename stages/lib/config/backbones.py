"""`backbones`: architecture, clip sampling and origin of the SlowFast networks; `extract`: the map cache."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from stages.lib.config.base import Section
from stages.lib.config.finetune import FinetuneConfig
from stages.lib.config.types import Fraction, Key, ViewName

Architecture = Literal[
    "r50",
    "r101",
    "r101-bn",
    "r101-50-50",
    "r101-50-50-pool122",
    "r101-50-50-plain",
    "r101-50-101",
    "r152",
    "playground",
]

EngineName = Literal["torch", "openvino"]
Precision = Literal["fp32", "bf16", "fp16"]


class SamplingConfig(Section):
    """A clip around a keyframe: `fast_frames` frames of the fast pathway, `stride` frames of the constant rate apart."""

    fast_frames: int = Field(
        default=32, ge=2, description="frames of the fast pathway (32 for 8x8, 64 for 16x8)"
    )
    stride: int = Field(default=2, ge=1, description="distance of two fast frames, in frames of decode.rate")
    slow_rule: Literal["stride", "full-span"] = Field(
        default="stride",
        description="which fast frames the slow pathway sees: every alpha-th, or spread over the full span",
    )


class PretrainConfig(Section):
    """Clip classification that makes the backbone's weights."""

    dataset: Key = Field(description="data set whose clip-level classes are learned")
    epochs: float = Field(default=6, gt=0, description="passes over the clips")
    clips_per_video: int = Field(
        default=1, ge=1, description="random clips drawn from each video in one epoch"
    )
    batch: int = Field(default=16, ge=1, description="clips per step")
    optimiser: Literal["sgd", "adamw"] = Field(
        default="sgd", description="SGD with Nesterov momentum 0.9, or AdamW"
    )
    lr: float = Field(default=0.1, gt=0, description="peak learning rate of the half-cosine schedule")
    warmup: Fraction = Field(default=0.05, description="share of the steps spent on linear warm-up")
    weight_decay: float = Field(
        default=1e-4, ge=0, description="weight decay of weights (none on biases and batch norms)"
    )
    dropout: Fraction = Field(default=0.5, description="dropout before the classifier")
    label_smoothing: Fraction = Field(default=0.0, description="label smoothing of the cross-entropy")
    short_side: tuple[int, int] = Field(
        default=(256, 320), description="range of the random shorter side in pixels"
    )
    crop: int = Field(default=224, ge=16, description="side of the random square crop in pixels")
    flip: bool = Field(
        default=True, description="random horizontal flip; off when classes tell left from right"
    )
    seed: int = Field(default=0, ge=0, description="seed of initialisation and sampling")


class BackboneConfig(Section):
    """One backbone: architecture, sampling, and where its weights come from: a file, pre-training or fine-tuning."""

    architecture: Architecture = Field(description="row of the architecture table")
    sampling: SamplingConfig = Field(default=SamplingConfig(), description="clip around a keyframe")
    mean: tuple[float, float, float] = Field(
        default=(0.45, 0.45, 0.45), description="RGB mean of frames scaled to [0, 1]"
    )
    std: tuple[float, float, float] = Field(
        default=(0.225, 0.225, 0.225), description="RGB deviation of frames scaled to [0, 1]"
    )
    weights: str | None = Field(
        default=None, description="given weights (safetensors); then nothing is pre-trained or fine-tuned"
    )
    pretrain: PretrainConfig | None = Field(default=None, description="recipe when no weights are given")
    finetune: FinetuneConfig | None = Field(
        default=None,
        description="training of backbone and head end to end; weights given beside it take its place "
        "(this version cannot train whole networks yet)",
    )

    @model_validator(mode="after")
    def _check_origin(self) -> Self:
        if self.pretrain is not None and self.finetune is not None:
            raise ValueError("give either pretrain or finetune, which starts from another backbone's weights")
        if self.finetune is None and (self.weights is None) == (self.pretrain is None):
            raise ValueError("give either weights or pretrain, not both and not neither (or finetune)")
        return self


class ExtractConfig(Section):
    """The cache of time-pooled context maps."""

    views: tuple[ViewName, ...] = Field(
        default=("s256", "s256-flip", "s288", "s288-flip", "s320", "s320-flip"),
        min_length=1,
        description="views of the test; the first is the canonical one that training and banks use",
    )
    batch: int = Field(default=4, ge=1, description="clips per forward pass")
    engine: EngineName = Field(
        default="torch",
        description="what runs the network; openvino: CPU alone, after `pip install openvino`",
    )
    precision: Precision = Field(
        default="fp32",
        description="numbers of the network; bf16 and fp16 are for CUDA, refused where they are slow or wrong",
    )
    keep_views: bool = Field(default=False, description="keep the maps of the other views after prediction")

    @model_validator(mode="after")
    def _check_engine(self) -> Self:
        if self.engine == "openvino" and self.precision != "fp32":
            raise ValueError(f"precision {self.precision} is for engine torch; openvino computes in fp32")
        return self

    @model_validator(mode="after")
    def _check_views(self) -> Self:
        if len(set(self.views)) != len(self.views):
            raise ValueError("views repeat")
        if self.views[0].endswith("-flip"):
            raise ValueError("the first view is the canonical one and is not flipped")
        return self

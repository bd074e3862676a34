"""`heads` and `banks`: relation heads, their training, and the long-term memories they read."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from stages.lib.config.base import Section
from stages.lib.config.splits import Part
from stages.lib.config.types import Fraction, Key, Ratio, Scores
from stages.lib.errors import StageError

HeadKind = Literal["linear", "acar", "linear-afb", "acar-afb", "acar-acfb"]
RoiScale = Literal["grid", "pixels"]


def score_of(dataset: str | None, scores: Scores, otherwise: float) -> float:
    """The score of a data set, `otherwise` where it has none of its own; a StageError where nobody says which it is."""
    if scores and dataset is None:
        raise StageError(
            f"{', '.join(scores)} has a score of its own, and nobody says of which data set this shard is",
            "command line",
            "add --dataset (train: --datasets)",
        )
    return scores.get(dataset, otherwise) if dataset else otherwise


class BankConfig(Section):
    """A long-term feature bank: AFB actor vectors or ACFB actor-context relation maps, per actor per second."""

    kind: Literal["afb", "acfb"] = Field(
        description="afb: pooled actor vectors; acfb: first-order relation maps"
    )
    backbone: Key = Field(description="backbone whose context maps are archived")
    head: Key | None = Field(
        default=None, description="trained ACAR head that makes the relation maps (acfb only)"
    )
    head_seed: int = Field(default=0, ge=0, description="seed of that head")
    min_score: Fraction = Field(default=0.9, description="detections below this score are not archived")
    min_scores: Scores = Field(default={}, description="data sets with a min_score of their own")
    roi_aligned: bool = Field(
        default=False,
        description="half-pixel shift of RoIAlign, as in the heads that read the bank (afb only)",
    )
    roi_scale: RoiScale = Field(
        default="grid",
        description="where RoIAlign finds a box, as in the heads that read the bank (afb only)",
    )

    @model_validator(mode="after")
    def _check_head(self) -> Self:
        if (self.kind == "acfb") != (self.head is not None):
            raise ValueError("an acfb bank names the head that makes its maps, an afb bank names none")
        if self.kind == "acfb" and (self.roi_aligned or self.roi_scale != "grid"):
            raise ValueError(
                "roi_aligned and roi_scale of an acfb bank are those of its head; leave them out"
            )
        return self


class MemoryConfig(Section):
    """How a head reads its bank."""

    bank: Key = Field(description="bank that is read")
    window: float = Field(
        default=10.0, ge=0, description="seconds before and after the keyframe (ACFB 10, AFB 30)"
    )
    slots: int = Field(
        default=5, ge=1, description="actors per second at most: random in training, best scored in testing"
    )
    mask_padding: bool = Field(
        default=True,
        description="empty slots of the window are left out (afb only); off: zero vectors that take part, as in LFB",
    )
    include_live: bool = Field(
        default=False,
        description="the keyframe's own actors are read beside the archive (acfb only); "
        "off: only where the window is empty",
    )


class RecipeConfig(Section):
    """The short schedule: linear warm-up per iteration, constant, step decay at fractional epochs."""

    optimiser: Literal["sgd", "adamw"] = Field(
        default="sgd", description="SGD with Nesterov momentum 0.9, or AdamW"
    )
    lr: float = Field(default=0.064, gt=0, description="learning rate after warm-up")
    warmup_lr: float = Field(default=0.008, ge=0, description="learning rate at the first iteration")
    warmup_epochs: float = Field(default=1.0, ge=0, description="length of the warm-up")
    milestones: tuple[float, ...] = Field(
        default=(5.6, 5.8), description="epochs at which the rate is divided by ten"
    )
    epochs: float = Field(default=6.0, gt=0, description="length of the training")
    batch: int = Field(default=32, ge=1, description="keyframes per step")
    weight_decay: float = Field(default=1e-7, ge=0, description="weight decay on all parameters")
    clip_norm: float | None = Field(
        default=None, gt=0, description="largest gradient norm; none: not clipped"
    )
    jitter: Fraction = Field(
        default=0.075, description="box jitter: largest shift of each side, relative to the box"
    )
    box_score: Fraction = Field(
        default=0.9, description="detections from this score on are training boxes beside the truth"
    )
    box_scores: Scores = Field(default={}, description="data sets with a box_score of their own")
    box_iou: Fraction = Field(
        default=0.9, description="a detection takes the labels of a truth box from this IoU on"
    )


class HeadConfig(Section):
    """One head: its kind, its sizes, its memory and its training."""

    kind: HeadKind = Field(description="linear, acar, or either with a bank")
    backbone: Key = Field(description="backbone whose maps it reads")
    datasets: tuple[Key, ...] = Field(
        default=(), description="data sets it is trained on; all annotated ones when empty"
    )
    splits: tuple[Part, ...] = Field(
        default=("train",),
        description="splits it is trained on; val-a and val-b are the halves of val",
    )
    ratio: Ratio = Field(
        default={}, description="passes over a data set's keyframes in one epoch; 1 where none is named"
    )
    seeds: tuple[int, ...] = Field(default=(0,), min_length=1, description="one training per seed")
    reduce: int = Field(default=1024, ge=1, description="channels of the reduced context map")
    hidden: int = Field(default=512, ge=1, description="channels of the relation maps")
    depth: int = Field(default=1, ge=1, description="number of HR2O layers")
    output_kernel: Literal[1, 3] = Field(default=1, description="kernel of HR2O's output convolution")
    dropout: Fraction = Field(default=0.2, description="dropout inside HR2O and the bank operator")
    roi_aligned: bool = Field(default=False, description="half-pixel shift of RoIAlign")
    roi_scale: RoiScale = Field(
        default="grid",
        description="where RoIAlign finds a box: grid stretches the frame over its map (ACAR), "
        "pixels takes 16 pixels as a cell (PySlowFast)",
    )
    memory: MemoryConfig | None = Field(
        default=None, description="bank of the kinds that end in -afb or -acfb"
    )
    init: Key | None = Field(default=None, description="head (same seed) whose weights start the training")
    weights: str | None = Field(default=None, description="given weights; then nothing is trained")
    recipe: RecipeConfig = Field(default=RecipeConfig(), description="how it is trained")
    min_score: Fraction = Field(
        default=0.85, description="detections below this score are not classified in testing"
    )
    min_scores: Scores = Field(
        default={}, description="data sets with a min_score of their own, e.g. {kinetics: 0.5}"
    )

    @model_validator(mode="after")
    def _check_memory(self) -> Self:
        if self.kind.endswith("fb") != (self.memory is not None):
            raise ValueError("the kinds with a bank need memory, the others take none")
        if self.memory and self.memory.include_live and self.kind != "acar-acfb":
            raise ValueError("memory.include_live belongs to the kind acar-acfb; leave it out")
        if self.memory and not self.memory.mask_padding and self.kind == "acar-acfb":
            raise ValueError("memory.mask_padding belongs to the kinds that end in -afb; leave it out")
        return self

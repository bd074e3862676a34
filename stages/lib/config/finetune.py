"""`backbones.<key>.finetune`: a network trained end to end, backbone and head, from another backbone's weights."""

from __future__ import annotations

from pydantic import Field

from stages.lib.config.base import Section
from stages.lib.config.heads import RecipeConfig
from stages.lib.config.splits import Part
from stages.lib.config.types import Key, Ratio


class FinetuneRecipeConfig(RecipeConfig):
    """The short schedule for the whole network: the running statistics of its batch norms stay as they are."""

    clips_per_pass: int = Field(
        default=1,
        ge=1,
        description="clips of one forward pass; the gradients of `batch` clips are summed before a step",
    )
    flip: bool = Field(
        default=True, description="random horizontal flip; off when classes tell left from right"
    )


class FinetuneConfig(Section):
    """What the network is made from and trained on; its views and clips are those of the backbone's own entry."""

    backbone: Key = Field(description="backbone whose weights it starts from")
    head: Key = Field(
        description="head that is trained with it: an entry of heads that reads this very backbone, with its kind and sizes"
    )
    bank: Key | None = Field(
        default=None, description="bank that the head reads, made by another backbone beforehand"
    )
    datasets: tuple[Key, ...] = Field(
        default=(), description="data sets it is trained on; all annotated ones when empty"
    )
    splits: tuple[Part, ...] = Field(
        default=("train",),
        min_length=1,
        description="splits it is trained on; val-a and val-b are the halves of val",
    )
    ratio: Ratio = Field(
        default={}, description="passes over a data set's keyframes in one epoch; 1 where none is named"
    )
    seed: int = Field(default=0, ge=0, description="seed of the head's draw, order, jitter and dropout")
    recipe: FinetuneRecipeConfig = Field(
        default=FinetuneRecipeConfig(), description="how the network is trained"
    )

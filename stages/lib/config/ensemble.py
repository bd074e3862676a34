"""`ensembles`: which heads are fused, and how much each counts for each class."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from stages.lib.config.base import Section
from stages.lib.config.splits import Part
from stages.lib.config.types import Key

Member = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,63}(:[0-9]{1,9})?$")]
"""A head's key, with a seed where it is not 0: ``acar`` or ``acar:1``."""

WeightRule = Literal["ap", "softmax", "linear", "top-k", "uniform", "greedy", "least-squares"]


class EnsembleConfig(Section):
    """A weighted sum of the members' probabilities with weights per class."""

    members: tuple[Member, ...] = Field(default=(), description="heads, e.g. acar or acar:1 (seed 1)")
    csv: dict[Key, str] = Field(
        default={},
        description="further members: csv files of other people's detections, in the official form, each under a name",
    )
    box_iou: float = Field(
        default=0.7,
        gt=0,
        le=1,
        description="boxes of members that have other boxes than each other are fused from this IoU on",
    )
    weights: WeightRule = Field(
        default="ap",
        description="how a member's AP on a class becomes its weight there (ap: proportional; softmax; linear: 0 for the "
        "worst, 1 for the best; top-k; uniform: all the same); or a search: greedy, for the best AP of the mean, or "
        "least-squares, for its least squared error",
    )
    weights_from: str | None = Field(
        default=None,
        description="weights.json of an earlier run's ensemble of the same members and classes, whose weights are taken "
        "instead: for networks that were trained on val, too",
    )
    power: float = Field(default=1.0, gt=0, description="ap: weight proportional to AP to this power")
    temperature: float = Field(
        default=0.05, gt=0, description="softmax: weight proportional to exp(AP / temperature)"
    )
    k: int = Field(default=3, ge=1, description="top-k: the k best members of a class share it equally")
    rounds: int = Field(
        default=20, ge=1, description="greedy: members drawn for a class, one of them as often as it helps"
    )
    view_average: Literal["logit", "prob"] = Field(
        default="logit",
        description="average a member's views before (logit) or after (prob) softmax and sigmoid",
    )
    fit_split: Part = Field(
        default="val",
        description="split on which the members' APs are measured; val-a and val-b are the halves of val",
    )
    leave_one_out: bool = Field(
        default=True,
        description="measure what each member is worth: the ensemble without it, on held-out videos",
    )

    @model_validator(mode="after")
    def _check_members(self) -> Self:
        named = [member_parts(member) for member in self.members]
        twice = sorted({f"{head}:{seed}" for head, seed in named if named.count((head, seed)) > 1})
        if self.weights_from is not None and self.weights != "ap":
            raise ValueError("leave out weights: weights_from brings those of an earlier run")
        if not self.members and not self.csv:
            raise ValueError("no members: name heads under members, or files under csv")
        both = sorted(set(self.csv) & {head for head, _ in named})
        if both:
            raise ValueError(f"members and csv share the name {', '.join(both)}")
        if twice:
            raise ValueError(f"members stand twice: {', '.join(twice)}")
        return self


def member_parts(member: str) -> tuple[str, int]:
    """Head key and seed of a member: ``acar:1`` is ("acar", 1), ``acar`` is ("acar", 0)."""
    head, _, seed = member.partition(":")
    return head, int(seed or 0)

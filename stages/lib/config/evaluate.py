"""`evaluate`: which dialect of the metric, and its numbers."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from stages.lib.config.base import Section

DialectName = Literal["official", "2020", "pyslowfast", "strict"]
MissingName = Literal["count-as-miss", "ignore"]


class MetricConfig(Section):
    """Which number frame mAP is."""

    dialect: DialectName = Field(
        default="official",
        description="official: today's ActivityNet evaluator; 2020: the challenge's; pyslowfast: 2020 without the cap; "
        "strict: official without the cap",
    )
    iou: float = Field(default=0.5, gt=0, le=1, description="least IoU of a true positive")
    cap: int | None = Field(
        default=None,
        ge=0,
        description="(box, class) entries kept per keyframe; none: as the dialect says; 0: all",
    )


class EvaluateConfig(MetricConfig):
    """Frame mAP and what is reported beside it."""

    missing: MissingName = Field(
        default="count-as-miss",
        description="keyframes whose video or frames are missing. count-as-miss: their people stay in the truth and nobody "
        "finds them, as official servers count, which know the whole truth; ignore: they are taken out on both sides. Both "
        "numbers are printed",
    )
    bootstrap: int = Field(
        default=0, ge=0, description="resamples of the videos for the 95 % interval; 0: no interval"
    )
    seed: int = Field(default=0, ge=0, description="seed of the resampling")
    decimals: int = Field(
        default=6, ge=1, le=9, description="decimals of boxes and scores in the detections csv"
    )

"""`report`: what the report shows."""

from __future__ import annotations

from pydantic import Field

from stages.lib.config.base import Section
from stages.lib.config.types import Fraction


class ReportConfig(Section):
    """What the html report and the annotated videos show."""

    keyframes: int = Field(
        default=12, ge=0, description="validation keyframes shown with truth and predictions"
    )
    relations: int = Field(
        default=4, ge=0, description="people of each data set whose relation is drawn over the frame"
    )
    errors: int = Field(
        default=4, ge=0, description="pictures of each cause of error on the contact sheet; 0: tables only"
    )
    top: int = Field(default=3, ge=1, description="actions written beside a person")
    min_probability: Fraction = Field(
        default=0.3, description="actions below this probability are not written"
    )

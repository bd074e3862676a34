"""`decode`: constant rate, sizes and quality of the cached frames."""

from __future__ import annotations

from pydantic import Field

from stages.lib.config.base import Section
from stages.lib.config.types import Fraction


class DecodeConfig(Section):
    """What the frame cache holds."""

    rate: float = Field(
        default=30.0, gt=0, description="constant frame rate of the clip frames in Hz, resampled by timestamp"
    )
    short_side: int = Field(
        default=340, ge=16, description="shorter side of the clip frames in pixels; never upscaled"
    )
    jpeg_quality: int = Field(default=95, ge=50, le=100, description="JPEG quality of all cached frames")
    key_short_side: int = Field(
        default=800, ge=16, description="largest shorter side of the kept keyframes (detect, report)"
    )
    key_long_side: int = Field(
        default=1333, ge=16, description="largest longer side of the kept keyframes (detect, report)"
    )
    max_bad_fraction: Fraction = Field(
        default=0.2, description="share of broken or missing videos above which a shard fails"
    )

"""Names and small value types that several sections use."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

Key = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
"""A variant's name: a key of the configuration, never options encoded in a string."""

ViewName = Annotated[str, StringConstraints(pattern=r"^s[1-9][0-9]{1,3}(-flip)?$")]
"""One (short side, flip) pair, e.g. ``s256`` or ``s288-flip``."""

Split = Literal["train", "val", "test"]

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]

Scores = dict[Key, Fraction]
"""Scores of single data sets: their detectors are sure of other things."""

Ratio = dict[Key, Annotated[float, Field(gt=0.0, le=100.0)]]
"""Passes over each data set's keyframes in one epoch."""

"""A decoded frame that is turned into RGB pixels at the size somebody wants. H, W pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from stages.lib.video.jpeg import Image, resize_rgb

Size = tuple[int, int]


class Picture(Protocol):
    """A frame, upright; it may be converted in another thread than the one that reads on."""

    def rgb(self, size: Size | None = None) -> Image:
        """RGB pixels (H,W,3) at `size` (width, height), as they are stored when None."""
        ...


@dataclass(frozen=True)
class Pixels:
    """A picture whose pixels are there already."""

    pixels_HW3: Image

    def rgb(self, size: Size | None = None) -> Image:
        """See Picture."""
        return self.pixels_HW3 if size is None else resize_rgb(self.pixels_HW3, size)

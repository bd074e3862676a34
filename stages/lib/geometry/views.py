"""A view: the short side to which a frame is resized, and whether it is mirrored."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stages.lib.errors import StageError
from stages.lib.geometry.boxes import as_boxes, flip_boxes

_NAME = re.compile(r"s([1-9][0-9]{1,3})(-flip)?")


@dataclass(frozen=True, order=True)
class View:
    """One (short side in pixels, flip) pair; its name is `s256` or `s288-flip`."""

    short_side: int
    flip: bool = False

    @property
    def name(self) -> str:
        """The name that stands in the configuration, in artifacts and in tables."""
        return f"s{self.short_side}{'-flip' if self.flip else ''}"

    def size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width in pixels of a frame of this view."""
        return resized_size(height, width, self.short_side)

    def boxes(self, boxes_N4: ArrayLike) -> NDArray[np.floating]:
        """Boxes of the original frame, in [0, 1], as they stand in this view."""
        return flip_boxes(boxes_N4) if self.flip else as_boxes(boxes_N4)


def parse_view(name: str) -> View:
    """The view of a name such as `s256` or `s288-flip`; StageError for anything else."""
    match = _NAME.fullmatch(name)
    if match is None:
        raise StageError(
            f'"{name}" is no view', "views", "write s and the short side in pixels, e.g. s256 or s256-flip"
        )
    return View(int(match[1]), match[2] is not None)


def parse_views(names: Iterable[str]) -> tuple[View, ...]:
    """The views of several names in their order."""
    return tuple(parse_view(name) for name in names)


def resized_size(height: int, width: int, short_side: int) -> tuple[int, int]:
    """Height and width after resizing: the shorter side is `short_side`, the longer one truncated to whole pixels."""
    assert min(height, width, short_side) > 0
    if height <= width:
        return short_side, short_side * width // height
    return short_side * height // width, short_side

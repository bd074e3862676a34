"""Box jitter, the only box augmentation of the recipe; for training boxes, true and detected alike."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def jitter_boxes(
    boxes_N4: NDArray[np.float32], rng: np.random.Generator, amount: float = 0.075
) -> NDArray[np.float32]:
    """Boxes (N,4), xyxy in [0,1], each side shifted by a uniform draw within `amount` of its size.

    x moves in units of the width, y in units of the height; results stay inside the frame. Without movement
    (`amount` 0) no number is drawn.
    """
    if amount == 0 or len(boxes_N4) == 0:
        return boxes_N4.astype(np.float32)
    size_N2 = boxes_N4[:, 2:] - boxes_N4[:, :2]
    shift_N4 = rng.uniform(-amount, amount, boxes_N4.shape) * np.concatenate([size_N2, size_N2], axis=1)
    return np.clip(boxes_N4 + shift_N4, 0.0, 1.0).astype(np.float32)

"""Classes by how often the ground truth has them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

GROUPS = ("head", "middle", "tail")


def frequency_groups(class_ids: Sequence[int], truths_C: NDArray[np.int64]) -> dict[int, str]:
    """Group of each class id that has a truth: thirds of these classes, most frequent first, equals by their order.

    `truths_C` are the numbers of labelled boxes (C,). Where three do not divide the number, earlier groups are larger.
    """
    order = np.argsort(-truths_C, kind="stable")
    ranked = order[truths_C[order] > 0]
    thirds = np.array_split(ranked, len(GROUPS))
    return {class_ids[c]: group for group, third in zip(GROUPS, thirds, strict=True) for c in third}

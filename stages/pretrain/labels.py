"""The classes of clip classification: the distinct labels of the training list, in alphabetical order.

Shapes: V videos.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stages.lib.annotations.kinetics_csv import LabelledClip
from stages.lib.errors import StageError


def class_names(
    clips: Mapping[str, Sequence[LabelledClip]], lists: Mapping[str, Sequence[Path]]
) -> tuple[str, ...]:
    """Sorted labels of the split train.

    Raises:
        StageError: no training list, fewer than two classes in it, or a class in another list that it lacks.
    """
    if not clips.get("train"):
        raise StageError("no clips of the split train", "--classes", "give --classes train=CSV")
    names = tuple(sorted({clip.label for clip in clips["train"]}))
    if len(names) < 2:
        raise StageError(
            f"only one class, {names[0]!r}", str(lists["train"][0]), "give clips of at least two classes"
        )
    for split, rows in clips.items():
        unknown = sorted({clip.label for clip in rows} - set(names))
        if unknown:
            raise StageError(
                f"class {unknown[0]!r} does not occur in the training list ({len(unknown)} such)",
                str(lists[split][0]),
                "add clips of it to the training list, or drop its lines",
            )
    return names


def label_rows(clips: Sequence[LabelledClip], names: Sequence[str]) -> NDArray[np.int64]:
    """Class index of each clip (V,)."""
    place = {name: index for index, name in enumerate(names)}
    return np.array([place[clip.label] for clip in clips], np.int64)

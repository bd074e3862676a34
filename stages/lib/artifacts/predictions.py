"""Typed tables of PREDICT and ENSEMBLE artifacts.

K keyframes, N boxes, A classes, M members.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stages.lib.artifacts.reader import Artifact
from stages.lib.artifacts.tables import Boxes, Classes, Groups, Keyframes, ragged_rows
from stages.lib.artifacts.writer import Writer
from stages.lib.errors import StageError
from stages.lib.metrics.probability import probabilities_numpy

DETECTED: Final = "detected"
TRUTH: Final = "truth"
FUSED: Final = "fused"
Floats = NDArray[np.float32]


_ROWS: Final = 512  # boxes averaged together: a block stays in the processor's cache


def _averaged(logits: Sequence[Floats], groups: Groups, how: str) -> NDArray[np.float64]:
    """Probabilities from the mean of logits (N, A), or the mean of their probabilities."""
    total = np.zeros(logits[0].shape)
    for one in logits:
        total += probabilities_numpy(one, groups) if how == "prob" else one
    total /= len(logits)
    return total if how == "prob" else probabilities_numpy(total, groups)


@dataclass(frozen=True)
class BoxSet:
    """One set of boxes with logits (N, A) of each view by name, or fused probabilities under ``fused``."""

    boxes: Boxes
    values: Mapping[str, Floats]

    def probabilities(self, views: Sequence[str], groups: Groups, how: str) -> NDArray[np.float64]:
        """Probabilities (N, A) averaged over views, as logits or after softmax and sigmoid (spec 9.1).

        `how` is ``logit`` or ``prob``; `groups` are those of columns that share a softmax. Fused values are kept.
        """
        chosen = (FUSED,) if FUSED in self.values else tuple(views)
        out = np.empty(self.values[chosen[0]].shape)
        for begin in range(0, len(out), _ROWS):
            rows = slice(begin, begin + _ROWS)
            parts = [self.values[view][rows] for view in chosen]
            out[rows] = parts[0] if FUSED in self.values else _averaged(parts, groups, how)
        return out

    def take(self, keyframes: NDArray[np.int64]) -> BoxSet:
        """The boxes of the given keyframes, in their order."""
        rows = ragged_rows(self.boxes.row_splits, keyframes)
        return BoxSet(
            self.boxes.take(keyframes), {view: values[rows] for view, values in self.values.items()}
        )


@dataclass(frozen=True)
class Predictions:
    """What a head says about each box of each box set, in each view."""

    keyframes: Keyframes
    classes: Classes
    boxsets: Mapping[str, BoxSet]

    def boxset(self, name: str, where: str) -> BoxSet:
        """The box set `name`; a StageError when these predictions have none of that name."""
        if name not in self.boxsets:
            raise StageError(
                f"holds no box set {name!r} (it has {', '.join(self.boxsets) or 'none'})",
                where,
                "re-run predict",
            )
        return self.boxsets[name]

    def write(self, writer: Writer) -> None:
        """Write a PREDICT artifact."""
        self.keyframes.write(writer)
        self.classes.write(writer)
        self.classes.write_groups(writer)
        for name, boxset in sorted(self.boxsets.items()):
            boxset.boxes.write(writer, f"boxsets/{name}/")
            for view, logits_NA in boxset.values.items():
                writer.put(
                    f"boxsets/{name}/logits/{view}",
                    logits_NA.reshape(len(boxset.boxes), len(self.classes.ids)),
                )

    @staticmethod
    def read(artifact: Artifact) -> Predictions:
        """Read a PREDICT artifact."""
        boxsets = {}
        for name in artifact.group("boxsets"):
            prefix = f"boxsets/{name}/"
            views = artifact.group(f"{prefix}logits")
            boxes = Boxes.read(artifact, prefix)
            boxsets[name] = BoxSet(boxes, {view: artifact.read(f"{prefix}logits/{view}") for view in views})
        return Predictions(Keyframes.read(artifact), Classes.read(artifact), boxsets)


@dataclass(frozen=True)
class Fused(Predictions):
    """An ensemble's probabilities (view ``fused`` of each box set) and the weights (M, A) of its members."""

    members: tuple[str, ...] = ()
    weights: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 0)))

    def write(self, writer: Writer) -> None:
        """Write an ENSEMBLE artifact."""
        self.keyframes.write(writer)
        self.classes.write(writer)
        writer.put("members", np.array(self.members, dtype=object))
        writer.put("weights", self.weights.reshape(len(self.members), len(self.classes.ids)))
        for name, boxset in sorted(self.boxsets.items()):
            boxset.boxes.write(writer, f"boxsets/{name}/")
            fused_NA = boxset.values[FUSED]
            writer.put(
                f"boxsets/{name}/probabilities", fused_NA.reshape(len(boxset.boxes), len(self.classes.ids))
            )

    @staticmethod
    def read(artifact: Artifact) -> Fused:
        """Read an ENSEMBLE artifact."""
        boxsets = {}
        for name in artifact.group("boxsets"):
            prefix = f"boxsets/{name}/"
            boxsets[name] = BoxSet(
                Boxes.read(artifact, prefix), {FUSED: artifact.read(f"{prefix}probabilities")}
            )
        members = tuple(artifact.read("members").tolist())
        return Fused(
            Keyframes.read(artifact), Classes.read(artifact), boxsets, members, artifact.read("weights")
        )

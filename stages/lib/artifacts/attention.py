"""The table of ATTENTION artifacts: a few people of a data set, and two maps of what their relations read.

K keyframes, N boxes, M people shown, h x w cells of a relation map.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stages.lib.artifacts.maps import MapReader, MapWriter
from stages.lib.artifacts.reader import Artifact
from stages.lib.artifacts.tables import Boxes, Keyframes
from stages.lib.artifacts.writer import Writer


@dataclass(frozen=True)
class Attention:
    """People shown: rows (M,) of `boxes`, the class of each with its probability, and two maps (2,h,w) of each.

    The first map is what reading the others changes in the mixture (a norm), the second the relation's part of the
    class logit, cell by cell. `context_M2` is the height and width of the context maps in cells.
    """

    head: str
    keyframes: Keyframes
    boxes: Boxes
    box_M: NDArray[np.int32]
    class_id_M: NDArray[np.int32]
    class_names: tuple[str, ...]
    probability_M: NDArray[np.float32]
    context_M2: NDArray[np.int32]
    maps: tuple[NDArray[np.float16], ...]

    def write(self, writer: Writer) -> None:
        """Write an ATTENTION artifact; a StageError when a map does not fit float16."""
        self.keyframes.write(writer)
        self.boxes.write(writer)
        writer.put("head", np.array([self.head], dtype=object))
        writer.put("shown/box", self.box_M)
        writer.put("shown/class_id", self.class_id_M)
        writer.put("shown/class_name", np.array(self.class_names, dtype=object))
        writer.put("shown/probability", self.probability_M)
        writer.put("shown/context", self.context_M2.reshape(-1, 2))
        maps = MapWriter(writer)
        for map_2hw in self.maps:
            maps.append(map_2hw)
        maps.finish()

    @staticmethod
    def read(artifact: Artifact) -> Attention:
        """Read an ATTENTION artifact."""
        maps = MapReader(artifact)
        return Attention(
            str(artifact.read("head")[0]),
            Keyframes.read(artifact),
            Boxes.read(artifact),
            artifact.read("shown/box"),
            artifact.read("shown/class_id"),
            tuple(artifact.read("shown/class_name").tolist()),
            artifact.read("shown/probability"),
            artifact.read("shown/context"),
            tuple(maps.read(owner) for owner in range(len(maps))),
        )

"""From a head, its maps and its predictions to the table of people whose relations are shown.

M people shown, N boxes, C channels, h w cells.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from stages.lib.artifacts.attention import Attention
from stages.lib.artifacts.maps import MapReader
from stages.lib.artifacts.predictions import DETECTED, Predictions
from stages.lib.artifacts.reader import Artifact
from stages.lib.artifacts.scored import matching_rows
from stages.lib.artifacts.tables import Index, Keyframes
from stages.lib.errors import StageError
from stages.lib.models.heads import AcarHead
from stages.lib.models.inputs import HeadInput
from stages.lib.models.mapstore import CELL
from stages.lib.models.runtime import optional_to_device
from stages.report.choice import people_to_show, split_to_show
from stages.report.relations import relation_maps


@dataclass(frozen=True)
class CanonicalMaps:
    """The context maps of all shards in the one view that their files hold, by (video id, milliseconds)."""

    view: str
    place: Mapping[tuple[str, int], tuple[MapReader, int]]

    def read(self, key: tuple[str, int]) -> NDArray[np.float16]:
        """The map (C,h,w) of a keyframe that has one."""
        reader, row = self.place[key]
        return reader.read(row)

    def extent(self, key: tuple[str, int]) -> NDArray[np.float32] | None:
        """Width and height (1,2) in cells of the frame behind the map of a keyframe; None where that is not known."""
        reader, row = self.place[key]
        size = reader.size[row : row + 1, ::-1]
        return (size / CELL).astype(np.float32) if (size > 0).all() else None


def canonical_maps(files: Sequence[Artifact]) -> CanonicalMaps:
    """Where the maps are; StageError unless every file holds the same single view."""
    place: dict[tuple[str, int], tuple[MapReader, int]] = {}
    views: set[str] = set()
    for file in files:
        views |= set(file.group("views"))
        if len(views) != 1:
            what = f"holds the views {', '.join(sorted(views)) or 'none'}, where one is wanted"
            raise StageError(what, str(file.path), "give the maps of the canonical view, all of one run")
        reader = MapReader(file, f"views/{next(iter(views))}/")
        keys = Keyframes.read(file).keys()
        place |= {key: (reader, row) for row, key in enumerate(keys) if reader.has(row)}
    return CanonicalMaps(next(iter(views)), place)


def look(
    head: AcarHead,
    name: str,
    index: Index,
    predictions: Predictions,
    maps: CanonicalMaps,
    kinds: Mapping[int, str],
    count: int,
    device: torch.device,
) -> Attention:
    """Choose up to `count` people among the detected ones and read the relation of each."""
    keys = index.keyframes.keys()
    rows = split_to_show(index)
    rows = rows[np.array([keys[k] in maps.place for k in rows], bool)]
    place = matching_rows(index, rows, predictions.keyframes, "--predictions")
    boxset = predictions.boxset(DETECTED, "--predictions").take(place)
    if maps.view not in boxset.values:
        raise StageError(f"have no view {maps.view}", "--predictions", "give maps and predictions of one run")
    probabilities = boxset.probabilities([maps.view], predictions.classes.pose_indices(), "logit")
    people = people_to_show(index, rows, boxset.boxes, probabilities, kinds, count)
    kept = np.array([person.place for person in people], np.int64)
    boxes = boxset.boxes.take(kept)
    context, shown, box_rows = [], [], []
    for number, person in enumerate(people):
        map_Chw = maps.read(keys[rows[person.place]])
        own = boxes.boxes[boxes.of(number)]
        row = person.box - boxset.boxes.of(person.place).start
        inputs = HeadInput(
            torch.from_numpy(map_Chw)[None].to(device),
            torch.from_numpy(own).to(device),
            torch.zeros(len(own), dtype=torch.int64, device=device),
            extent_B2=optional_to_device(maps.extent(keys[rows[person.place]]), device),
        )
        found = relation_maps(head, inputs)
        both_2hw = torch.stack([found.others_Nhw[row], found.score_NAhw[row, person.column]])
        shown.append(both_2hw.cpu().numpy())
        context.append(map_Chw.shape[1:])
        box_rows.append(boxes.of(number).start + row)
    columns = [person.column for person in people]
    return Attention(
        name,
        index.keyframes.take(rows[kept]),
        boxes,
        np.array(box_rows, np.int32),
        np.array([index.classes.ids[column] for column in columns], np.int32),
        tuple(index.classes.names[column] for column in columns),
        np.array([person.probability for person in people], np.float32),
        np.array(context, np.int32).reshape(-1, 2),
        tuple(shown),
    )

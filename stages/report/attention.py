"""From a head, its maps and its predictions to the table of people whose relations are shown.

M people shown, N boxes, C channels, h w cells.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from stages.lib.artifacts.attention import Attention
from stages.lib.artifacts.maps import MapReader
from stages.lib.artifacts.predictions import DETECTED, Predictions
from stages.lib.artifacts.reader import Artifact
from stages.lib.artifacts.scored import matching_rows
from stages.lib.artifacts.tables import Index, Keyframes
from stages.lib.errors import StageError
from stages.lib.models.heads import AcarHead
from stages.lib.models.inputs import HeadInput
from stages.lib.models.mapstore import MapTable
from stages.lib.models.runtime import optional_to_device
from stages.report.choice import people_to_show, split_to_show
from stages.report.relations import relation_maps


@dataclass(frozen=True)
class CanonicalMaps:
    """The context maps of all shards in the one view that their files hold, and their owners by (video id, milliseconds)."""

    view: str
    table: MapTable
    owner: Mapping[tuple[str, int], int]


def canonical_maps(files: Sequence[Artifact]) -> CanonicalMaps:
    """The maps; StageError unless every file holds the same single view."""
    readers: list[MapReader] = []
    keys: list[tuple[str, int]] = []
    views: set[str] = set()
    for file in files:
        views |= set(file.group("views"))
        if len(views) != 1:
            what = f"holds the views {', '.join(sorted(views)) or 'none'}, where one is wanted"
            raise StageError(what, str(file.path), "give the maps of the canonical view, all of one run")
        readers.append(MapReader(file, f"views/{next(iter(views))}/"))
        keys += Keyframes.read(file).keys()
    table = MapTable(readers)
    owner = {key: row for row, key in enumerate(keys) if table.has_K[row]}
    return CanonicalMaps(next(iter(views)), table, owner)


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
    rows = rows[np.array([keys[k] in maps.owner for k in rows], bool)]
    place = matching_rows(index, rows, predictions.keyframes, "--predictions")
    boxset = predictions.boxset(DETECTED, "--predictions").take(place)
    if maps.view not in boxset.values:
        raise StageError(f"have no view {maps.view}", "--predictions", "give maps and predictions of one run")
    probabilities = boxset.probabilities([maps.view], predictions.classes.groups(), "logit")
    people = people_to_show(index, rows, boxset.boxes, probabilities, kinds, count)
    kept = np.array([person.place for person in people], np.int64)
    boxes = boxset.boxes.take(kept)
    context, shown, box_rows = [], [], []
    for number, person in enumerate(people):
        owner_1 = np.array([maps.owner[keys[rows[person.place]]]])
        map_1Chw = maps.table.take(owner_1)
        own = boxes.boxes[boxes.of(number)]
        row = person.box - boxset.boxes.of(person.place).start
        inputs = HeadInput(
            torch.from_numpy(map_1Chw).to(device),
            torch.from_numpy(own).to(device),
            torch.zeros(len(own), dtype=torch.int64, device=device),
            extent_B2=optional_to_device(maps.table.extent(owner_1), device),
        )
        found = relation_maps(head, inputs)
        both_2hw = torch.stack([found.others_Nhw[row], found.score_NAhw[row, person.column]])
        shown.append(both_2hw.cpu().numpy())
        context.append(map_1Chw.shape[2:])
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

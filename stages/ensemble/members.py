"""The members of an ensemble as tables that can be summed: views averaged, one list of keyframes, common boxes.

Heads must speak of the same keyframes, classes and views; csv files of other models are laid on the heads' keyframes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from stages.ensemble.clusters import same_boxes, share_boxes_of
from stages.ensemble.csv_members import read_csv_member
from stages.lib.artifacts.loading import load_predictions
from stages.lib.artifacts.predictions import DETECTED, FUSED, BoxSet, Predictions
from stages.lib.artifacts.shards import views_of
from stages.lib.artifacts.tables import Classes, Index, Keyframes
from stages.lib.config.ensemble import EnsembleConfig
from stages.lib.errors import StageError
from stages.lib.files import file_sha
from stages.lib.parallel import in_processes
from stages.lib.progress import track

Tables = dict[str, dict[str, Predictions]]
"""By data set, then by member."""


@dataclass(frozen=True)
class Members:
    """Every member's probabilities on its own boxes and on common ones; the same tables where all have the same boxes.

    `marks` are fingerprints by MEMBER/DATASET, or by member for a csv file.
    """

    names: tuple[str, ...]
    own: Tables
    shared: Tables
    marks: dict[str, str]
    notes: tuple[str, ...]


def read_members(
    heads: Mapping[str, Mapping[str, Sequence[Path]]],
    csvs: Mapping[str, Path],
    indexes: Mapping[str, Index],
    cfg: EnsembleConfig,
) -> Members:
    """Reads the files of heads (by data set) and of csv members, in this order.

    Raises:
        StageError: files that cannot be read, or members that cannot be compared, named with their fault.
    """
    own: Tables = {}
    views: dict[str, str] = {}
    marks: dict[str, str] = {}
    files = [(member, dataset, paths) for member in heads for dataset, paths in heads[member].items()]
    class_lists = {dataset: index.classes for dataset, index in indexes.items()}
    read = in_processes(partial(_read_head, class_lists, cfg.view_average), files)
    for (member, dataset, paths), (table, mark, its_views) in track(
        zip(files, read, strict=True), len(files), "members"
    ):
        marks[f"{member}/{dataset}"] = mark
        known = own.setdefault(dataset, {})
        if known:
            place = f"data set {dataset}: {', '.join(map(str, paths[:3]))}{', …' * (len(paths) > 3)}"
            _check_alike(member, table, its_views, place, next(iter(known.items())), views[dataset])
        views.setdefault(dataset, its_views)
        known[member] = table
    notes: list[str] = []
    for name, path in csvs.items():
        keyframes = {
            d: _keyframes(own.get(d, {}), index) for d, index in indexes.items() if d in own or not heads
        }
        classes = _class_list(indexes, name)
        tables, said = read_csv_member(name, path, keyframes, indexes, classes)
        notes += said
        marks[name] = file_sha(path)
        for dataset, table in tables.items():
            own.setdefault(dataset, {})[name] = table
    shared = {dataset: share_tables(tables, dataset, cfg.box_iou) for dataset, tables in own.items()}
    return Members((*heads, *csvs), own, shared, marks, tuple(notes))


def _read_head(
    class_lists: Mapping[str, Classes], how: str, file: tuple[str, str, Sequence[Path]]
) -> tuple[Predictions, str, str]:
    """A head's table of one data set, its fingerprint, and the names of its views."""
    member, dataset, paths = file
    reader = _Averaging(f"{member} on {dataset}", how, class_lists.get(dataset))
    table, mark = load_predictions(paths, reader.where, reader)
    return table, mark, reader.views


def share_tables(tables: Mapping[str, Predictions], dataset: str, iou: float) -> dict[str, Predictions]:
    """The members' tables of one data set on common boxes.

    Raises:
        StageError: members with other ground-truth boxes: one of them was made from another index.
    """
    boxsets: dict[str, dict[str, BoxSet]] = {member: {} for member in tables}
    for name in dict.fromkeys(name for table in tables.values() for name in table.boxsets):
        parts = {member: table.boxsets[name] for member, table in tables.items() if name in table.boxsets}
        first = next(iter(parts))
        for member, part in parts.items():
            if name != DETECTED and not same_boxes(part.boxes, parts[first].boxes):
                what = f"member {member} differs from member {first}: its boxes of set {name} are others"
                raise StageError(what, f"data set {dataset}", "re-run predict for all members")
        for member, boxset in zip(parts, share_boxes_of(list(parts.values()), iou), strict=True):
            boxsets[member][name] = boxset
    return {member: replace(table, boxsets=boxsets[member]) for member, table in tables.items()}


class _Averaging:
    """Turns shards into tables with all views as one matrix of probabilities, in float32; remembers their views."""

    def __init__(self, where: str, how: str, classes: Classes | None) -> None:
        self.where, self.how, self.classes, self.views = where, how, classes, ""

    def __call__(self, shard: Predictions, path: Path) -> Predictions:
        where = f"{self.where}: {path}"
        _check_classes(shard.classes, self.classes, where)
        groups = shard.classes.groups()
        named = {name: sorted(views) for name, views in views_of(shard).items()}
        self.views = "; ".join(f"{name}: {' '.join(views)}" for name, views in sorted(named.items()))
        boxsets = {}
        for name, boxset in shard.boxsets.items():
            scores = boxset.probabilities(tuple(boxset.values), groups, self.how).astype(np.float32)
            valid = ((scores >= 0) & (scores <= 1)).all(axis=1)
            if not valid.all():
                broken = f"{int((~valid).sum())} of {len(scores)} boxes of set {name}"
                what = f"{broken} have scores that are no numbers within [0, 1]"
                raise StageError(what, where, "check the head's training, then re-run predict")
            boxsets[name] = BoxSet(boxset.boxes, {FUSED: scores})
        return Predictions(shard.keyframes, shard.classes, boxsets)


def _keyframes(known: Mapping[str, Predictions], index: Index) -> Keyframes:
    return next(iter(known.values())).keyframes if known else index.keyframes


def _class_list(indexes: Mapping[str, Index], member: str) -> Classes:
    """The class list of the data sets that have one; own videos may have none."""
    for index in indexes.values():
        if index.classes.ids:
            return index.classes
    raise StageError("no data set has a class list", f"csv member {member}", "give a data set a labelmap")


def _check_classes(found: Classes, known: Classes | None, where: str) -> None:
    if known is not None and known.ids and found != known:
        what = f"has another class map than the index ({len(found.ids)} and {len(known.ids)} classes)"
        raise StageError(what, where, "use predictions of a head with this class list")


def _check_alike(
    member: str, table: Predictions, views: str, place: str, first: tuple[str, Predictions], its_views: str
) -> None:
    """Refuses a head that differs from the first in classes, keyframes or views, naming member and fault."""
    a, b = first[1].keyframes.keys(), table.keyframes.keys()
    if table.classes != first[1].classes:
        fault = "its class map is another one"
    elif a != b:
        odd = sorted(set(a) ^ set(b))[0]
        fault = f"its keyframes are others ({len(b)} and {len(a)}), first {odd[0]} at {odd[1] / 1000:g} s"
    elif views != its_views:
        fault = f"its views are others ({views}, not {its_views})"
    else:
        return
    what = f"member {member} differs from member {first[0]}: {fault}"
    raise StageError(
        what,
        place,
        "give the files of all shards, predicted with the same views and class list",
    )

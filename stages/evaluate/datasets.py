"""The data sets of a run as the commands of evaluate read them: flags, files, and the scored boxes of one split."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from stages.evaluate.core import Scored
from stages.evaluate.settings import Views, read_kinds
from stages.lib.annotations.labelmap import LabelMap, label_map
from stages.lib.artifacts.loading import load_index, load_predictions
from stages.lib.artifacts.predictions import Predictions
from stages.lib.artifacts.scored import (
    counted_rows,
    detections_table,
    evaluated_rows,
    matching_rows,
    truth_table,
)
from stages.lib.artifacts.tables import Index
from stages.lib.cli import by_name, named_path
from stages.lib.errors import StageError
from stages.lib.metrics.dialects import Dialect
from stages.lib.metrics.tables import concat_truths

VIEWS_HELP: Final = "all, or views with commas; :prob behind it averages probabilities instead of logits"


@dataclass(frozen=True)
class Dataset:
    """One data set's index and predictions, with the fingerprints of its files; `lost` has the keyframes without frames."""

    name: str
    index: Index
    predictions: Predictions
    marks: Mapping[str, str]
    lost: Index | None = None


def add_inputs(parser: argparse.ArgumentParser) -> None:
    """The flags that say what is scored: index, predictions or fused scores, splits, kinds of classes, the model's name."""
    parser.add_argument(
        "--index", type=named_path, nargs="+", action="extend", required=True, metavar="DATASET=FILE"
    )
    given = parser.add_mutually_exclusive_group(required=True)
    for flag, text in (("--predictions", "files of predict"), ("--scores", "files of ensemble")):
        given.add_argument(
            flag, type=named_path, nargs="+", action="extend", metavar="DATASET=FILE", help=text
        )
    lost = "lost.h5 of index coverage: keyframes whose frames are missing (evaluate.missing)"
    parser.add_argument(
        "--lost", type=named_path, nargs="+", action="extend", default=[], metavar="DATASET=FILE", help=lost
    )
    parser.add_argument("--splits", nargs="+", default=["val"], help="splits of the index")
    parser.add_argument("--kinds", type=Path, help="csv id,name,kind that groups the classes")
    parser.add_argument("--name", default="", help="title of the model, kept in the result")


def read_inputs(args: argparse.Namespace) -> tuple[list[Dataset], LabelMap]:
    """The data sets that the flags name, and their one list of classes; StageError where they do not fit together."""
    datasets = _read(by_name(args.index), by_name(args.predictions or args.scores), by_name(args.lost))
    classes = datasets[0].index.classes
    kinds = read_kinds(args.kinds, classes) if args.kinds else None
    return datasets, label_map(classes.ids, classes.names, kinds)


def _read(
    index: Mapping[str, Sequence[Path]],
    predictions: Mapping[str, Sequence[Path]],
    lost: Mapping[str, Sequence[Path]],
) -> list[Dataset]:
    if set(index) != set(predictions):
        odd = sorted(set(index) ^ set(predictions))
        raise StageError(
            f"{', '.join(odd)} has only an index or only predictions", "command line", "give both"
        )
    if lost and set(lost) != set(index):
        odd = sorted(set(lost) ^ set(index))
        raise StageError(f"{', '.join(odd)} has only an index or only --lost", "command line", "give both")
    datasets = []
    for name in index:
        table, index_mark = load_index(index[name], name)
        predicted, mark = load_predictions(predictions[name], name)
        if predicted.classes != table.classes:
            fix = "use predictions of a head with this class list"
            raise StageError("predictions and index have different class maps", name, fix)
        marks, gone = {"index": index_mark, "predictions": mark}, None
        if lost:
            gone, marks["lost"] = load_index(lost[name], name)
            if gone.classes != table.classes:
                fix = "run index coverage again"
                raise StageError("lost keyframes and index have different class maps", name, fix)
        datasets.append(Dataset(name, table, predicted, marks, gone))
    if any(data.index.classes != datasets[0].index.classes for data in datasets):
        raise StageError(
            "the data sets have different class maps", "command line", "evaluate them one by one"
        )
    return datasets


def without_boxset(datasets: Sequence[Dataset], boxset: str) -> list[str]:
    """Names of the data sets whose predictions lack a box set, as an ensemble of csv files lacks the boxes of the truth."""
    return [data.name for data in datasets if boxset not in data.predictions.boxsets]


def scored_boxes(data: Dataset, split: str, boxset: str, views: Views, dialect: Dialect) -> Scored:
    """Detections of the evaluated keyframes of a split, and the truth of those that the dialect counts.

    Excluded keyframes are on neither side. Lost ones are in the truth, also those of videos that no sheet lists, and named.
    """
    rows = evaluated_rows(data.index, split)
    place = matching_rows(data.index, rows, data.predictions.keyframes, data.name)
    chosen = data.predictions.boxset(boxset, data.name).take(place)
    classes = data.predictions.classes
    scores = chosen.probabilities(views.of(chosen, data.name), classes.groups(), views.average)
    keyframes = data.predictions.keyframes.take(place)
    table = detections_table(keyframes, chosen, scores, classes.ids)
    truth = truth_table(data.index, counted_rows(data.index, split, dialect))
    if data.lost is None:
        return Scored(data.name, truth, table)
    rows = counted_rows(data.lost, split, dialect)
    lost, listed = data.lost.keyframes.keys(), set(data.index.keyframes.video_ids)
    unlisted = np.array([row for row in rows.tolist() if lost[row][0] not in listed], np.int64)
    return Scored(
        data.name, concat_truths([truth, truth_table(data.lost, unlisted)]), table, lost=frozenset(lost)
    )

"""Members that are csv files of other people's models, in the official form of detections.

Legend: K keyframes, N rows of the file, B boxes, C classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stages.lib.annotations.ava_csv import read_detections
from stages.lib.annotations.labelmap import label_map
from stages.lib.artifacts.predictions import DETECTED, FUSED, BoxSet, Predictions
from stages.lib.artifacts.tables import Boxes, Classes, Index, Keyframes, splits_of
from stages.lib.errors import StageError
from stages.lib.geometry.boxes import have_area
from stages.lib.metrics.tables import DetectionsTable

Ints = NDArray[np.int64]


def read_csv_member(
    name: str,
    path: Path,
    keyframes: Mapping[str, Keyframes],
    indexes: Mapping[str, Index],
    classes: Classes,
) -> tuple[dict[str, Predictions], list[str]]:
    """Probabilities of each data set's keyframes, and notes on rows that do not count; a class without a row has 0.

    Rows of a box need not stand together; of two scores of one box and class the higher counts. Boxes are cut at the frame.
    The score of a box is the highest of its classes.

    Raises:
        StageError: a row that the reader refuses, or a video of no data set; with file and line.
    """
    table, counts = read_detections(path, label_map(classes.ids, classes.names))
    _refuse_unknown_videos(table, path, indexes)
    repeated = 0
    found, placed = {}, np.zeros(len(table.video), dtype=bool)
    for dataset, listed in keyframes.items():
        key = _keyframe_of_row(table, listed)
        placed |= key >= 0
        boxes, scores, more = _dense(table, key, len(listed), classes.ids)
        repeated += more
        found[dataset] = Predictions(listed, classes, {DETECTED: BoxSet(boxes, {FUSED: scores})})
    ignored = (
        (counts.unlisted, "of classes outside the list"),
        (int((~placed).sum()), "on keyframes without predictions"),
        (counts.inverted, "with boxes without area"),
    )
    notes = [f"{name}: {number} of {counts.rows} rows {why} ignored" for number, why in ignored if number]
    if repeated:
        notes.append(
            f"{name}: {repeated} of {counts.rows} rows repeat box and class of another, the higher score counts"
        )
    empty = [dataset for dataset, table in found.items() if not len(table.boxsets[DETECTED].boxes)]
    return found, notes + [f"{name}: no rows on data set {dataset}" for dataset in empty]


def _refuse_unknown_videos(table: DetectionsTable, path: Path, indexes: Mapping[str, Index]) -> None:
    known = {video for index in indexes.values() for video in index.keyframes.video_ids}
    unknown = set(table.videos) - known
    if not unknown:
        return
    with path.open(encoding="utf-8-sig") as file:
        line, video = next(
            (n, row.split(",")[0]) for n, row in enumerate(file, 1) if row.split(",")[0] in unknown
        )
    what = f"video {video!r} is in none of the data sets {', '.join(indexes)} ({len(unknown)} such videos)"
    raise StageError(what, f"{path}:{line}", "give detections on the videos of this run only")


def _keyframe_of_row(table: DetectionsTable, keyframes: Keyframes) -> Ints:
    """Row of each detection's keyframe (N,), -1 where it is none of them."""
    place = {key: row for row, key in enumerate(keyframes.keys())}
    pairs = np.stack([table.video.astype(np.int64), table.timestamp_ms], axis=1)
    distinct, inverse = np.unique(pairs, axis=0, return_inverse=True)
    rows = [place.get((table.videos[v], ms), -1) for v, ms in distinct.tolist()]
    return np.array(rows, np.int64)[inverse.reshape(-1)]


def _dense(
    table: DetectionsTable, key_N: Ints, n_keyframes: int, class_ids: Sequence[int]
) -> tuple[Boxes, NDArray[np.float32], int]:
    """Distinct boxes by keyframe, their scores (B, C), and how many rows had box and class of another."""
    xyxy = np.clip(table.boxes, 0.0, 1.0)
    column = np.full(max(int(table.class_id.max(initial=0)), *class_ids) + 1, -1)
    column[list(class_ids)] = np.arange(len(class_ids))
    rows = np.flatnonzero((key_N >= 0) & have_area(xyxy) & (column[table.class_id] >= 0))
    placed = np.column_stack([key_N[rows], xyxy[rows]])
    changed = np.ones(len(rows), dtype=bool)
    changed[1:] = (placed[1:] != placed[:-1]).any(axis=1)
    distinct, box_of_run = np.unique(placed[changed], axis=0, return_inverse=True)
    box = box_of_run.reshape(-1)[np.cumsum(changed) - 1]
    scores = np.zeros((len(distinct), len(class_ids)), dtype=np.float32)
    np.maximum.at(scores, (box, column[table.class_id[rows]]), table.score[rows].astype(np.float32))
    said = np.zeros(scores.shape, dtype=bool)
    said[box, column[table.class_id[rows]]] = True
    counts = np.bincount(distinct[:, 0].astype(np.int64), minlength=n_keyframes)
    boxes = Boxes(splits_of(counts), distinct[:, 1:].astype(np.float32), scores.max(axis=1, initial=0.0))
    return boxes, scores, len(rows) - int(said.sum())

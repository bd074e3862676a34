"""AP@50 of the person detectors' boxes on each data set and split, with the precision-recall curve.

Writes results[split][dataset] = {AP, AP_coco, keyframes, truths, boxes, precision and recall at some scores,
curve of at most 200 points}. Boxes of a further detector on a data set stand under `DETECTOR on DATASET`, with both names.
The truth is that of the index, whatever evaluate.missing says: people on its keyframes without frames are not found.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stages.lib.artifacts.loading import joint_fingerprint, load_index
from stages.lib.artifacts.reader import open_artifact
from stages.lib.artifacts.schemas import DETECT
from stages.lib.artifacts.scored import evaluated_rows, matching_rows
from stages.lib.artifacts.shards import concat_boxes, merge_keyframes
from stages.lib.artifacts.tables import Boxes, Index, Keyframes
from stages.lib.cli import by_name, named_path, parse, run_stage, stage_parser
from stages.lib.config.payloads import EvaluatePayload
from stages.lib.errors import StageError
from stages.lib.files import number, write_json
from stages.lib.metrics.person_ap import PersonCurve, person_curve

THRESHOLDS = (0.5, 0.7, 0.8, 0.85, 0.9)
_POINTS = 200


def main(argv: Sequence[str]) -> int:
    """Run the command; returns the exit code."""
    parser = stage_parser("evaluate", __doc__)
    for flag, text in (("--index", "files of index"), ("--detections", "files of detect")):
        parser.add_argument(
            flag,
            type=named_path,
            nargs="+",
            action="extend",
            required=True,
            metavar="DATASET=FILE",
            help=text,
        )
    parser.add_argument(
        "--compare",
        type=_compared_file,
        nargs="+",
        action="extend",
        default=[],
        metavar="DETECTOR=DATASET=FILE",
        help="files of detect by another detector than the data set's own",
    )
    parser.add_argument("--splits", nargs="+", default=["val"], help="splits of the index")
    parser.add_argument("--out", type=Path, required=True)
    args = parse(parser, argv)
    return run_stage("evaluate", EvaluatePayload, args, _work)


def _work(args: argparse.Namespace, payload: EvaluatePayload, text: str) -> dict[str, object]:
    indexes = by_name(args.index)
    results: dict[str, dict[str, object]] = {}
    inputs = {}
    sources = _sources(args)
    for source in sources:
        if source.dataset not in indexes:
            what = f"{source.dataset} has detections but no index"
            raise StageError(what, "command line", f"add --index {source.dataset}=FILE")
        index, _ = load_index(indexes[source.dataset], source.dataset)
        keyframes, boxes, inputs[source.name] = _load_detections(source.files)
        for split in args.splits:
            rows = evaluated_rows(index, split)
            if len(rows):
                taken = boxes.take(matching_rows(index, rows, keyframes, source.name))
                table = _table(index, rows, taken, payload.evaluate.iou)
                results.setdefault(split, {})[source.name] = {**table, **source.labels()}
    write_json(args.out, {"iou": payload.evaluate.iou, "inputs": inputs, "results": results})
    return {"detectors on data sets": len(sources), "splits": len(results)}


@dataclass(frozen=True)
class _Source:
    """Boxes of all shards of a data set; `detector` is None for the data set's own."""

    dataset: str
    detector: str | None
    files: Sequence[Path]

    @property
    def name(self) -> str:
        return f"{self.detector} on {self.dataset}" if self.detector else self.dataset

    def labels(self) -> dict[str, object]:
        return {"dataset": self.dataset, "detector": self.detector} if self.detector else {}


def _sources(args: argparse.Namespace) -> list[_Source]:
    """The boxes of the data sets' own detectors, then those of further ones."""
    compared: dict[tuple[str, str], list[Path]] = {}
    for detector, dataset, path in args.compare:
        compared.setdefault((dataset, detector), []).append(path)
    own = [_Source(dataset, None, files) for dataset, files in by_name(args.detections).items()]
    return own + [_Source(dataset, detector, files) for (dataset, detector), files in compared.items()]


def _compared_file(text: str) -> tuple[str, str, Path]:
    detector, rest = named_path(text)
    return (detector, *named_path(str(rest)))


def _load_detections(paths: Sequence[Path]) -> tuple[Keyframes, Boxes, str]:
    keyframes, boxes, marks = [], [], []
    for path in paths:
        with open_artifact(path, DETECT) as artifact:
            keyframes.append(Keyframes.read(artifact))
            boxes.append(Boxes.read(artifact))
            marks.append(artifact.fingerprint)
    merged, order = merge_keyframes(keyframes)
    return merged, concat_boxes(boxes).take(order), joint_fingerprint(marks)


def _table(index: Index, rows: NDArray[np.int64], boxes: Boxes, iou: float) -> dict[str, object]:
    truth = index.truth().take(rows)
    curve = person_curve(boxes.boxes, boxes.scores, boxes.row_splits, truth.boxes, truth.row_splits, iou)
    at = [(threshold, *curve.at(threshold)) for threshold in THRESHOLDS]
    return {
        "AP": number(curve.all_point),
        "AP_coco": number(curve.coco),
        "keyframes": len(rows),
        "truths": len(truth),
        "boxes": len(boxes),
        "at": [{"score": score, "precision": number(p), "recall": number(r)} for score, p, r in at],
        "curve": _thin(curve),
    }


def _thin(curve: PersonCurve) -> dict[str, list[float]]:
    """The curve at no more than 200 points, the last one included; empty without truth."""
    if curve.truths == 0 or len(curve.scores) == 0:
        return {"recall": [], "precision": [], "score": []}
    rows = np.unique(np.linspace(0, len(curve.scores) - 1, _POINTS).round().astype(np.int64))
    return {
        "recall": curve.recall[rows].round(6).tolist(),
        "precision": curve.precision[rows].round(6).tolist(),
        "score": curve.scores[rows].round(6).tolist(),
    }

"""Frame mAP of a run's predictions: by split, box set and choice of views, on each data set and their union.

Writes metrics.json (results[split][boxset][views][dataset or union]), per_class.csv and, for detected boxes and the last
choice of views, errors.json (splits[split]: causes of errors on the union, what-ifs, doubtful annotations, examples) and
the detections of each split in the official csv form (submission-SPLIT.csv). Artifacts keep milliseconds, official
evaluators compare six decimals of a second: with --annotations the submission has the csv files' times.
"""

from __future__ import annotations

import argparse
import io
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from stages.evaluate.core import UNION, Scored, evaluate, metrics_json, pool_of
from stages.evaluate.errors import TRUTH_BOXES, error_tables
from stages.evaluate.settings import ALL_VIEWS, Views, flat_results, read_kinds
from stages.lib.annotations.ava_csv import read_truth
from stages.lib.annotations.labelmap import LabelMap, label_map
from stages.lib.annotations.write_csv import write_detections
from stages.lib.artifacts.loading import load_index, load_predictions
from stages.lib.artifacts.predictions import DETECTED, TRUTH, Fused, Predictions
from stages.lib.artifacts.scored import detections_table, evaluated_rows, matching_rows, truth_table
from stages.lib.artifacts.tables import Classes, Index
from stages.lib.cli import by_name, named_path, parse, run_stage, stage_parser
from stages.lib.config.payloads import EvaluatePayload
from stages.lib.errors import StageError
from stages.lib.files import is_empty, write_json, write_text
from stages.lib.metrics.ava import Result
from stages.lib.metrics.tables import DetectionsTable, Truth, concat_truths
from stages.lib.progress import track


@dataclass(frozen=True)
class Dataset:
    """One data set's index and predictions, with the fingerprints of both."""

    name: str
    index: Index
    predictions: Predictions
    marks: tuple[str, str]


def main(argv: Sequence[str]) -> int:
    """Run the command; returns the exit code."""
    parser = stage_parser("evaluate", __doc__)
    parser.add_argument(
        "--index", type=named_path, nargs="+", action="extend", required=True, metavar="DATASET=FILE"
    )
    given = parser.add_mutually_exclusive_group(required=True)
    for flag, text in (("--predictions", "files of predict"), ("--scores", "files of ensemble")):
        given.add_argument(
            flag, type=named_path, nargs="+", action="extend", metavar="DATASET=FILE", help=text
        )
    views = "all, or views with commas; :prob behind it averages probabilities instead of logits"
    parser.add_argument("--views", nargs="+", default=[ALL_VIEWS], help=views)
    parser.add_argument("--boxsets", nargs="+", default=[DETECTED], choices=[DETECTED, TRUTH])
    parser.add_argument("--splits", nargs="+", default=["val"], help="splits of the index")
    parser.add_argument("--kinds", type=Path, help="csv id,name,kind that groups the classes")
    parser.add_argument(
        "--annotations", type=Path, nargs="*", default=[], help="csv with the exact times of the keyframes"
    )
    parser.add_argument("--name", default="", help="title of the model, kept in metrics.json")
    parser.add_argument("--out-dir", type=Path, required=True)
    args = parse(parser, argv)
    return run_stage("evaluate", EvaluatePayload, args, _work)


def _work(args: argparse.Namespace, payload: EvaluatePayload, text: str) -> dict[str, object]:
    datasets = _read(by_name(args.index), by_name(args.predictions or args.scores))
    classes = _classes(datasets[0].index.classes, args.kinds)
    choices = [Views.parse(choice) for choice in args.views]
    times = _times(args.annotations)
    results: dict[str, dict[str, dict[str, object]]] = {}
    skipped: list[str] = []
    per_class: list[tuple[str, str, str, str, dict[str, object]]] = []
    pools: dict[str, Scored] = {}
    unions: dict[tuple[str, str, str], Result] = {}
    combinations = list(itertools.product(args.splits, args.boxsets, choices))
    for split, boxset, views in track(combinations, len(combinations), "evaluate"):
        scored = [_scored(data, split, boxset, views) for data in datasets]
        if boxset == DETECTED and views == choices[-1]:
            _write_submission(
                args.out_dir / f"submission-{split}.csv",
                pool_of(scored).detections,
                times,
                payload.evaluate.decimals,
            )
        scored = [one for one in scored if len(one.truth.key_ms)]
        if not any(len(one.truth.video) for one in scored):
            skipped.append(f"{split}/{boxset}/{views.name}: no keyframe with ground truth")
            continue
        found = evaluate(scored, classes, payload.evaluate)
        unions[split, boxset, views.name] = found[UNION]
        if boxset == DETECTED:
            pools[split] = pool_of(scored)
        table = metrics_json(found, classes, payload.evaluate)
        by_dataset = table.pop("datasets")
        assert isinstance(by_dataset, dict)
        whole: dict[str, dict[str, object]] = {**by_dataset, UNION: table}
        results.setdefault(split, {}).setdefault(boxset, {})[views.name] = whole
        per_class += _rows(split, boxset, views.name, whole)
    write_text(args.out_dir / "per_class.csv", flat_results(per_class, payload.evaluate.dialect))
    metrics = {
        "name": args.name,
        "metric": f"mAP@{payload.evaluate.iou:g}IOU",
        "config": payload.evaluate.model_dump(mode="json"),
        "members": list(_members(datasets[0].predictions)),
        "choices": [views.name for views in choices],
        "views": {views.name: list(_views(datasets[0].predictions, views)) for views in choices},
        "classes": [
            {"id": number, "name": name, "kind": kind}
            for number, name, kind in zip(classes.ids, classes.names, classes.kinds, strict=True)
        ],
        "inputs": {data.name: {"index": data.marks[0], "predictions": data.marks[1]} for data in datasets},
        "results": results,
        "skipped": skipped,
    }
    write_json(args.out_dir / "metrics.json", metrics)
    errors = {
        split: error_tables(
            pool,
            classes,
            payload.evaluate,
            {TRUTH_BOXES: unions.get((split, TRUTH, choices[-1].name))},
        )
        for split, pool in pools.items()
    }
    write_json(args.out_dir / "errors.json", {"name": args.name, "views": choices[-1].name, "splits": errors})
    return {
        "data sets": len(datasets),
        "results": len(combinations) - len(skipped),
        "without truth": len(skipped),
    }


def _read(index: Mapping[str, Sequence[Path]], predictions: Mapping[str, Sequence[Path]]) -> list[Dataset]:
    if set(index) != set(predictions):
        odd = sorted(set(index) ^ set(predictions))
        raise StageError(
            f"{', '.join(odd)} has only an index or only predictions", "command line", "give both"
        )
    datasets = []
    for name in index:
        table, index_mark = load_index(index[name], name)
        predicted, mark = load_predictions(predictions[name], name)
        if predicted.classes != table.classes:
            fix = "use predictions of a head with this class list"
            raise StageError("predictions and index have different class maps", name, fix)
        datasets.append(Dataset(name, table, predicted, (index_mark, mark)))
    if any(data.index.classes != datasets[0].index.classes for data in datasets):
        raise StageError(
            "the data sets have different class maps", "command line", "evaluate them one by one"
        )
    return datasets


def _classes(classes: Classes, kinds: Path | None) -> LabelMap:
    return label_map(classes.ids, classes.names, read_kinds(kinds, classes) if kinds else None)


def _scored(data: Dataset, split: str, boxset: str, views: Views) -> Scored:
    """Truth and detections of the evaluated keyframes of a split; excluded keyframes are on neither side."""
    rows = evaluated_rows(data.index, split)
    place = matching_rows(data.index, rows, data.predictions.keyframes, data.name)
    chosen = data.predictions.boxset(boxset, data.name).take(place)
    classes = data.predictions.classes
    scores = chosen.probabilities(views.of(chosen, data.name), classes.groups(), views.average)
    keyframes = data.predictions.keyframes.take(place)
    table = detections_table(keyframes, chosen, scores, classes.ids)
    return Scored(data.name, truth_table(data.index, rows), table)


def _members(predictions: Predictions) -> tuple[str, ...]:
    return predictions.members if isinstance(predictions, Fused) else ()


def _views(predictions: Predictions, views: Views) -> tuple[str, ...]:
    first = next(iter(predictions.boxsets.values()), None)
    return views.of(first, "predictions") if first else ()


def _times(annotations: Sequence[Path]) -> Truth | None:
    """The keyframes of all csv files that have any."""
    read = [read_truth(path, outside="keep")[0] for path in annotations if not is_empty(path)]
    return concat_truths(read) if read else None


def _write_submission(path: Path, detections: DetectionsTable, times: Truth | None, decimals: int) -> None:
    stream = io.StringIO()
    write_detections(stream, detections, truth=times, decimals=decimals)
    write_text(path, stream.getvalue())


def _rows(
    split: str, boxset: str, views: str, tables: Mapping[str, Mapping[str, object]]
) -> list[tuple[str, str, str, str, dict[str, object]]]:
    found = []
    for dataset, table in tables.items():
        rows = table["per_class"]
        assert isinstance(rows, list)
        found += [(split, boxset, views, dataset, row) for row in rows]
    return found

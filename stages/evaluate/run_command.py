"""Frame mAP of a run's predictions: by split, box set and choice of views, on each data set and their union.

Writes metrics.json (results[split][boxset][views][dataset or union]), per_class.csv and, for detected boxes and the last
choice of views, the detections of each split in the official csv form (submission-SPLIT.csv). Artifacts keep
milliseconds, official evaluators compare six decimals of a second: with --annotations the submission has the csv files' times.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path

from stages.evaluate.core import UNION, both_ways, counted, evaluate, metrics_json, pool_of, spelled
from stages.evaluate.datasets import (
    VIEWS_HELP,
    Dataset,
    add_inputs,
    read_inputs,
    scored_boxes,
    without_boxset,
)
from stages.evaluate.settings import ALL_VIEWS, Views, flat_results
from stages.lib.annotations.video_list import read_annotations
from stages.lib.annotations.write_csv import write_detections
from stages.lib.artifacts.predictions import DETECTED, TRUTH, Fused, Predictions
from stages.lib.artifacts.scored import excluded_rows
from stages.lib.cli import parse, run_stage, stage_parser
from stages.lib.config.payloads import EvaluatePayload
from stages.lib.files import is_empty, text_stream, write_json, write_text
from stages.lib.metrics.dialects import Dialect, dialect_named
from stages.lib.metrics.tables import DetectionsTable, Truth, concat_truths
from stages.lib.progress import track


def main(argv: Sequence[str]) -> int:
    """Run the command; returns the exit code."""
    parser = stage_parser("evaluate", __doc__)
    add_inputs(parser)
    parser.add_argument("--views", nargs="+", default=[ALL_VIEWS], help=VIEWS_HELP)
    parser.add_argument("--boxsets", nargs="+", default=[DETECTED], choices=[DETECTED, TRUTH])
    parser.add_argument(
        "--annotations",
        type=Path,
        nargs="*",
        default=[],
        help="official files with the exact times of the keyframes",
    )
    parser.add_argument("--out-dir", type=Path, required=True)
    args = parse(parser, argv)
    return run_stage("evaluate", EvaluatePayload, args, _work)


def _work(args: argparse.Namespace, payload: EvaluatePayload, text: str) -> dict[str, object]:
    datasets, classes = read_inputs(args)
    choices = [Views.parse(choice) for choice in args.views]
    times = _times(args.annotations)
    cfg, told = payload.evaluate, dict[str, object]()
    dialect = dialect_named(cfg.dialect, cfg.cap)
    results: dict[str, dict[str, dict[str, object]]] = {}
    skipped: list[str] = []
    per_class: list[tuple[str, str, str, str, dict[str, object]]] = []
    combinations = list(itertools.product(args.splits, args.boxsets, choices))
    for split, boxset, views in track(combinations, len(combinations), "evaluate"):
        lacking = without_boxset(datasets, TRUTH) if boxset == TRUTH else []
        if lacking:
            what = f"no answers on the boxes of the truth of {', '.join(lacking)}"
            skipped.append(f"{split}/{boxset}/{views.name}: {what}")
            continue
        scored = [scored_boxes(data, split, boxset, views, dialect) for data in datasets]
        if boxset == DETECTED and views == choices[-1]:
            _write_submission(
                args.out_dir / f"submission-{split}.csv",
                pool_of(scored).detections,
                times,
                cfg.decimals,
            )
        scored = [one for one in scored if len(one.truth.key_us)]
        present = [one for one in (counted(one, cfg.missing) for one in scored) if len(one.truth.key_us)]
        if not any(len(one.truth.video) for one in present):
            skipped.append(f"{split}/{boxset}/{views.name}: no keyframe with ground truth")
            continue
        found = evaluate(present, classes, cfg)
        table = metrics_json(found, classes, cfg)
        by_dataset = table.pop("datasets")
        assert isinstance(by_dataset, dict)
        whole: dict[str, dict[str, object]] = {**by_dataset, UNION: table}
        _note_excluded(whole, datasets, split, dialect)
        both = both_ways(scored, found, classes, cfg)
        for name, counts in both.items():
            if name in whole:
                whole[name]["missing"] = counts
        results.setdefault(split, {}).setdefault(boxset, {})[views.name] = whole
        if boxset == DETECTED:
            told[f"mAP of {split}"] = spelled(both[UNION]) if both else f"{found[UNION].mean_ap:.4f}"
        per_class += _rows(split, boxset, views.name, whole)
    write_text(args.out_dir / "per_class.csv", flat_results(per_class, cfg.dialect))
    metrics = {
        "name": args.name,
        "metric": f"mAP@{cfg.iou:g}IOU",
        "config": cfg.model_dump(mode="json"),
        "members": list(_members(datasets[0].predictions)),
        "choices": [views.name for views in choices],
        "views": {views.name: list(_views(datasets[0].predictions, views)) for views in choices},
        "classes": [
            {"id": number, "name": name, "kind": kind}
            for number, name, kind in zip(classes.ids, classes.names, classes.kinds, strict=True)
        ],
        "inputs": {data.name: dict(data.marks) for data in datasets},
        "results": results,
        "skipped": skipped,
    }
    write_json(args.out_dir / "metrics.json", metrics)
    return {
        "data sets": len(datasets),
        "results": len(combinations) - len(skipped),
        "skipped": len(skipped),
        **told,
    }


def _note_excluded(
    tables: Mapping[str, dict[str, object]], datasets: Sequence[Dataset], split: str, dialect: Dialect
) -> None:
    """Says in each data set's table, and in that of the union, how many keyframes are excluded."""
    numbers = {data.name: len(excluded_rows(data.index, split)) for data in datasets if data.name in tables}
    numbers[UNION] = sum(numbers.values())
    unlike = "" if dialect.use_exclusions else f", though the dialect {dialect.name} knows no exclusions file"
    for name, number in numbers.items():
        notes = tables[name]["notes"]
        assert isinstance(notes, list)
        notes += [f"{number} excluded keyframes are on neither side{unlike}"] if number else []


def _members(predictions: Predictions) -> tuple[str, ...]:
    return predictions.members if isinstance(predictions, Fused) else ()


def _views(predictions: Predictions, views: Views) -> tuple[str, ...]:
    first = next(iter(predictions.boxsets.values()), None)
    return views.of(first, "predictions") if first else ()


def _times(annotations: Sequence[Path]) -> Truth | None:
    """The keyframes of all csv files that have any."""
    read = [read_annotations(path, outside="keep")[0] for path in annotations if not is_empty(path)]
    return concat_truths(read) if read else None


def _write_submission(path: Path, detections: DetectionsTable, times: Truth | None, decimals: int) -> None:
    with text_stream(path) as stream:
        write_detections(stream, detections, truth=times, decimals=decimals)


def _rows(
    split: str, boxset: str, views: str, tables: Mapping[str, Mapping[str, object]]
) -> list[tuple[str, str, str, str, dict[str, object]]]:
    found = []
    for dataset, table in tables.items():
        rows = table["per_class"]
        assert isinstance(rows, list)
        found += [(split, boxset, views, dataset, row) for row in rows]
    return found

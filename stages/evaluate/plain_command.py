"""Frame mAP of a detections csv against a ground-truth csv (AVA or AVA-Kinetics form), without a pipeline.

metrics.json holds `mAP@0.5IOU`, `dialect`, `per_class` (id, name, kind, ap, truths), `counts`, `by_kind`,
`by_frequency` (head, middle and tail: thirds of the classes by number of truths), `notes`, and what the flags ask for.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from stages.evaluate import extras
from stages.evaluate.core import UNION, Scored, both_ways, counted, evaluate, metrics_json, spelled
from stages.evaluate.errors import error_tables
from stages.evaluate.errors_csv import csv_tables
from stages.evaluate.settings import read_kinds
from stages.lib.annotations.ava_csv import (
    ReadCounts,
    place_of_first,
    read_detections,
    read_exclusions,
    read_truth,
)
from stages.lib.annotations.labelmap import LabelMap, read_label_map
from stages.lib.cli import guarded
from stages.lib.config.evaluate import EvaluateConfig
from stages.lib.config.load import check
from stages.lib.errors import StageError
from stages.lib.files import write_json, write_text
from stages.lib.metrics.ava import repeated_detections
from stages.lib.metrics.tables import microseconds_to_milliseconds

_log = logging.getLogger("acarflow")


def main(argv: Sequence[str]) -> int:
    """Run the command; returns the exit code."""
    args = _parser().parse_args(argv)
    return guarded(lambda: _work(args))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m stages.evaluate",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--groundtruth", type=Path, required=True, help="csv with 8, 7 or (nobody there) 2 columns")
    add("--detections", type=Path, required=True, help="csv: video, time, box, action id, score")
    add("--labelmap", type=Path, required=True, help="pbtxt of the evaluated classes")
    add("--exclusions", type=Path, help="csv: video, time of excluded keyframes (2020 and pyslowfast)")
    add(
        "--lost", type=Path, help="csv: video, time of keyframes whose frames are missing (lost.csv of a run)"
    )
    add("--missing", default="count-as-miss", help="how --lost counts: count-as-miss (default) or ignore")
    add("--kinds", type=Path, help="csv: id, name, kind, to group classes otherwise than by AVA id")
    add("--dialect", default="official", help="official, 2020, pyslowfast or strict")
    add("--iou", type=float, default=0.5, help="least IoU of a true positive")
    add("--ious", type=float, nargs="+", default=[], help="further IoUs for which the AP is given")
    add("--bootstrap", type=int, default=0, help="resamples of the videos for a 95 %% interval")
    add("--compare", type=Path, help="detections of another model: is the difference more than luck?")
    add("--switches", action="store_true", help="mAP with each switch of the dialect turned alone")
    add("--persons", action="store_true", help="AP of the person boxes, whatever their actions")
    add("--curves", type=Path, help="csv to write: recall, precision and score of each class")
    add(
        "--errors",
        type=Path,
        metavar="DIR",
        help="folder for causes of errors, what-ifs, doubtful annotations",
    )
    add("--out", type=Path, required=True, help="json file to write")
    return parser


def _work(args: argparse.Namespace) -> None:
    cfg, *others = _settings(args)
    classes = read_label_map(args.labelmap)
    if args.kinds:
        classes = classes.with_kinds(read_kinds(args.kinds))
    whole, read = _read(args, classes)
    scored = counted(whole, cfg.missing)
    results = evaluate([scored], classes, cfg)
    result = results[UNION]
    of_files = result if scored is whole else evaluate([whole], classes, cfg)[UNION]
    repeated = repeated_detections(of_files, whole.detections)
    read["detections"] = replace(
        read["detections"],
        duplicates=len(repeated),
        first_duplicate=place_of_first(args.detections, repeated),
    )
    table = metrics_json(results, classes, cfg)
    table.pop("datasets")
    both = both_ways([whole], results, classes, cfg).get(UNION)
    if both:
        table["missing"] = both
    table["read"] = {name: asdict(counts) for name, counts in read.items()}
    known = extras.notes(whole, of_files, read["groundtruth"], read["detections"], args.detections)
    if args.exclusions and not result.dialect.use_exclusions:
        known.append(f"the dialect {result.dialect.name} does not use the exclusions file")
    notes = table["notes"]
    assert isinstance(notes, list)
    notes += known
    if others:
        table["by_iou"] = extras.by_iou(scored, classes, [cfg, *others])
    if args.switches:
        table["switches"] = extras.switches(scored, result)
    if args.persons:
        table["persons"] = extras.persons(scored, cfg.iou)
    if args.compare:
        rival, counts = read_detections(args.compare, classes)
        other = replace(whole, detections=rival)
        table["compared"] = extras.compared(counted(other, cfg.missing), classes, result, cfg)
        told = extras.detection_notes(other, of_files, counts, args.compare)
        known += told
        notes += told
    if args.curves:
        write_text(args.curves, extras.curves_csv(result, classes))
    if args.errors:
        tables = error_tables(scored, classes, cfg)
        write_json(args.errors / "errors.json", tables)
        for name, text in csv_tables(tables).items():
            write_text(args.errors / name, text)
    write_json(args.out, table)
    _log.info("mAP@%gIOU %.6f (dialect %s)", result.iou, result.mean_ap, result.dialect.name)
    if both:
        _log.info("mAP@%gIOU %s", result.iou, spelled(both))
    for note in notes:
        _log.info("%s: %s", "warning" if note in known else "note", note)


def _settings(args: argparse.Namespace) -> list[EvaluateConfig]:
    """The settings of the number itself, then the same with every further IoU."""
    raw = {"dialect": args.dialect, "bootstrap": args.bootstrap, "missing": args.missing}
    return [check(EvaluateConfig, {**raw, "iou": iou}, "command line") for iou in (args.iou, *args.ious)]


def _read(args: argparse.Namespace, classes: LabelMap) -> tuple[Scored, dict[str, ReadCounts]]:
    """All files, boxes as they stand; StageError with file and line for what cannot be read."""
    truth, truth_counts = read_truth(args.groundtruth, classes, outside="keep")
    if not len(truth.video):
        raise StageError(
            "no row of the ground truth has a box", str(args.groundtruth), "give rows with 7 or 8 columns"
        )
    detections, counts = read_detections(args.detections, classes)
    exclusions = read_exclusions(args.exclusions) if args.exclusions else set()
    lost = None
    if args.lost:
        lost = {(video, microseconds_to_milliseconds(us)) for video, us in read_exclusions(args.lost)}
    scored = Scored(str(args.groundtruth.absolute()), truth, detections, exclusions, lost)
    return scored, {"groundtruth": truth_counts, "detections": counts}

"""Frame mAP of a detections csv against a ground-truth csv (AVA or AVA-Kinetics form)."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from stages.evaluate.core import UNION, Scored, evaluate, metrics_json
from stages.evaluate.settings import read_kinds
from stages.lib.annotations.ava_csv import read_detections, read_exclusions, read_truth
from stages.lib.annotations.labelmap import read_label_map
from stages.lib.cli import guarded
from stages.lib.config.evaluate import EvaluateConfig
from stages.lib.config.load import check
from stages.lib.files import write_json

_log = logging.getLogger("acarflow")


def main(argv: Sequence[str]) -> int:
    """Run the command; returns the exit code."""
    args = _parser().parse_args(argv)
    return guarded(lambda: _work(args))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m stages.evaluate", description=__doc__)
    parser.add_argument(
        "--groundtruth", type=Path, required=True, help="csv with 8, 7 or (nobody there) 2 columns"
    )
    parser.add_argument(
        "--detections", type=Path, required=True, help="csv: video, time, box, action id, score"
    )
    parser.add_argument("--labelmap", type=Path, required=True, help="pbtxt of the evaluated classes")
    parser.add_argument(
        "--exclusions", type=Path, help="csv: video, time of excluded keyframes (dialects that use it)"
    )
    parser.add_argument(
        "--kinds", type=Path, help="csv: id, name, kind, to group classes otherwise than by AVA id"
    )
    parser.add_argument("--dialect", default="official", help="official, 2020, pyslowfast or strict")
    parser.add_argument("--iou", type=float, default=0.5, help="least IoU of a true positive")
    parser.add_argument(
        "--bootstrap", type=int, default=0, help="resamples of the videos for a 95 %% interval"
    )
    parser.add_argument("--out", type=Path, required=True, help="json file to write")
    return parser


def _work(args: argparse.Namespace) -> None:
    raw = {"dialect": args.dialect, "iou": args.iou, "bootstrap": args.bootstrap}
    cfg = check(EvaluateConfig, raw, "command line")
    classes = read_label_map(args.labelmap)
    if args.kinds:
        classes = classes.with_kinds(read_kinds(args.kinds))
    truth, truth_counts = read_truth(args.groundtruth, classes)
    detections, counts = read_detections(args.detections, classes)
    exclusions = read_exclusions(args.exclusions) if args.exclusions else set()
    results = evaluate([Scored("input", truth, detections, exclusions)], classes, cfg)
    table = metrics_json(results, classes, cfg)
    table.pop("datasets")
    table["read"] = {"groundtruth": asdict(truth_counts), "detections": asdict(counts)}
    write_json(args.out, table)
    union = results[UNION]
    _log.info("mAP@%gIOU %.6f (dialect %s)", union.iou, union.mean_ap, union.dialect.name)
    for note in table["notes"] if isinstance(table["notes"], list) else []:
        _log.info("note: %s", note)

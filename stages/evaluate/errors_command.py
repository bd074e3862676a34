"""Why a model's score is what it is: causes of errors on the union of a run's data sets, for one choice of views.

Writes {name, views, splits[split]: causes, confusions, what-ifs, doubtful annotations, examples} of the detected boxes. Where
there are answers on the boxes of the truth, their mAP is one of the what-ifs. Keyframes whose frames are missing count as
evaluate.missing says: as missed persons, or not at all.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from stages.evaluate.core import Scored, counted, measure, pool_of
from stages.evaluate.datasets import (
    VIEWS_HELP,
    Dataset,
    add_inputs,
    read_inputs,
    scored_boxes,
    without_boxset,
)
from stages.evaluate.errors import TRUTH_BOXES, error_tables
from stages.evaluate.settings import ALL_VIEWS, Views
from stages.lib.artifacts.predictions import DETECTED, TRUTH
from stages.lib.cli import parse, run_stage, stage_parser
from stages.lib.config.evaluate import EvaluateConfig
from stages.lib.config.payloads import EvaluatePayload
from stages.lib.files import write_json
from stages.lib.metrics.dialects import dialect_named


def main(argv: Sequence[str]) -> int:
    """Run the command; returns the exit code."""
    parser = stage_parser("evaluate", __doc__)
    add_inputs(parser)
    parser.add_argument("--views", default=ALL_VIEWS, help=VIEWS_HELP)
    parser.add_argument("--out", type=Path, required=True)
    return run_stage("evaluate", EvaluatePayload, parse(parser, argv), _work)


def _work(args: argparse.Namespace, payload: EvaluatePayload, text: str) -> dict[str, object]:
    datasets, classes = read_inputs(args)
    views, cfg = Views.parse(args.views), payload.evaluate
    splits = {}
    for split in args.splits:
        pool = _pool(datasets, split, DETECTED, views, cfg)
        if pool is None:
            continue
        on_truth = _pool(datasets, split, TRUTH, views, cfg)
        measured = {TRUTH_BOXES: measure(on_truth, classes, cfg)} if on_truth else {}
        splits[split] = error_tables(pool, classes, cfg, measured)
    write_json(args.out, {"name": args.name, "views": views.name, "splits": splits})
    return {"data sets": len(datasets), "splits": len(splits)}


def _pool(
    datasets: Sequence[Dataset], split: str, boxset: str, views: Views, cfg: EvaluateConfig
) -> Scored | None:
    """What counts of a split's keyframes, all data sets as one; None without any truth there, or where the box set lacks."""
    if boxset == TRUTH and without_boxset(datasets, TRUTH):
        return None
    dialect = dialect_named(cfg.dialect, cfg.cap)
    scored = [counted(scored_boxes(data, split, boxset, views, dialect), cfg.missing) for data in datasets]
    scored = [one for one in scored if len(one.truth.key_us)]
    return pool_of(scored) if any(len(one.truth.video) for one in scored) else None

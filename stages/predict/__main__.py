"""Classify the actions of every person box of a shard's evaluation keyframes, in every view."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from stages.lib.cli import parse, run_stage, stage_parser
from stages.lib.config.heads import score_of
from stages.lib.config.payloads import PredictPayload


def main(argv: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = stage_parser("predict", __doc__)
    parser.add_argument("--index", type=Path, required=True, help="index of the shard")
    parser.add_argument("--maps", type=Path, required=True, help="maps of the canonical view")
    parser.add_argument(
        "--views", type=Path, default=None, help="maps of the other views, where the config has any"
    )
    parser.add_argument("--detections", type=Path, required=True, help="person boxes of the shard")
    parser.add_argument("--bank", type=Path, default=None, help="bank of the shard, for heads that read one")
    parser.add_argument("--weights", type=Path, required=True, help="weights of the head")
    parser.add_argument("--dataset", help="data set of the shard, where some have a score of their own")
    parser.add_argument("--out", type=Path, required=True, help="predictions to write")
    return run_stage("predict", PredictPayload, parse(parser, argv), _work)


def _work(args: argparse.Namespace, payload: PredictPayload, text: str) -> dict[str, object]:
    from stages.lib.artifacts.predictions import DETECTED, TRUTH, BoxSet, Predictions
    from stages.lib.artifacts.provenance import Provenance
    from stages.lib.artifacts.reader import open_artifact
    from stages.lib.artifacts.schemas import BANK, DETECT, EXTRACT, INDEX, PREDICT
    from stages.lib.artifacts.tables import ROLE_EVAL, Boxes, Index, Keyframes
    from stages.lib.artifacts.writer import write_artifact
    from stages.lib.models.headfile import load_head
    from stages.lib.models.runtime import prepare
    from stages.predict.core import HeadInUse, logits_by_view, predicted_boxes
    from stages.predict.inputs import class_map, open_bank, open_views

    device = prepare(args.device, payload.threads)
    least = score_of(args.dataset, payload.min_scores, payload.min_score)
    trained = load_head(args.weights)
    trained.require_kind(payload.kind, str(args.weights))
    with ExitStack() as stack:
        index_file = stack.enter_context(open_artifact(args.index, INDEX))
        box_file = stack.enter_context(open_artifact(args.detections, DETECT))
        map_files = [
            stack.enter_context(open_artifact(path, EXTRACT)) for path in (args.maps, args.views) if path
        ]
        bank_file = stack.enter_context(open_artifact(args.bank, BANK)) if args.bank else None
        index = Index.read(index_file)
        Keyframes.read(box_file).require_same(index.keyframes, str(args.detections), str(args.index))
        classes = class_map(index, trained, str(args.weights))
        views = open_views(map_files, payload.views, index, trained)
        memory = open_bank(bank_file, trained, payload.memory, index, box_file, args.weights)
        rows, has_map = index.rows_with(ROLE_EVAL), views[payload.views[0]].has_K
        found = Boxes.read(box_file)
        boxes = {DETECTED: predicted_boxes(found, rows, has_map, least)}
        below = len(predicted_boxes(found, rows, has_map, 0.0)) - len(boxes[DETECTED])
        if index.classes.ids:
            boxes[TRUTH] = predicted_boxes(index.truth(), rows, has_map, 0.0)
        slots = payload.memory.slots if payload.memory else 0
        use = HeadInUse(trained.head, len(classes.ids), memory, slots)
        boxsets = {
            name: BoxSet(chosen, logits_by_view(use, views, index.keyframes, rows, chosen, device))
            for name, chosen in boxes.items()
        }
        files = [
            ("index", index_file),
            ("detections", box_file),
            *zip(("maps", "views"), map_files, strict=False),
        ]
        inputs = {name: file.fingerprint for name, file in files} | {"weights": trained.fingerprint}
        if bank_file is not None:
            inputs["bank"] = bank_file.fingerprint
        with write_artifact(
            args.out, PREDICT, Provenance("predict", payload.version, text, inputs)
        ) as writer:
            Predictions(index.keyframes.take(rows), classes, boxsets).write(writer)
    return {
        "keyframes": len(rows),
        "without map": int((~has_map[rows]).sum()),
        **{f"{name} boxes": len(chosen) for name, chosen in boxes.items()},
        f"boxes below {least:g}:": below,
        "views": len(views),
    }


if __name__ == "__main__":
    raise SystemExit(main())

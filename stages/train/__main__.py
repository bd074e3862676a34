"""Train a relation head on the cached context maps of one or more shards, and write weights and history."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from stages.lib.cli import parse, run_stage, stage_parser
from stages.lib.config.heads import score_of
from stages.lib.config.payloads import TrainPayload


def main(argv: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = stage_parser("train", __doc__)
    parser.add_argument(
        "--seed", type=int, required=True, help="seed of initialisation, order, jitter, dropout and slots"
    )
    parser.add_argument("--index", type=Path, nargs="+", required=True, help="index of each shard")
    parser.add_argument(
        "--maps", type=Path, nargs="+", required=True, help="canonical maps, in the order of --index"
    )
    parser.add_argument(
        "--detections", type=Path, nargs="+", required=True, help="person boxes, in the same order"
    )
    parser.add_argument(
        "--bank", type=Path, nargs="*", default=[], help="bank, in the same order, for heads that read one"
    )
    parser.add_argument(
        "--datasets",
        nargs="*",
        default=[],
        help="data set of each shard, for heads that mix them in a ratio, or where some have a score of their own",
    )
    parser.add_argument("--init", type=Path, default=None, help="weights of another head to start from")
    parser.add_argument("--out-weights", type=Path, required=True, help="safetensors file to write")
    parser.add_argument("--out-history", type=Path, required=True, help="json file to write")
    args = parse(parser, argv)
    return run_stage("train", TrainPayload, args, _work)


def _work(args: argparse.Namespace, payload: TrainPayload, text: str) -> dict[str, object]:
    from stages.lib.files import write_json
    from stages.lib.models.runtime import prepare
    from stages.lib.models.weights import load_weights, save_weights
    from stages.train.core import Task, input_scale, train_head
    from stages.train.initial import check_start, fresh_head, start_from
    from stages.train.inputs import open_inputs
    from stages.train.record import history, metadata
    from stages.train.samples import mixture_of, names_of, training_samples, validation_samples
    from stages.train.validate import truth_box_ap

    device, head_config = prepare(args.device, payload.threads, args.seed), payload.head
    with ExitStack() as stack:
        files = open_inputs(
            stack,
            args.index,
            args.maps,
            args.detections,
            args.bank,
            head_config,
            foreign_bank=payload.foreign_bank,
        )
        recipe = head_config.recipe
        names = names_of(args.datasets, files.shards)
        least = [score_of(name, recipe.box_scores, recipe.box_score) for name in names]
        samples = training_samples(files.shards, head_config.splits, box_scores=least, box_iou=recipe.box_iou)
        val = validation_samples(files.shards)
        mixture = mixture_of(samples, files.shards, args.datasets, head_config.ratio)
        task = Task(samples, files.maps, files.bank, files.classes.groups(), device, mixture)
        task.hold(val)
        channels = files.maps.channels() or 0
        scale = input_scale(files.maps, samples.owner_K)
        head = fresh_head(head_config, channels, len(files.classes.ids), scale, args.seed)
        init = load_weights(args.init) if args.init else None
        if init is not None:
            check_start(init.metadata, files.classes.ids, files.backbone_sha, str(args.init))
            start_from(head, init.tensors, str(args.init))
        records = train_head(head, task, head_config, args.seed)
        scores = truth_box_ap(head, task, val, files.classes) if len(val) else None
    facts = metadata(payload, files, channels, args.seed, init.fingerprint if init else None)
    save_weights(args.out_weights, head.state_dict(), facts)
    write_json(args.out_history, history(args.seed, records, samples, scores))
    shown = {"val mAP on truth boxes": round(scores["map"] or 0.0, 4)} if scores else {}  # type: ignore[call-overload]
    return {
        "keyframes": len(samples),
        "boxes": len(samples.boxes_N4),
        "loss": round(records[-1].loss, 5),
        **shown,
    }


if __name__ == "__main__":
    raise SystemExit(main())

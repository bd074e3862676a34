"""Fine-tune a person detector on the labelled keyframes of one data set, and write its weights and history."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from stages.lib.cli import parse, run_stage, stage_parser
from stages.lib.config.payloads import TrainDetectorPayload


def main(argv: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = stage_parser("train_detector", __doc__)
    parser.add_argument("--index", type=Path, nargs="+", required=True, help="index of each shard")
    parser.add_argument(
        "--decode", type=Path, nargs="+", required=True, help="cached frames, in the order of --index"
    )
    parser.add_argument("--init", type=Path, default=None, help="weights of another detector to start from")
    parser.add_argument("--out-weights", type=Path, required=True, help="safetensors file to write")
    parser.add_argument("--out-history", type=Path, required=True, help="json file to write")
    return run_stage("train_detector", TrainDetectorPayload, parse(parser, argv), _work)


def _work(args: argparse.Namespace, payload: TrainDetectorPayload, text: str) -> dict[str, object]:
    from stages.lib.files import write_json
    from stages.lib.models.runtime import prepare
    from stages.lib.models.weights import save_weights
    from stages.train_detector.core import train
    from stages.train_detector.keyframes import open_shards, select
    from stages.train_detector.record import history, metadata
    from stages.train_detector.starting import starting_weights

    device = prepare(args.device, payload.threads, payload.detector.train.seed)
    init = starting_weights(args.init) if args.init else None
    work = args.out_weights.parent / f".{args.out_weights.name}.work"
    with ExitStack() as stack:
        shards = open_shards(stack, args.index, args.decode)
        train_keys, val_keys = select(shards, "train"), select(shards, "val")
        trained = train(
            train_keys,
            val_keys,
            payload.detector,
            device=str(device),
            workdir=work,
            threads=payload.threads,
            init=init.tensors if init else None,
        )
        inputs = [mark for shard in shards for mark in shard.fingerprints]
    save_weights(
        args.out_weights,
        trained.state,
        metadata(payload, trained, inputs, init.fingerprint if init else None),
    )
    write_json(args.out_history, history(trained))
    shutil.rmtree(work, ignore_errors=True)
    scores = {"person AP@50": round(trained.curve.coco, 4)} if trained.curve else {}
    return {"keyframes": trained.keyframes[0], "val keyframes": trained.keyframes[1], **scores}


if __name__ == "__main__":
    raise SystemExit(main())

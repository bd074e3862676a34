"""Train a backbone to classify clips (Kinetics-style lists and files), and write its weights and history."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path

from stages.lib.cli import by_name, named_path, parse, run_stage, stage_parser
from stages.lib.config.payloads import PretrainPayload

_log = logging.getLogger(__name__)


def main(argv: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = stage_parser("pretrain", __doc__)
    parser.add_argument(
        "--classes",
        type=named_path,
        nargs="+",
        action="extend",
        required=True,
        metavar="SPLIT=CSV",
        help="clip-level classes per split",
    )
    parser.add_argument(
        "--videos", type=Path, required=True, help="folder of the files <id>_<start>_<end>.mp4"
    )
    parser.add_argument("--out-weights", type=Path, required=True, help="safetensors file to write")
    parser.add_argument("--out-history", type=Path, required=True, help="json file to write")
    return run_stage("pretrain", PretrainPayload, parse(parser, argv), _work)


def _work(args: argparse.Namespace, payload: PretrainPayload, text: str) -> dict[str, object]:
    from stages.lib.annotations.kinetics_csv import read_clip_list
    from stages.lib.files import file_sha, write_json
    from stages.lib.models.runtime import prepare
    from stages.lib.models.weights import save_weights
    from stages.pretrain.core import pretrain
    from stages.pretrain.labels import class_names, label_rows
    from stages.pretrain.reading import VideoFile, read_videos
    from stages.pretrain.record import history, metadata

    device = prepare(args.device, payload.threads)
    config, lists = payload.backbone, by_name(args.classes)
    clips = {split: [row for path in paths for row in read_clip_list(path)] for split, paths in lists.items()}
    classes = class_names(clips, lists)
    rate = payload.rate / config.sampling.stride
    sets, skipped = {}, {}
    for split in ("train", "val"):
        rows = clips.get(split, [])
        short_side = config.pretrain.short_side[1] if config.pretrain else 0
        files = [VideoFile(args.videos / row.clip.file_name, rate, short_side) for row in rows]
        sets[split], skipped[split] = read_videos(files, label_rows(rows, classes))
        for video in skipped[split]:
            _log.warning("skipped %s (%s): %s", video.name, video.status, video.reason)
    trained = pretrain(sets["train"], sets["val"], config, len(classes), device)
    inputs = {split: [file_sha(path) for path in paths] for split, paths in lists.items()}
    counts = {split: len(data) for split, data in sets.items()}
    save_weights(args.out_weights, trained.tensors, metadata(payload, classes, counts, inputs))
    write_json(args.out_history, history(trained, classes, counts, skipped))
    last = trained.epochs[-1]
    n_skipped = sum(map(len, skipped.values()))
    return {**counts, "skipped": n_skipped, "loss": round(last.loss, 4), "val top-1": last.val_top1}


if __name__ == "__main__":
    raise SystemExit(main())

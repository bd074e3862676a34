"""Fine-tune a whole network, backbone and head end to end, from a backbone's weights.

This version cannot do it yet: the command checks its settings and refuses, naming what to give instead. Its place in the
chain, its settings and its files are those of the training to come.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from stages.lib.cli import parse, run_stage, stage_parser
from stages.lib.config.payloads import FinetunePayload
from stages.lib.errors import StageError


def main(argv: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = stage_parser("finetune", __doc__)
    parser.add_argument("--index", type=Path, nargs="+", required=True, help="index of each shard")
    parser.add_argument(
        "--decode", type=Path, nargs="+", required=True, help="frames, in the order of --index"
    )
    parser.add_argument(
        "--detections", type=Path, nargs="+", required=True, help="person boxes, in the same order"
    )
    parser.add_argument(
        "--bank", type=Path, nargs="*", default=[], help="bank, in the same order, for heads that read one"
    )
    parser.add_argument(
        "--datasets", nargs="*", default=[], help="data set of each shard, where the config has a ratio"
    )
    parser.add_argument("--weights", type=Path, required=True, help="backbone weights to start from")
    parser.add_argument("--init", type=Path, default=None, help="head weights to start from")
    parser.add_argument("--out-weights", type=Path, required=True, help="backbone to write (safetensors)")
    parser.add_argument("--out-head", type=Path, required=True, help="head to write (safetensors)")
    parser.add_argument("--out-history", type=Path, required=True, help="json file to write")
    return run_stage("finetune", FinetunePayload, parse(parser, argv), _work)


def _work(args: argparse.Namespace, payload: FinetunePayload, text: str) -> dict[str, object]:
    recipe = payload.backbone.finetune
    head = recipe.head if recipe else "<head>"
    raise StageError(
        "this version cannot train whole networks (backbone and head end to end) yet",
        str(args.config),
        "give trained backbone weights as backbones.<key>.weights of this backbone (`python -m stages.checkpoint import` "
        f"reads published ones); heads.{head} is then trained on cached maps, or give its weights, too, as heads.{head}.weights",
    )


if __name__ == "__main__":
    raise SystemExit(main())

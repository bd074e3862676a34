"""Look into the relations of a few people of one data set: which places of the frame they read, and what for.

People come from the validation keyframes (else from what has keyframes) of the predictions of one ACAR head; its last HR2O
layer is read in the canonical view, without its bank if it has one.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from stages.lib.cli import parse, run_stage, stage_parser
from stages.lib.config.payloads import RelationsPayload

_MANY = (
    ("--index", "index of every shard"),
    ("--maps", "maps of the canonical view of every shard"),
    ("--predictions", "predictions of the head for every shard"),
)


def main(argv: Sequence[str]) -> int:
    """Run the command; returns the exit code."""
    parser = stage_parser("report", __doc__)
    for flag, text in _MANY:
        parser.add_argument(flag, type=Path, nargs="+", required=True, help=text)
    parser.add_argument("--weights", type=Path, required=True, help="weights of the head")
    parser.add_argument("--name", required=True, help="how the report calls the head")
    parser.add_argument(
        "--metrics", type=Path, help="metrics.json of evaluate, which knows the kinds of classes"
    )
    parser.add_argument("--out", type=Path, required=True, help="file to write")
    return run_stage("report", RelationsPayload, parse(parser, argv), _work)


def _work(args: argparse.Namespace, payload: RelationsPayload, text: str) -> dict[str, object]:
    from stages.lib.artifacts.lineage import input_of, require_input
    from stages.lib.artifacts.loading import joint_fingerprint, load_index, load_predictions
    from stages.lib.artifacts.provenance import Provenance
    from stages.lib.artifacts.reader import open_artifact
    from stages.lib.artifacts.schemas import ATTENTION, EXTRACT, PREDICT
    from stages.lib.artifacts.writer import write_artifact
    from stages.lib.errors import StageError
    from stages.lib.files import file_sha
    from stages.lib.models.headfile import load_head
    from stages.lib.models.heads import AcarHead
    from stages.lib.models.runtime import prepare
    from stages.report.attention import canonical_maps, look
    from stages.report.metrics import read_models

    device = prepare(args.device, payload.threads)
    trained = load_head(args.weights)
    if not isinstance(trained.head, AcarHead):
        fix = "give the weights of a head of kind acar, acar-afb or acar-acfb"
        raise StageError(f"a head of kind {trained.kind} has no relations", str(args.weights), fix)
    kinds: dict[int, str] = {}
    inputs = {"weights": trained.fingerprint}
    if args.metrics:
        (model,) = read_models({args.name: [args.metrics]})
        kinds = {int(row["id"]): str(row["kind"]) for row in model.seeds[0]["classes"]}
        inputs["metrics"] = file_sha(args.metrics)
    index, inputs["index"] = load_index(args.index, "--index")
    with ExitStack() as stack:
        for path in args.predictions:
            file = stack.enter_context(open_artifact(path, PREDICT))
            require_input(
                file, "weights", trained.fingerprint, f"relations are to be shown of {args.weights},"
            )
        map_files = [stack.enter_context(open_artifact(path, EXTRACT)) for path in args.maps]
        for file in map_files:
            trained.require_backbone(input_of(file, "weights"), str(file.path))
        inputs["maps"] = joint_fingerprint([file.fingerprint for file in map_files])
        predictions, inputs["predictions"] = load_predictions(args.predictions, "--predictions")
        maps = canonical_maps(map_files)
        found = look(
            trained.head.to(device), args.name, index, predictions, maps, kinds, payload.relations, device
        )
    origin = Provenance("report", payload.version, text, inputs)
    with write_artifact(args.out, ATTENTION, origin) as writer:
        found.write(writer)
    return {"people": len(found.maps), "keyframes": len(found.keyframes)}

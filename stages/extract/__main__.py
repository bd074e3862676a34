"""Extract the time-pooled slow and fast feature maps of one shard's keyframes, in every view."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from stages.lib.cli import parse, run_stage, stage_parser
from stages.lib.config.payloads import ExtractPayload


def main(argv: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = stage_parser("extract", __doc__)
    parser.add_argument("--index", type=Path, required=True, help="index of the shard")
    parser.add_argument("--decode", type=Path, required=True, help="cached frames of the shard")
    parser.add_argument("--weights", type=Path, required=True, help="weights of the backbone")
    parser.add_argument("--out", type=Path, required=True, help="maps of the canonical view, all keyframes")
    parser.add_argument(
        "--out-views", type=Path, default=None, help="maps of the other views, eval keyframes only"
    )
    return run_stage("extract", ExtractPayload, parse(parser, argv), _work)


def _work(args: argparse.Namespace, payload: ExtractPayload, text: str) -> dict[str, object]:
    import numpy as np

    from stages.extract.core import Extractor, Normalisation, plan_batches
    from stages.extract.loader import Request
    from stages.extract.run import Job, Outputs, run
    from stages.extract.weights import load_backbone
    from stages.lib.artifacts.frames import FrameReader
    from stages.lib.artifacts.provenance import Provenance
    from stages.lib.artifacts.reader import open_artifact
    from stages.lib.artifacts.schemas import DECODE, EXTRACT, INDEX
    from stages.lib.artifacts.tables import ROLE_BANK, ROLE_EVAL, ROLE_TRAIN, Index
    from stages.lib.artifacts.writer import write_artifact
    from stages.lib.errors import StageError
    from stages.lib.geometry.views import parse_views
    from stages.lib.models.engines import build_engine
    from stages.lib.models.runtime import prepare
    from stages.lib.video.sampling import centre_frames, clip_windows

    device, config = prepare(args.device, payload.threads), payload.backbone
    canonical, *others = parse_views(payload.views)
    if others and args.out_views is None:
        raise StageError(
            f"there are {len(others)} views beside the canonical one", "--out-views", "name the file for them"
        )
    backbone = load_backbone(args.weights, config, payload.rate)
    extractor = Extractor(
        build_engine(backbone.network, payload.engine, payload.precision, device, payload.threads),
        Normalisation(config.mean, config.std),
        device,
        alpha=backbone.network.alpha,
        rule=config.sampling.slow_rule,
    )
    with ExitStack() as stack:
        index_file = stack.enter_context(open_artifact(args.index, INDEX))
        frame_file = stack.enter_context(open_artifact(args.decode, DECODE, near=True))
        index, frames = Index.read(index_file), FrameReader(frame_file)
        frames.keyframes.require_same(index.keyframes, str(args.decode), str(args.index))
        video = index.keyframes.video
        sound = [frames.status[row] == "ok" and frames.has_clip(row) for row in range(len(frames.status))]
        has_clip = np.array(sound, bool)[video] & (np.diff(frame_file.read("key/offsets")) > 0)
        roles = {
            "all": ROLE_TRAIN | ROLE_EVAL | ROLE_BANK,
            "labelled": ROLE_TRAIN | ROLE_EVAL,
            "evaluated": ROLE_EVAL,
        }
        wanted = has_clip & ((index.roles & roles[payload.keyframes]) > 0)
        centres = centre_frames(index.relative_seconds(), payload.rate)
        windows = clip_windows(centres, config.sampling.fast_frames, config.sampling.stride)
        requests = [Request(int(owner), window) for owner, window in zip(video, windows, strict=True)]
        plans = plan_batches(wanted, frames.clip_size[video], payload.batch)
        inputs = {
            "index": index_file.fingerprint,
            "decode": frame_file.fingerprint,
            "weights": backbone.fingerprint,
        }
        origin = Provenance("extract", payload.version, text, inputs)
        paths = [path for path in (args.out, args.out_views) if path is not None]
        writers = [stack.enter_context(write_artifact(path, EXTRACT, origin)) for path in paths]
        for writer in writers:
            index.keyframes.write(writer)
        outputs = Outputs(writers[0], writers[-1], canonical, tuple(others))
        job = Job(requests, plans, (index.roles & ROLE_EVAL) > 0, int(wanted.sum()))
        counts = run(extractor, job, frames, outputs)
        size_K2 = frames.clip_size[video]
        for place, view in enumerate((canonical, *others)):
            pixels = [view.size(h, w) if h and w else (0, 0) for w, h in size_K2.tolist()]
            writers[-1 if place else 0].put(
                f"views/{view.name}/size", np.array(pixels, np.int32).reshape(-1, 2)
            )
    return {"keyframes": len(video), "without frames": int((~has_clip).sum()), **counts}


if __name__ == "__main__":
    raise SystemExit(main())

"""Find the people on every keyframe of a shard, with a detector or from a csv in the PySlowFast form."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from stages.lib.cli import parse, run_stage, stage_parser
from stages.lib.config.payloads import DetectPayload
from stages.lib.config.sheets import read_manifest

if TYPE_CHECKING:
    from stages.detect.core import KeyframeBoxes
    from stages.lib.artifacts.reader import Artifact
    from stages.lib.artifacts.tables import Index

SHOWN_LINES = 10
_log = logging.getLogger(__name__)


def main(argv: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = stage_parser("detect", __doc__)
    parser.add_argument("--index", type=Path, required=True, help="index of the shard")
    parser.add_argument("--decode", type=Path, required=True, help="cached frames of the shard")
    origin = parser.add_mutually_exclusive_group(required=True)
    origin.add_argument("--weights", type=Path, help="weights of the detector (safetensors, or mmdet's .pth)")
    origin.add_argument("--boxes", type=Path, help="csv of boxes: video,second,x1,y1,x2,y2,,score")
    parser.add_argument(
        "--manifest",
        type=Path,
        nargs="*",
        default=[],
        help="tsv of the videos of every shard, whose names may stand in the csv (else only this shard's)",
    )
    parser.add_argument("--out", type=Path, required=True, help="boxes to write")
    return run_stage("detect", DetectPayload, parse(parser, argv), _work)


def _work(args: argparse.Namespace, payload: DetectPayload, text: str) -> dict[str, object]:
    from stages.lib.artifacts.provenance import Provenance
    from stages.lib.artifacts.reader import open_artifact
    from stages.lib.artifacts.schemas import DECODE, DETECT, INDEX
    from stages.lib.artifacts.tables import Boxes, Index, Keyframes
    from stages.lib.artifacts.writer import write_artifact
    from stages.lib.files import file_sha

    near = args.boxes is None  # given boxes need no pictures
    with (
        open_artifact(args.index, INDEX) as index_file,
        open_artifact(args.decode, DECODE, near=near) as frame_file,
    ):
        index = Index.read(index_file)
        Keyframes.read(frame_file).require_same(index.keyframes, str(args.decode), str(args.index))
        inputs = {"index": index_file.fingerprint, "decode": frame_file.fingerprint}
        if args.boxes is not None:
            found, missing = _given(args, index), 0
            inputs["boxes"] = file_sha(args.boxes)
        else:
            found, missing = _detected(args, payload, frame_file)
            inputs["weights"] = file_sha(args.weights)
        with write_artifact(args.out, DETECT, Provenance("detect", payload.version, text, inputs)) as writer:
            index.keyframes.write(writer)
            Boxes(found.row_splits, found.boxes, found.scores).write(writer)
    return {"keyframes": len(index.keyframes), "without picture": missing, "boxes": len(found.boxes)}


def _given(args: argparse.Namespace, index: Index) -> KeyframeBoxes:
    """Boxes of this shard's videos from a csv of the whole data set; rows on no keyframe are named in the log."""
    from stages.detect.external import place_boxes, read_boxes
    from stages.detect.names import spellings

    ids = index.keyframes.video_ids
    names = [*zip(ids, index.name, strict=True)]
    names += [(video.video, video.name) for path in args.manifest for video in read_manifest(path)]
    own = read_boxes(args.boxes, spellings(names), set(ids))
    placed = place_boxes(own, index.keyframes.keys())
    _log.info(
        "%d boxes are given, %d of them clipped to the frame; %d more of videos of other shards",
        len(own.lines),
        own.clipped.sum(),
        own.others,
    )
    if placed.unused:
        shown = ", ".join(map(str, placed.unused[:SHOWN_LINES])) + ", ..." * (
            len(placed.unused) > SHOWN_LINES
        )
        _log.warning(
            "%s: %d boxes lie on no keyframe and are not used: line %s", args.boxes, len(placed.unused), shown
        )
    return placed.boxes


def _detected(
    args: argparse.Namespace, payload: DetectPayload, frame_file: Artifact
) -> tuple[KeyframeBoxes, int]:
    """Boxes of a detector on every keyframe that has a picture, and how many have none."""
    import numpy as np

    from stages.detect.core import KeyframeBoxes, detect_people
    from stages.detect.weights import open_detector
    from stages.lib.artifacts.frames import FrameReader
    from stages.lib.artifacts.tables import splits_of
    from stages.lib.models.runtime import prepare
    from stages.lib.progress import track
    from stages.lib.video.jpeg import decode_jpeg

    device = prepare(args.device, payload.threads)
    detector = open_detector(args.weights, payload.detector, str(device))
    frames = FrameReader(frame_file)
    has_picture = np.diff(frame_file.read("key/offsets")) > 0
    rows = np.flatnonzero(has_picture).tolist()
    pictures = (decode_jpeg(frames.key(row)) for row in track(rows, len(rows), "detect"))
    found = detect_people(pictures, detector, detector.cfg.batch)
    counts = np.zeros(len(has_picture), np.int64)
    counts[rows] = np.diff(found.row_splits)
    return KeyframeBoxes(found.boxes, found.scores, splits_of(counts)), int((~has_picture).sum())


if __name__ == "__main__":
    raise SystemExit(main())

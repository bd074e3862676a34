"""Draw one data set of the playground: H.264 videos and annotations in the official formats."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from stages.lib.cli import parse, run_stage, stage_parser
from stages.lib.config.payloads import SynthesizePayload
from stages.lib.config.playground import CLIPS, MOVIES
from stages.lib.files import fsync_dir, temporary_beside
from stages.synthesize.annotations import annotation_files
from stages.synthesize.batch import make_videos


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = stage_parser("synthesize", __doc__)
    parser.add_argument("--dataset", choices=(MOVIES, CLIPS), required=True, help="which data set to draw")
    parser.add_argument(
        "--out-videos", type=Path, required=True, help="folder of the videos, made in one step"
    )
    parser.add_argument(
        "--out-annotations", type=Path, required=True, help="folder of the csv files, made in one step"
    )
    parser.add_argument("--workers", type=int, default=2, help="number of processes")
    return run_stage("synthesize", SynthesizePayload, parse(parser, argv), _work)


def _work(args: argparse.Namespace, payload: SynthesizePayload, _: str) -> Mapping[str, object]:
    cfg = payload.synthesize
    with _whole_folder(args.out_videos) as videos, _whole_folder(args.out_annotations) as annotations:
        truths = make_videos(cfg, args.dataset, videos, args.workers)
        for name, text in annotation_files(args.dataset, truths, cfg.memory_window).items():
            (annotations / name).write_text(text)
    keyframes = [frame for _, frames in truths for frame in frames]
    people = sum(len(frame.people) for frame in keyframes)
    return {"videos": len(truths), "keyframes": len(keyframes), "boxes": people}


@contextmanager
def _whole_folder(target: Path) -> Iterator[Path]:
    """A temporary folder beside `target` that takes its place on success and is removed on any error."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_beside(target)
    temporary.mkdir()
    try:
        yield temporary
        shutil.rmtree(target, ignore_errors=True)
        temporary.replace(target)
        fsync_dir(target.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())

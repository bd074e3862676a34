"""Draw one data set of the playground: H.264 videos and annotations in the official formats."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import cv2

from stages.lib.artifacts.files import fsync_dir
from stages.lib.cli import parse, run_stage, stage_parser
from stages.lib.config.payloads import SynthesizePayload
from stages.lib.config.playground import CLIPS, MOVIES
from stages.lib.config.synthesize import SynthesizeConfig
from stages.lib.progress import track
from stages.synthesize.annotations import Truths, annotation_files
from stages.synthesize.core import VideoTask, tasks, video_drawings
from stages.synthesize.encode import write_video
from stages.synthesize.truth import KeyframeTruth


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = stage_parser("synthesize", __doc__)
    parser.add_argument("--dataset", choices=(MOVIES, CLIPS), required=True, help="which data set to draw")
    parser.add_argument("--out-videos", type=Path, required=True, help="folder of the videos, made in one step")
    parser.add_argument("--out-annotations", type=Path, required=True, help="folder of the csv files, made in one step")
    parser.add_argument("--workers", type=int, default=2, help="number of processes")
    return run_stage("synthesize", SynthesizePayload, parse(parser, argv), _work)


def _work(args: argparse.Namespace, payload: SynthesizePayload, _: str) -> Mapping[str, object]:
    cfg = payload.synthesize
    with _whole_folder(args.out_videos) as videos, _whole_folder(args.out_annotations) as annotations:
        truths = _make_videos(cfg, args.dataset, videos, args.workers)
        for name, text in annotation_files(args.dataset, truths, cfg.memory_window).items():
            (annotations / name).write_text(text)
    keyframes = [frame for _, frames in truths for frame in frames]
    people = sum(len(frame.people) for frame in keyframes)
    return {"videos": len(truths), "keyframes": len(keyframes), "boxes": people}


def _make_videos(cfg: SynthesizeConfig, dataset: str, folder: Path, workers: int) -> Truths:
    """Draw and encode every video of the data set into `folder`; truths in the order of the list."""
    todo = tasks(cfg, dataset)
    make = partial(_make_video, cfg, folder)
    if workers <= 1:
        made = [make(task) for task in track(todo, len(todo), "videos")]
    else:
        with multiprocessing.get_context("spawn").Pool(workers, cv2.setNumThreads, (1,)) as pool:
            parts = pool.imap(make, todo, chunksize=1 if dataset == MOVIES else 8)
            made = list(track(parts, len(todo), "videos"))
    return list(zip(todo, made, strict=True))


def _make_video(cfg: SynthesizeConfig, folder: Path, task: VideoTask) -> tuple[KeyframeTruth, ...]:
    form, drawings, truths = video_drawings(cfg, task)
    write_video(folder / task.video.file, form, drawings, cfg.crf)
    return truths


@contextmanager
def _whole_folder(target: Path) -> Iterator[Path]:
    """A temporary folder beside `target` that takes its place on success and is removed on any error."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.tmp.{os.getpid()}")
    shutil.rmtree(temporary, ignore_errors=True)
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

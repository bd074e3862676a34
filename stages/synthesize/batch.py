"""Drawing and encoding many videos, in several processes."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import cv2

from stages.lib.config.synthesize import SynthesizeConfig
from stages.lib.parallel import in_processes
from stages.lib.progress import track
from stages.synthesize.annotations import Truths
from stages.synthesize.core import VideoTask, tasks, video_drawings
from stages.synthesize.encode import write_video
from stages.synthesize.truth import KeyframeTruth


def make_videos(cfg: SynthesizeConfig, dataset: str, folder: Path, workers: int) -> Truths:
    """Draw and encode every video of the data set into `folder`; truths in the order of the list."""
    todo = tasks(cfg, dataset)
    make = partial(make_video, cfg, folder)
    made = list(track(in_processes(make, todo, workers), len(todo), "videos"))
    return list(zip(todo, made, strict=True))


def make_video(cfg: SynthesizeConfig, folder: Path, task: VideoTask) -> tuple[KeyframeTruth, ...]:
    """Write one video file; returns its truth (none for classified clips)."""
    cv2.setNumThreads(1)
    form, drawings, truths = video_drawings(cfg, task)
    write_video(folder / task.video.file, form, drawings, cfg.crf)
    return truths

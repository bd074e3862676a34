"""Frame trees among the sources of decode: what they hold, and whether their frames were extracted at the rate that is set."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stages.lib.annotations.kinetics_csv import parse_clip_name
from stages.lib.files import file_sha
from stages.lib.video.source import Engine, FrameSource, VideoError, VideoInfo, open_video
from stages.lib.video.tree_source import frame_files

SLACK: Final = 1.1
"""Lengths that differ by this factor are not those of one rate (30 Hz instead of 25 is 1.2)."""


@contextmanager
def open_source(
    path: Path | None, relative: NDArray[np.float64], short_side: int, tree_rate: float, engine: Engine
) -> Iterator[FrameSource]:
    """Open a video, or a frame tree of `tree_rate` Hz with keyframes at `relative` (K,) seconds, for clips of `short_side`.

    Raises:
        VideoError: it cannot be read, or the images of a tree were extracted at another rate.
    """
    with open_video(path, engine, unscaled_side=short_side, tree_rate=tree_rate) as source:
        if source.engine == "images" and path is not None:
            require_rate(source.info, relative, clip_seconds(path.name))
        yield source


def require_rate(info: VideoInfo, relative: NDArray[np.float64], claimed: float | None) -> None:
    """VideoError where a tree is far from its `claimed` seconds, or ends far before a keyframe at `relative` (K,) seconds."""
    last = float(relative.max(initial=0.0))
    if claimed is not None and not claimed / SLACK <= info.end <= claimed * SLACK:
        expected = f"its name says {claimed:g} s"
    elif last > info.end * SLACK:
        expected = f"there is a keyframe at {last:.1f} s"
    else:
        return
    raise VideoError(
        f"{info.frames} images are {info.end:.1f} s at {info.rate:g} Hz, but {expected}: "
        "extracted at another rate (datasets.<key>.tree_rate), or cut off"
    )


def clip_seconds(name: str) -> float | None:
    """The length that a Kinetics name `<id>_<start>_<end>` tells."""
    clip = parse_clip_name(name)
    return None if clip is None else clip.end - clip.start


def source_sha(path: Path) -> str:
    """sha256 of a video file, or of the names and contents of a tree's images; OSError or VideoError without them."""
    if not path.is_dir():
        return file_sha(path)
    digest = hashlib.sha256()
    for file in frame_files(path):
        digest.update(f"{file.name} {file_sha(file)}\n".encode())
    return digest.hexdigest()

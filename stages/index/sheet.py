"""Write the data-set sheet of a real data set once: which annotated videos there are, and in which files.

AVA files are called `<id>.mp4` (or .mkv, .webm), Kinetics clips `<id>_<start:06d>_<end:06d>.mp4`, flat or in one folder per
class; folders of these names with numbered images in them (frame trees) stand for videos, too. Annotated videos without a
file are listed with an empty path, so that coverage counts them as missing.
"""

from __future__ import annotations

import argparse
import logging
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from stages.index.sources import find_sources
from stages.index.split_files import split_files
from stages.lib.annotations.kinetics_csv import Clip, parse_clip_name
from stages.lib.annotations.video_list import read_annotations
from stages.lib.cli import guarded
from stages.lib.config.sheets import Video, sheet_text
from stages.lib.errors import StageError
from stages.lib.files import write_text
from stages.lib.metrics.tables import Truth

_CLIP_SECONDS = 10.0
_log = logging.getLogger("acarflow")


def main(argv: Sequence[str]) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m stages.index sheet", description=__doc__)
    parser.add_argument(
        "--format", choices=("ava", "ava-kinetics"), required=True, help="which file names to look for"
    )
    parser.add_argument(
        "--videos", type=Path, required=True, help="folder of the videos (datasets.<key>.videos)"
    )
    parser.add_argument(
        "--annotations", nargs="+", required=True, metavar="SPLIT=CSV", help="official csv per split"
    )
    parser.add_argument(
        "--start",
        type=float,
        default=0.0,
        help="original time of the first frame of AVA files (900 for the cut quarter hours)",
    )
    parser.add_argument("--out", type=Path, required=True, help="sheet (tsv) to write")
    args = parser.parse_args(argv)
    return guarded(lambda: _write(args))


def _write(args: argparse.Namespace) -> None:
    if not args.videos.is_dir():
        raise StageError(
            "there is no such folder", str(args.videos), "give the folder of the videos with --videos"
        )
    files = find_sources(args.videos)
    truths = {
        split: read_annotations(path)[0]
        for split, path in split_files(args.annotations, "annotations").items()
    }
    rows = ava_sheet(files, truths, args.start) if args.format == "ava" else kinetics_sheet(files, truths)
    write_text(args.out, sheet_text(rows))
    for split in truths:
        states = Counter(bool(row.path) for row in rows if row.split == split)
        _log.info("%s: %d files, %d missing", split, states[True], states[False])


def ava_sheet(files: Sequence[str], truths: Mapping[str, Truth], start: float) -> list[Video]:
    """A row per annotated video, with the file called after it, or an empty path."""
    by_id: dict[str, str] = {}
    for file in files:
        by_id.setdefault(Path(file).stem, file)
    rows = [
        Video(video, by_id.get(video, ""), split, start, video)
        for split, truth in truths.items()
        for video in truth.videos
    ]
    return sorted(_once(rows), key=lambda row: (row.video, row.start))


def kinetics_sheet(files: Sequence[str], truths: Mapping[str, Truth]) -> list[Video]:
    """A row per clip that holds an annotated keyframe, and one with an empty path per keyframe that no clip holds."""
    clips: dict[str, dict[Clip, str]] = defaultdict(dict)
    for file in files:
        clip = parse_clip_name(Path(file).name)
        if clip is not None:
            clips[clip.video].setdefault(clip, file)
    rows = []
    for split, truth in truths.items():
        for place, seconds in zip(truth.key_video.tolist(), truth.key_seconds.tolist(), strict=True):
            rows.append(_clip_row(truth.videos[place], seconds, split, clips.get(truth.videos[place], {})))
    return sorted(_once(rows), key=lambda row: (row.video, row.start))


def _clip_row(video: str, seconds: float, split: str, clips: Mapping[Clip, str]) -> Video:
    holding = [clip for clip in clips if clip.start <= seconds <= clip.end]
    if not holding:
        return Video(video, "", split, max(0.0, round(seconds - _CLIP_SECONDS / 2, 3)), video)
    clip = min(holding, key=lambda clip: (abs(clip.middle - seconds), clip))
    return Video(video, clips[clip], split, clip.start, video)


def _once(rows: Sequence[Video]) -> Iterator[Video]:
    """Rows without repetition; a file that two splits claim stays with the first and is told."""
    seen: dict[tuple[str, float], Video] = {}
    for row in rows:
        first = seen.setdefault((row.video, row.start), row)
        if first is row:
            yield row
        elif first.split != row.split:
            _log.info(
                "%s at %g s is annotated in %s and %s; kept in %s",
                row.video,
                row.start,
                first.split,
                row.split,
                first.split,
            )

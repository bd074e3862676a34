"""Write the data-set sheet of a real data set once: which annotated videos there are, and in which files.

AVA files are called `<id>.mp4` (or .mkv, .webm), Kinetics clips `<id>_<start:06d>_<end:06d>.mp4`, flat or in one folder per
class; or `<id>.mp4`, where --clips gives the Kinetics-700 lists that tell their times. Folders of these names with numbered
images in them (frame trees) stand for videos, too. Annotated videos without a file are listed with an empty path, so that
coverage counts them as missing.
"""

from __future__ import annotations

import argparse
import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from stages.index.clips import FilesByVideo, find_clips
from stages.index.sources import find_sources
from stages.index.split_files import split_files
from stages.lib.annotations.kinetics_csv import Clip, choose_clip, read_clip_list
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
    parser.add_argument(
        "--clips",
        type=Path,
        nargs="+",
        default=[],
        metavar="CSV",
        help="Kinetics-700 lists (label,youtube_id,time_start,time_end,split), for files without times in their names",
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
    if args.format == "ava":
        rows = ava_sheet(files, truths, args.start)
    else:
        clips, left = find_clips(
            files, [row for path in args.clips for row in read_clip_list(path, with_labels=False)]
        )
        rows = kinetics_sheet(clips, truths)
        for what, count in left.items():
            _log.warning("%s: %d %s", args.videos, count, what)
    write_text(args.out, sheet_text(rows))
    for split in truths:
        states = Counter(bool(row.path) for row in rows if row.split == split)
        _log.info("%s: %d files, %d missing", split, states[True], states[False])


def ava_sheet(files: Sequence[str], truths: Mapping[str, Truth], start: float) -> list[Video]:
    """A row per annotated video, with the file called after it, or an empty path."""
    by_id: dict[str, str] = {}
    for file in files:
        first = by_id.setdefault(Path(file).stem, file)
        if first != file:
            _log.warning("%s and %s are one video by their names; the first is used", first, file)
    rows = [
        Video(video, by_id.get(video, ""), split, start, video)
        for split, truth in truths.items()
        for video in truth.videos
    ]
    return sorted(_once(rows), key=lambda row: (row.video, row.start))


def kinetics_sheet(clips: FilesByVideo, truths: Mapping[str, Truth]) -> list[Video]:
    """A row per clip that holds an annotated keyframe, and one with an empty path per keyframe that no clip holds."""
    rows = []
    for split, truth in truths.items():
        for place, seconds in zip(truth.key_video.tolist(), truth.key_seconds.tolist(), strict=True):
            rows.append(_clip_row(truth.videos[place], seconds, split, clips.get(truth.videos[place], {})))
    return sorted(_once(rows), key=lambda row: (row.video, row.start))


def _clip_row(video: str, seconds: float, split: str, clips: Mapping[Clip, str]) -> Video:
    clip = choose_clip(tuple(clips), seconds)
    if clip is None:
        return Video(video, "", split, max(0.0, round(seconds - _CLIP_SECONDS / 2, 3)), video)
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

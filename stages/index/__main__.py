"""Index a shard: keyframes with their roles and ground truth, from the official files.

Two more commands stand beside it: `python -m stages.index sheet` lists the videos of a real data set once, and
`python -m stages.index coverage` tells what became of every video and of every class's boxes.
"""

from __future__ import annotations

import argparse
import hashlib
import logging
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from stages.index.split_files import read_splits, split_files
from stages.lib.annotations.labelmap import LabelMap, read_label_map
from stages.lib.artifacts.provenance import Provenance
from stages.lib.artifacts.schemas import INDEX
from stages.lib.artifacts.tables import ROLE_EVAL, ROLE_EXCLUDED, ROLE_TRAIN, Classes, Index
from stages.lib.artifacts.writer import write_artifact
from stages.lib.cli import parse, run_stage, stage_parser
from stages.lib.config.payloads import IndexPayload
from stages.lib.config.sheets import Video, read_manifest
from stages.lib.errors import StageError
from stages.lib.files import file_sha
from stages.lib.metrics.tables import to_milliseconds

_log = logging.getLogger("acarflow")


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words[:1] == ["sheet"]:
        from stages.index.sheet import main as sheet

        return sheet(words[1:])
    if words[:1] == ["coverage"]:
        from stages.index.coverage_command import main as coverage

        return coverage(words[1:])
    parser = stage_parser("index", __doc__)
    parser.add_argument("--manifest", type=Path, required=True, help="tsv of the shard's videos")
    parser.add_argument(
        "--annotations", nargs="*", default=[], metavar="SPLIT=CSV", help="official csv per split"
    )
    parser.add_argument(
        "--excluded", nargs="*", default=[], metavar="SPLIT=CSV", help="excluded timestamps per split"
    )
    parser.add_argument(
        "--included", type=Path, default=None, help="txt of the seconds that are annotated in every video"
    )
    parser.add_argument("--labelmap", type=Path, default=None, help="pbtxt of the classes")
    parser.add_argument("--out", type=Path, required=True, help="index artifact to write")
    return run_stage("index", IndexPayload, parse(parser, words), _work)


def _work(args: argparse.Namespace, payload: IndexPayload, text: str) -> dict[str, object]:
    videos = read_manifest(args.manifest)
    inputs = {"videos": _videos_sha(videos)}
    if payload.format == "videos":
        index, counts = _own(videos, payload, args.labelmap)
    else:
        index, counts = _annotated(args, payload, videos)
    for flag, pairs in (("annotations", args.annotations), ("excluded", args.excluded)):
        inputs.update({f"{flag}/{split}": file_sha(path) for split, path in split_files(pairs, flag).items()})
    for name, path in (("labelmap", args.labelmap), ("included", args.included)):
        if path is not None:
            inputs[name] = file_sha(path)
    with write_artifact(args.out, INDEX, Provenance("index", payload.version, text, inputs)) as writer:
        index.write(writer)
    return {
        "videos": len(videos),
        "keyframes": len(index.keyframes),
        "labelled": len(index.rows_with(ROLE_TRAIN)),
        "to evaluate": len(index.rows_with(ROLE_EVAL)),
        "excluded": len(index.rows_with(ROLE_EXCLUDED)),
        "boxes": len(index.truth_boxes),
        "labels": int(index.truth_labels.sum()),
        **counts,
    }


def _annotated(
    args: argparse.Namespace, payload: IndexPayload, videos: Sequence[Video]
) -> tuple[Index, dict[str, object]]:
    from stages.index.core import build_index
    from stages.index.keyframes import OutsideError
    from stages.lib.annotations.video_list import read_included

    if args.labelmap is None:
        raise StageError("no class list is given", "--labelmap", "give the pbtxt of the evaluated classes")
    labels = read_label_map(args.labelmap)
    parts = read_splits(args.annotations, args.excluded, labels)
    try:
        included = read_included(args.included) if args.included else None
        classes = _classes(labels, payload, args.labelmap)
        index, counts = build_index(
            videos, parts, classes, payload.format, included, bank_seconds=payload.bank_seconds
        )
    except OutsideError as fault:
        raise StageError(
            fault.what,
            _line_of(split_files(args.annotations, "annotations").values(), fault.video, fault.ms),
            "correct the time, or the sheet's start of that video",
        ) from None
    return index, {
        "annotated videos that this shard does not list": counts.elsewhere,
        "persons with several boxes at one keyframe": counts.conflicting,
    }


def _own(
    videos: Sequence[Video], payload: IndexPayload, labelmap: Path | None
) -> tuple[Index, dict[str, object]]:
    from stages.index.core import own_index
    from stages.lib.video.source import VideoError, open_video

    durations: list[float | None] = []
    for video in videos:
        try:
            with open_video(Path(video.path)) as source:
                durations.append(source.info.end)
        except VideoError as fault:
            _log.info("%s: %s", video.name, fault.reason)
            durations.append(None)
    labels = None if labelmap is None else read_label_map(labelmap)
    classes = _classes(labels, payload, labelmap) if labels and labelmap else Classes((), ())
    unreadable = sum(duration is None for duration in durations)
    return own_index(videos, durations, payload.keyframes_every, classes), {"unreadable videos": unreadable}


def _classes(labels: LabelMap, payload: IndexPayload, path: Path) -> Classes:
    """The class map with the configured groups of classes that exclude each other."""
    if payload.exclusive is None:
        return Classes(labels.ids, labels.names)
    foreign = sorted({number for group in payload.exclusive for number in group} - set(labels.ids))
    if foreign:
        what = f"datasets.<key>.exclusive names class {foreign[0]}, which the class list lacks"
        raise StageError(what, str(path), f"use its ids: {', '.join(map(str, labels.ids[:20]))}")
    groups = tuple(tuple(sorted(labels.ids.index(number) for number in group)) for group in payload.exclusive)
    return Classes(labels.ids, labels.names, groups)


def _videos_sha(videos: Sequence[Video]) -> str:
    """The shard's list without its paths, in one sha256."""
    rows = [f"{video.video} {video.split} {video.start!r} {video.name}\n" for video in videos]
    return hashlib.sha256("".join(rows).encode()).hexdigest()


def _line_of(files: Iterable[Path], video: str, ms: int) -> str:
    """FILE:LINE of the first row of a keyframe; the second look at the files that only a fault needs."""
    for path in files:
        with path.open(encoding="utf-8-sig") as handle:
            for number, line in enumerate(handle, start=1):
                cells = line.rstrip("\r\n").split(",")
                if len(cells) > 1 and cells[0] == video and int(to_milliseconds([float(cells[1])])[0]) == ms:
                    return f"{path}:{number}"
    return ", ".join(map(str, files))


if __name__ == "__main__":
    raise SystemExit(main())

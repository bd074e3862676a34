"""What became of every video of a data set: one line each, from the decode artifacts of its shards.

Columns: video, name, split, status, reason, width, height, rate (Hz), duration (s), keyframes, usable. Name and split come
from the index artifacts, where these are given; annotated videos that no shard lists follow when the csv files are given.
"""

from __future__ import annotations

import argparse
import logging
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from stages.index.split_files import split_files
from stages.lib.artifacts.reader import Artifact, open_artifact
from stages.lib.artifacts.schemas import DECODE, INDEX
from stages.lib.artifacts.tables import Index, Keyframes
from stages.lib.cli import parse, run_stage, stage_parser
from stages.lib.config.payloads import IndexPayload
from stages.lib.errors import StageError
from stages.lib.files import is_empty, write_text


class Fate(NamedTuple):
    """One video's line."""

    video: str
    name: str
    split: str
    status: str
    reason: str
    width: int
    height: int
    rate: float
    duration: float
    keyframes: int
    usable: int


_log = logging.getLogger("acarflow")
HEADER: Final = "\t".join(Fate._fields)


def main(argv: Sequence[str]) -> int:
    """Command line; returns the exit code."""
    parser = stage_parser("index coverage", __doc__)
    parser.add_argument(
        "--decode", type=Path, nargs="+", required=True, help="decode artifacts of all shards"
    )
    parser.add_argument(
        "--index", type=Path, nargs="*", default=[], help="index artifacts of the same shards, same order"
    )
    parser.add_argument(
        "--annotations", nargs="*", default=[], metavar="SPLIT=CSV", help="official csv per split"
    )
    parser.add_argument("--out", type=Path, required=True, help="tsv to write")
    return run_stage("index", IndexPayload, parse(parser, argv), _work)


def _work(args: argparse.Namespace, payload: IndexPayload, text: str) -> dict[str, object]:
    if args.index and len(args.index) != len(args.decode):
        raise StageError(
            f"{len(args.index)} index for {len(args.decode)} decode files", "--index", "give one per shard"
        )
    fates: list[Fate] = []
    for number, path in enumerate(args.decode):
        with open_artifact(path, DECODE) as artifact:
            index = _index(args.index[number], artifact) if args.index else None
            fates += shard_fates(artifact, index)
    fates += _unlisted(args.annotations, {fate.video for fate in fates})
    fates.sort()
    write_text(args.out, coverage_text(fates))
    counts = Counter(fate.status for fate in fates)
    lost = [fate for fate in fates if fate.usable < fate.keyframes]
    for fate in lost:
        where = f"{fate.name}: {fate.keyframes - fate.usable} of {fate.keyframes} keyframes lost"
        _log.info("%s (%s: %s)", where, fate.status, fate.reason)
    return {
        "videos": len(fates),
        **dict(sorted(counts.items())),
        "keyframes": sum(fate.keyframes for fate in fates),
        "of them lost": sum(fate.keyframes - fate.usable for fate in lost),
    }


def shard_fates(decode: Artifact, index: Index | None) -> list[Fate]:
    """The lines of one shard."""
    keyframes = Keyframes.read(decode)
    n = len(keyframes.video_ids)
    total = np.bincount(keyframes.video, minlength=n)
    whole = np.bincount(keyframes.video[np.diff(decode.read("key/offsets")) > 0], minlength=n)
    return [
        Fate(
            video,
            name,
            split,
            status,
            reason,
            int(width),
            int(height),
            float(rate),
            float(duration),
            int(count),
            int(good),
        )
        for video, name, split, status, reason, (width, height), rate, duration, count, good in zip(
            keyframes.video_ids,
            index.name if index else keyframes.video_ids,
            index.split if index else [""] * n,
            decode.read("videos/status"),
            decode.read("videos/reason"),
            decode.read("videos/size"),
            decode.read("videos/rate"),
            decode.read("videos/duration"),
            total,
            whole,
            strict=True,
        )
    ]


def coverage_text(fates: Sequence[Fate]) -> str:
    """The table as tab-separated text; tabs and newlines in names become spaces."""
    lines = [HEADER]
    for fate in fates:
        cells = [f"{cell:.3f}" if isinstance(cell, float) else " ".join(str(cell).split()) for cell in fate]
        lines.append("\t".join(cells))
    return "\n".join(lines) + "\n"


def _index(path: Path, decode: Artifact) -> Index:
    with open_artifact(path, INDEX) as artifact:
        index = Index.read(artifact)
    index.keyframes.require_same(Keyframes.read(decode), str(path), str(decode.path))
    return index


def _unlisted(pairs: Sequence[str], listed: set[str]) -> list[Fate]:
    """Annotated videos that stand in no shard: the sheet does not know them."""
    from stages.lib.annotations.video_list import read_annotations

    fates = []
    for split, path in split_files(pairs, "annotations").items():
        if is_empty(path):
            continue
        truth, _ = read_annotations(path)
        counts = np.bincount(truth.key_video, minlength=len(truth.videos))
        for video, count in zip(truth.videos, counts.tolist(), strict=True):
            if video not in listed:
                fates.append(
                    Fate(video, video, split, "missing", "not in the sheet", 0, 0, 0.0, 0.0, count, 0)
                )
    return fates

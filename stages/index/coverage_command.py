"""What became of every annotated video of a data set, from the index and decode artifacts of its shards.

Writes into a folder: videos.csv (a row per file: missing, broken, cut off, too short, other rate or ok, and why),
classes.csv (boxes of each class and split, and how many of them are lost, by the state of their video), lost.h5 (the
keyframes without frames with their truth, in the schema of index) and lost.csv (the same as rows of video, seconds).
Annotated videos that no sheet lists are missing ones.
"""

from __future__ import annotations

import argparse
import csv
import io
import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from stages.index.coverage import (
    ClassLoss,
    Fate,
    class_losses,
    lost_index,
    lost_rows,
    same_keyframes,
    shard_fates,
    states_of,
    unlisted_fates,
    unlisted_index,
)
from stages.index.split_files import read_splits
from stages.lib.annotations.labelmap import read_label_map
from stages.lib.artifacts.provenance import Provenance
from stages.lib.artifacts.reader import open_artifact
from stages.lib.artifacts.schemas import DECODE, INDEX
from stages.lib.artifacts.tables import Index
from stages.lib.artifacts.writer import write_artifact
from stages.lib.cli import parse, run_stage, stage_parser
from stages.lib.config.payloads import IndexPayload
from stages.lib.errors import StageError
from stages.lib.files import write_text

_log = logging.getLogger("acarflow")


def main(argv: Sequence[str]) -> int:
    """Command line; returns the exit code."""
    parser = stage_parser("index coverage", __doc__)
    add = parser.add_argument
    add("--index", type=Path, nargs="+", required=True, help="index artifacts of all shards")
    add("--decode", type=Path, nargs="+", required=True, help="decode artifacts, same order")
    add("--annotations", nargs="*", default=[], metavar="SPLIT=CSV", help="official csv per split")
    add("--excluded", nargs="*", default=[], metavar="SPLIT=CSV", help="excluded timestamps per split")
    add("--labelmap", type=Path, default=None, help="pbtxt of the classes, beside --annotations")
    add("--out-dir", type=Path, required=True, help="folder to write into")
    return run_stage("index", IndexPayload, parse(parser, argv), _work)


def _work(args: argparse.Namespace, payload: IndexPayload, text: str) -> dict[str, object]:
    if len(args.index) != len(args.decode):
        what = f"{len(args.index)} index for {len(args.decode)} decode files"
        raise StageError(what, "--index", "give one per shard")
    shards, lost, states, fates = [], [], [], []
    marks: dict[str, str] = {}
    for number, (index_path, decode_path) in enumerate(zip(args.index, args.decode, strict=True)):
        with open_artifact(index_path, INDEX) as file, open_artifact(decode_path, DECODE) as decode:
            index = Index.read(file)
            same_keyframes(index, decode, str(index_path))
            shards.append(index)
            lost.append(lost_rows(decode))
            states.append(states_of(decode))
            fates += shard_fates(decode, index)
            marks |= {f"index/{number:03d}": file.fingerprint, f"decode/{number:03d}": decode.fingerprint}
    unlisted = _unlisted(args, payload, shards)
    fates = sorted([*fates, *unlisted_fates(unlisted)])
    gone = lost_index(shards, lost, unlisted)
    write_text(args.out_dir / "videos.csv", csv_text(Fate._fields, fates))
    losses = class_losses(shards, lost, states, unlisted)
    write_text(args.out_dir / "classes.csv", csv_text(ClassLoss._fields, losses))
    keys = gone.keyframes.keys()
    write_text(args.out_dir / "lost.csv", "".join(f"{video},{ms / 1000:.3f}\n" for video, ms in keys))
    with write_artifact(
        args.out_dir / "lost.h5", INDEX, Provenance("index", payload.version, text, marks)
    ) as writer:
        gone.write(writer)
    for fate in fates:
        if fate.lost:
            where = f"{fate.name}: {fate.lost} of {fate.keyframes} keyframes lost"
            _log.info("%s (%s: %s)", where, fate.state, fate.reason)
    return {
        "videos": len(fates),
        **dict(sorted(Counter(fate.state for fate in fates).items())),
        "keyframes": sum(fate.keyframes for fate in fates),
        "of them lost": sum(fate.lost for fate in fates),
    }


def _unlisted(args: argparse.Namespace, payload: IndexPayload, shards: Sequence[Index]) -> Index:
    listed = {video for shard in shards for video in shard.keyframes.video_ids}
    if args.annotations and args.labelmap is None:
        raise StageError("no class list is given", "--labelmap", "give the pbtxt of the evaluated classes")
    labels = read_label_map(args.labelmap) if args.labelmap else None
    parts = read_splits(args.annotations, args.excluded, labels) if labels else {}
    return unlisted_index(parts, listed, shards[0].classes, payload.format)


def csv_text(header: Sequence[str], rows: Iterable[tuple[object, ...]]) -> str:
    """Csv text with a header line; fractions with three decimals."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(header)
    for row in rows:
        writer.writerow([f"{cell:.3f}" if isinstance(cell, float) else cell for cell in row])
    return stream.getvalue()

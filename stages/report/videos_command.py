"""Draw the detected people and their actions into videos, and list all detections in the AVA csv form.

Writes detections.csv, <name>.mp4 for each video (original frame rate and size, no sound), skipped.csv with the
reason for each video that could not be drawn, and notes.txt.
"""

from __future__ import annotations

import argparse
import csv
import io
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stages.lib.annotations.write_csv import write_detections
from stages.lib.artifacts.frames import FrameReader
from stages.lib.artifacts.loading import load_index, load_predictions
from stages.lib.artifacts.predictions import DETECTED, Predictions
from stages.lib.artifacts.reader import open_artifact
from stages.lib.artifacts.schemas import DECODE, DETECT
from stages.lib.artifacts.scored import detections_table
from stages.lib.artifacts.tables import Boxes, Index, Keyframes
from stages.lib.cli import parse, run_stage, stage_parser
from stages.lib.config.payloads import ReportPayload
from stages.lib.errors import StageError
from stages.lib.files import atomic_path, write_text
from stages.lib.progress import track
from stages.report.draw import Actor
from stages.report.videos import Moments, actors_of, output_names

_log = logging.getLogger("acarflow")
PLAYGROUND_WARNING = (
    "These actions come from weights that were trained on the drawn playground only: they show that the "
    "chain runs, and mean nothing on real videos. Give weights trained on real data for real answers."
)
NO_SOUND = "The annotated videos have no sound; the originals are unchanged."


def main(argv: Sequence[str]) -> int:
    """Run the command; returns the exit code."""
    parser = stage_parser("report", __doc__)
    for flag, text in (
        ("--index", "index of every shard"),
        ("--decode", "decode of every shard: which videos are broken"),
        ("--detections", "person boxes of every shard"),
        ("--predictions", "files of predict (or ensemble) of every shard"),
        ("--manifest", "manifest of every shard: where the videos are"),
    ):
        parser.add_argument(flag, type=Path, nargs="+", required=True, help=text)
    parser.add_argument(
        "--warn-playground", action="store_true", help="the weights know only the drawn playground"
    )
    parser.add_argument("--out-dir", type=Path, required=True)
    return run_stage("report", ReportPayload, parse(parser, argv), _work)


def _work(args: argparse.Namespace, payload: ReportPayload, text: str) -> dict[str, object]:
    index, _ = load_index(args.index, "own videos")
    predictions, _ = load_predictions(args.predictions, "own videos")
    boxset = predictions.boxset(DETECTED, "own videos")
    classes = predictions.classes
    probabilities = boxset.probabilities(tuple(boxset.values), classes.groups(), "logit")
    stream = io.StringIO()
    write_detections(stream, detections_table(predictions.keyframes, boxset, probabilities, classes.ids))
    write_text(args.out_dir / "detections.csv", stream.getvalue())
    actors = actors_of(
        boxset, probabilities, classes.names, payload.report.top, payload.report.min_probability
    )
    fates, skipped = _draw_all(args, index, predictions, actors)
    _write_skipped(args.out_dir / "skipped.csv", index, skipped)
    people = _people(args.detections, args.decode, len(boxset.boxes))
    _log.info(people)
    warnings = [PLAYGROUND_WARNING] if args.warn_playground else []
    for warning in warnings:
        _log.warning(warning)
    write_text(args.out_dir / "notes.txt", "\n".join([*warnings, NO_SOUND, people, "", *fates]) + "\n")
    drawn = len(fates) - len(skipped)
    return {"videos": drawn, "skipped": len(skipped), "people": len(boxset.boxes)}


def _people(detections: Sequence[Path], decodes: Sequence[Path], classified: int) -> str:
    """A sentence about the person boxes of all shards: how many there are, and why some are not classified."""
    total = unread = 0
    for box_path, frame_path in zip(detections, decodes, strict=True):
        with open_artifact(box_path, DETECT) as box_file, open_artifact(frame_path, DECODE) as frame_file:
            boxes, frames = Boxes.read(box_file), FrameReader(frame_file)
            Keyframes.read(box_file).require_same(frames.keyframes, str(box_path), str(frame_path))
        counts = np.diff(boxes.row_splits)
        total += len(boxes)
        unread += sum(int(count) for row, count in enumerate(counts) if not frames.has_key(row))
    below = total - unread - classified
    return (
        f"{total} person boxes: {classified} classified, {below} below the score from which they are classified "
        f"(heads.<key>.min_score), {unread} on keyframes that could not be read."
    )


def _draw_all(
    args: argparse.Namespace,
    index: Index,
    predictions: Predictions,
    actors: Sequence[tuple[Actor, ...]],
) -> tuple[list[str], dict[str, str]]:
    """Draw every readable video; returns a line about each one, and the reason of those that were skipped."""
    paths, (skipped, lacking) = _paths(args.manifest), _reasons(args.decode)
    ids = index.keyframes.video_ids
    fates = []
    outputs = output_names(index.name)
    for video, name, output in track(zip(ids, index.name, outputs, strict=True), len(ids), "videos"):
        note = ""
        if video in lacking:
            _log.warning("%s: %s", name, lacking[video])
        if video not in skipped:
            try:
                if video not in paths:
                    fix = "give the manifests of all shards"
                    raise StageError(f"video {video} is not in the manifest", "--manifest", fix)
                target = args.out_dir / f"{output}.mp4"
                note = _draw(paths[video], target, _moments(index, predictions, actors, video))
            except StageError as error:
                skipped[video] = str(error)
        if video in skipped:
            _log.warning("skipped %s: %s", name, skipped[video])
        drawn = [f"{output}.mp4", *filter(None, [note, lacking.get(video)])]
        fate = f"skipped ({skipped[video]})" if video in skipped else " ".join(drawn)
        fates.append(f"{name} (in the csv: {video}): {fate}")
    return fates, skipped


def _paths(manifests: Sequence[Path]) -> dict[str, Path]:
    paths = {}
    for manifest in manifests:
        try:
            with manifest.open(newline="", encoding="utf-8") as handle:
                for row in csv.DictReader(handle, delimiter="\t", quoting=csv.QUOTE_NONE):
                    paths[row["video"]] = Path(row["path"])
        except (OSError, KeyError) as error:
            raise StageError(
                f"not a manifest ({error})", str(manifest), "let snakemake write it again"
            ) from None
    return paths


def _reasons(files: Sequence[Path]) -> tuple[dict[str, str], dict[str, str]]:
    """Reasons by video: of those that decode could not read, and of those that it read with something missing."""
    unread, lacking = {}, {}
    for path in files:
        with open_artifact(path, DECODE) as artifact:
            reader = FrameReader(artifact)
            for video, status, reason in zip(
                reader.keyframes.video_ids, reader.status, reader.reason, strict=True
            ):
                if status != "ok":
                    unread[video] = f"{status}: {reason}"
                elif reason:
                    lacking[video] = f"({reason})"
    return unread, lacking


def _moments(
    index: Index, predictions: Predictions, actors: Sequence[tuple[Actor, ...]], video: str
) -> Moments:
    """The keyframes of one video, in seconds from its first frame."""
    rows = np.flatnonzero(predictions.keyframes.video == predictions.keyframes.video_ids.index(video))
    start = float(index.start[index.keyframes.video_ids.index(video)])
    seconds = predictions.keyframes.timestamp_ms[rows] / 1000.0 - start
    return Moments(seconds, tuple(actors[row] for row in rows.tolist()))


def _until_damage(
    frames: Iterator[tuple[int, NDArray[np.uint8]]], notes: list[str]
) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """The frames before the first damaged one, of which a note is taken; damage at the very start is an error."""
    from stages.lib.video.source import DamagedVideoError

    count = 0
    try:
        for item in frames:
            yield item
            count += 1
    except DamagedVideoError as fault:
        if count == 0:
            raise
        notes.append(f"(damaged: it ends after {count} frames: {fault})")


def _draw(source: Path, target: Path, moments: Moments) -> str:
    """Draw one video; returns what is unusual about it (it ends early), or nothing."""
    from stages.lib.video.source import VideoError, open_video
    from stages.lib.video.writer import VideoWriter
    from stages.report.draw import draw_actors

    notes: list[str] = []
    try:
        with atomic_path(target) as temporary, open_video(source, prefer="pyav") as video:
            frames = _until_damage(video.read(np.arange(video.info.frames)), notes)
            with VideoWriter(temporary, video.info.rate) as writer:
                for number, image in frames:
                    seconds = float(video.info.starts[number])
                    writer.write(draw_actors(image, moments.at(seconds)), seconds)
    except VideoError as error:
        fix = "check the file, or remove it from the folder"
        raise StageError(f"cannot be read as a video ({error})", str(source), fix) from None
    return " ".join(notes)


def _write_skipped(path: Path, index: Index, skipped: dict[str, str]) -> None:
    stream = io.StringIO()
    table = csv.writer(stream, lineterminator="\n")
    table.writerow(("video", "name", "reason"))
    for video, name in zip(index.keyframes.video_ids, index.name, strict=True):
        if video in skipped:
            table.writerow((video, name, skipped[video]))
    write_text(path, stream.getvalue())

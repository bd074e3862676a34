"""Draw the detected people and their actions into videos, and list all detections in the AVA csv form.

Writes detections.csv, <name>.mp4 for each video (original frame rate and size, no sound), skipped.csv with the
reason for each video that could not be drawn, and notes.txt.
"""

from __future__ import annotations

import argparse
import csv
import io
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stages.lib.annotations.write_csv import write_detections
from stages.lib.artifacts.files import atomic_path, write_text
from stages.lib.artifacts.frames import FrameReader
from stages.lib.artifacts.loading import load_index, load_predictions
from stages.lib.artifacts.predictions import DETECTED, BoxSet, Predictions
from stages.lib.artifacts.reader import open_artifact
from stages.lib.artifacts.schemas import DECODE
from stages.lib.artifacts.scored import detections_table
from stages.lib.artifacts.tables import Index
from stages.lib.cli import parse, run_stage, stage_parser
from stages.lib.config.payloads import ReportPayload
from stages.lib.errors import StageError
from stages.lib.progress import track
from stages.report.videos import Actor, Moments, actors_of, output_names

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
    probabilities = boxset.probabilities(tuple(boxset.values), classes.pose_indices(), "logit")
    stream = io.StringIO()
    write_detections(stream, detections_table(predictions.keyframes, boxset, probabilities, classes.ids))
    write_text(args.out_dir / "detections.csv", stream.getvalue())
    actors = actors_of(
        boxset, probabilities, classes.names, payload.report.top, payload.report.min_probability
    )
    paths, skipped = _paths(args.manifest), _broken(args.decode)
    names = dict(zip(index.keyframes.video_ids, output_names(index.name), strict=True))
    todo = [video for video in index.keyframes.video_ids if video not in skipped]
    for video in track(todo, len(todo), "videos"):
        try:
            if video not in paths:
                raise StageError(
                    f"video {video} is not in the manifest", "--manifest", "give the manifests of all shards"
                )
            _draw(
                paths[video],
                args.out_dir / f"{names[video]}.mp4",
                _moments(index, predictions, actors, video),
            )
        except StageError as error:
            skipped[video] = str(error)
            _log.warning("skipped %s: %s", video, error)
    _write_skipped(args.out_dir / "skipped.csv", index, skipped)
    _write_notes(args.out_dir / "notes.txt", index, names, skipped, boxset, args)
    drawn = len(index.keyframes.video_ids) - len(skipped)
    return {
        "videos": drawn,
        "skipped": len(skipped),
        "keyframes": len(predictions.keyframes),
        "people": len(boxset.boxes),
    }


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


def _broken(files: Sequence[Path]) -> dict[str, str]:
    """Reason by video, for those that decode could not read."""
    found = {}
    for path in files:
        with open_artifact(path, DECODE) as artifact:
            reader = FrameReader(artifact)
            for video, status, reason in zip(
                reader.keyframes.video_ids, reader.status, reader.reason, strict=True
            ):
                if status != "ok":
                    found[video] = f"{status}: {reason}"
    return found


def _moments(
    index: Index, predictions: Predictions, actors: Sequence[tuple[Actor, ...]], video: str
) -> Moments:
    """The keyframes of one video, in seconds from its first frame."""
    rows = np.flatnonzero(predictions.keyframes.video == predictions.keyframes.video_ids.index(video))
    start = float(index.start[index.keyframes.video_ids.index(video)])
    seconds = predictions.keyframes.timestamp_ms[rows] / 1000.0 - start
    return Moments(seconds, tuple(actors[row] for row in rows.tolist()))


def _draw(source: Path, target: Path, moments: Moments) -> None:
    from stages.lib.video.writer import VideoWriter, open_video
    from stages.report.draw import draw_actors

    with atomic_path(target) as temporary, open_video(source) as video:
        writer = VideoWriter(temporary, video.facts.rate)
        try:
            for frame in video.frames():
                writer.write(draw_actors(frame.image, moments.at(frame.seconds)), frame.seconds)
        finally:
            writer.close()


def _write_skipped(path: Path, index: Index, skipped: dict[str, str]) -> None:
    stream = io.StringIO()
    table = csv.writer(stream, lineterminator="\n")
    table.writerow(("video", "name", "reason"))
    for video, name in zip(index.keyframes.video_ids, index.name, strict=True):
        if video in skipped:
            table.writerow((video, name, skipped[video]))
    write_text(path, stream.getvalue())


def _write_notes(
    path: Path,
    index: Index,
    names: dict[str, str],
    skipped: dict[str, str],
    boxset: BoxSet,
    args: argparse.Namespace,
) -> None:
    lines = [PLAYGROUND_WARNING, ""] if args.warn_playground else []
    if args.warn_playground:
        _log.warning(PLAYGROUND_WARNING)
    lines += [NO_SOUND, f"{len(boxset.boxes)} people in {len(boxset.boxes.row_splits) - 1} keyframes.", ""]
    for video, name in zip(index.keyframes.video_ids, index.name, strict=True):
        fate = f"skipped ({skipped[video]})" if video in skipped else f"{names[video]}.mp4"
        lines.append(f"{name} (in the csv: {video}): {fate}")
    write_text(path, "\n".join(lines) + "\n")

"""Draw the detected people and their actions into videos, and list all detections.

Writes index.html over all videos; for each one <name>.mp4 (its own frame rate, size and sound) and <name>.timeline.svg;
detections.csv (AVA's form), detections.json and boxes.csv; skipped.csv with the reason for each video that could not be
drawn, and notes.txt.
"""

from __future__ import annotations

import argparse
import csv
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stages.lib.annotations.write_csv import write_detections
from stages.lib.artifacts.frames import FrameReader
from stages.lib.artifacts.loading import load_index, load_predictions
from stages.lib.artifacts.predictions import DETECTED, BoxSet, Predictions
from stages.lib.artifacts.reader import open_artifact
from stages.lib.artifacts.schemas import DECODE, DETECT
from stages.lib.artifacts.scored import detections_table
from stages.lib.artifacts.tables import Boxes, Index, Keyframes
from stages.lib.cli import parse, run_stage, stage_parser
from stages.lib.config.payloads import ReportPayload
from stages.lib.errors import StageError
from stages.lib.files import text_stream, write_text
from stages.lib.progress import track
from stages.report.contact import Card, contact_page
from stages.report.draw import Actor
from stages.report.drawing import draw_video
from stages.report.fates import read_reasons, video_paths
from stages.report.listing import boxes_csv, people_json
from stages.report.timeline import timeline
from stages.report.tracks import link_actors
from stages.report.videos import Moments, actors_of, output_names

_log = logging.getLogger("acarflow")
PLAYGROUND_WARNING = (
    "These actions come from weights that were trained on the drawn playground only: they show that the "
    "chain runs, and mean nothing on real videos. Give weights trained on real data for real answers."
)


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
    with text_stream(args.out_dir / "detections.csv") as stream:
        write_detections(stream, detections_table(predictions.keyframes, boxset, probabilities, classes.ids))
    shown, numbers = payload.report, _numbers(predictions, boxset)
    actors = actors_of(boxset, probabilities, classes.names, shown.top, shown.min_probability, numbers)
    run = _Run(args, index, predictions, actors, shown.top)
    fates = _draw_all(run)
    skipped = {fate.video: fate.reason for fate in fates if fate.card is None}
    _write_skipped(args.out_dir / "skipped.csv", index, skipped)
    about = {fate.video: fate.facts() for fate in fates}
    found = people_json(predictions.keyframes, boxset, probabilities, classes, numbers, about)
    write_text(args.out_dir / "detections.json", found)
    people = _people(args, dict(zip(index.keyframes.video_ids, index.name, strict=True)), len(boxset.boxes))
    _log.info(people)
    warnings = [PLAYGROUND_WARNING] if args.warn_playground else []
    for warning in warnings:
        _log.warning(warning)
    lines = [fate.line() for fate in fates]
    write_text(args.out_dir / "notes.txt", "\n".join([*warnings, people, "", *lines]) + "\n")
    cards, reasons = [f.card for f in fates if f.card], {f.name: f.reason for f in fates if f.card is None}
    write_text(args.out_dir / "index.html", contact_page(payload.run, cards, reasons, [people], warnings))
    return {"videos": len(cards), "skipped": len(skipped), "people": len(boxset.boxes)}


def _numbers(predictions: Predictions, boxset: BoxSet) -> dict[int, int]:
    """The number of the actor of each box, counted in each video."""
    found: dict[int, int] = {}
    for place in range(len(predictions.keyframes.video_ids)):
        found |= link_actors(boxset.boxes, np.flatnonzero(predictions.keyframes.video == place))
    return found


def _people(args: argparse.Namespace, names: Mapping[str, str], classified: int) -> str:
    """Write boxes.csv; a sentence about the person boxes of all shards: how many, and why some are not classified."""
    total = unread = 0
    shards = []
    for box_path, frame_path in zip(args.detections, args.decode, strict=True):
        with open_artifact(box_path, DETECT) as box_file, open_artifact(frame_path, DECODE) as frame_file:
            boxes, frames = Boxes.read(box_file), FrameReader(frame_file)
            keyframes = Keyframes.read(box_file)
            keyframes.require_same(frames.keyframes, str(box_path), str(frame_path))
        shards.append((keyframes, boxes))
        counts = np.diff(boxes.row_splits)
        total += len(boxes)
        unread += sum(int(count) for row, count in enumerate(counts) if not frames.has_key(row))
    write_text(args.out_dir / "boxes.csv", boxes_csv(shards, names))
    below = total - unread - classified
    return (
        f"{total} person boxes: {classified} classified, {below} below the score from which they are classified "
        f"(heads.<key>.min_score), {unread} on keyframes that could not be read."
    )


@dataclass(frozen=True)
class _Run:
    """What all videos of a run share."""

    args: argparse.Namespace
    index: Index
    predictions: Predictions
    actors: Sequence[tuple[Actor, ...]]
    lanes: int


@dataclass(frozen=True)
class _Fate:
    """What became of a video: its card, or the reason why it has none; `lacking` is what decode could not read of it."""

    video: str
    name: str
    card: Card | None
    reason: str
    lacking: str

    def line(self) -> str:
        """For notes.txt."""
        drawn = self.card and [f"{self.card.output}.mp4", *filter(None, [self.card.drawn.note, self.lacking])]
        return f"{self.name} (in the csv: {self.video}): " + (
            " ".join(drawn) if drawn else f"skipped ({self.reason})"
        )

    def facts(self) -> dict[str, object]:
        """For detections.json."""
        if self.card is None:
            return {"name": self.name, "file": None, "note": self.reason}
        drawn = self.card.drawn
        size = {
            "width": drawn.size[0],
            "height": drawn.size[1],
            "rate": drawn.rate,
            "duration": drawn.duration,
        }
        note = " ".join(filter(None, [drawn.note, self.lacking]))
        return {"name": self.name, "file": f"{self.card.output}.mp4", "note": note, **size}


def _draw_all(run: _Run) -> list[_Fate]:
    """Draw every readable video with its timeline; what became of each one."""
    args, index = run.args, run.index
    paths, (unread, lacking) = video_paths(args.manifest), read_reasons(args.decode)
    ids = index.keyframes.video_ids
    fates = []
    outputs = output_names(index.name)
    for video, name, output in track(zip(ids, index.name, outputs, strict=True), len(ids), "videos"):
        card, reason = None, unread.get(video, "")
        if video in lacking:
            _log.warning("%s: %s", name, lacking[video])
        if not reason:
            try:
                if video not in paths:
                    fix = "give the manifests of all shards"
                    raise StageError(f"video {video} is not in the manifest", "--manifest", fix)
                card = _card(run, video, name, output, paths[video])
            except StageError as error:
                reason = str(error)
        if card is None:
            _log.warning("skipped %s: %s", name, reason)
        fates.append(_Fate(video, name, card, reason, lacking.get(video, "")))
    return fates


def _card(run: _Run, video: str, name: str, output: str, path: Path) -> Card:
    """Draw one video and write its timeline."""
    moments = _moments(run.index, run.predictions, run.actors, video)
    drawn = draw_video(path, run.args.out_dir / f"{output}.mp4", moments)
    picture = timeline(moments, run.predictions.classes.names, drawn.duration, run.lanes)
    alone = picture.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
    write_text(run.args.out_dir / f"{output}.timeline.svg", alone + "\n")
    return Card(name, output, drawn, moments, picture)


def _moments(
    index: Index, predictions: Predictions, actors: Sequence[tuple[Actor, ...]], video: str
) -> Moments:
    """The keyframes of one video, in seconds from its first frame."""
    rows = np.flatnonzero(predictions.keyframes.video == predictions.keyframes.video_ids.index(video))
    start = float(index.start[index.keyframes.video_ids.index(video)])
    seconds = predictions.keyframes.timestamp_ms[rows] / 1000.0 - start
    return Moments(seconds, tuple(actors[row] for row in rows.tolist()))


def _write_skipped(path: Path, index: Index, skipped: dict[str, str]) -> None:
    with text_stream(path) as stream:
        table = csv.writer(stream, lineterminator="\n")
        table.writerow(("video", "name", "reason"))
        for video, name in zip(index.keyframes.video_ids, index.name, strict=True):
            if video in skipped:
                table.writerow((video, name, skipped[video]))

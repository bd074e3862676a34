"""From an AVA csv (ground truth or detections) to the files of other programs."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from stages.annotations.acar import acar_pickle
from stages.annotations.cvat_xml import cvat_xml
from stages.annotations.fiftyone import fiftyone_json
from stages.annotations.media import Media
from stages.annotations.moments import Moment, Person, detection_moments, truth_moments
from stages.lib.annotations.ava_csv import read_detections, read_truth
from stages.lib.annotations.labelmap import LabelMap
from stages.lib.annotations.write_csv import write_detections, write_truth
from stages.lib.files import text_stream, write_bytes, write_text


@dataclass(frozen=True)
class Source:
    """A csv, its class list, whether it holds detections, and the score from which they count."""

    path: Path
    labels: LabelMap
    detections: bool
    least: float


def export_csv(
    source: Source, target: str, out: Path, media: Media, start: float
) -> tuple[list[Path], Counter[str]]:
    """Write the csv as `target` (cvat, fiftyone, acar or ava); the files written, and what was left out of them.

    `out` is a folder for cvat (a file per video), else a file; `start` is the time of the videos' first frame.
    """
    if target == "ava":
        return [out], _rewrite(source, out)
    moments, left_out = _moments(source)
    if target == "cvat":
        paths = []
        for video, group in groupby(moments, key=lambda moment: moment.video):
            where = str(source.path)
            size, rate = media.size(video, where), media.rate(video, where)
            text = cvat_xml(video, list(group), source.labels, size, rate, start)
            paths.append(out / f"{video}.xml")
            write_text(paths[-1], text)
        if source.detections:
            left_out["scores of detections (CVAT's ticks have none)"] += sum(
                len(p.classes) for m in moments for p in m.people
            )
        return paths, left_out
    if target == "fiftyone":
        write_text(out, fiftyone_json(moments, source.labels, media, start))
        return [out], left_out
    content, short = acar_pickle(moments, source.labels, start)
    if short:
        left_out["images before the first one (windows that ACAR-Net will shorten)"] += short
    write_bytes(out, content)
    return [out], left_out


def _moments(source: Source) -> tuple[list[Moment], Counter[str]]:
    """Keyframes whose people have only classes of the list, and how many labels it lacks."""
    moments = _read(source)
    left_out: Counter[str] = Counter()
    known, kept = set(source.labels.ids), []
    for moment in moments:
        people = []
        for person in moment.people:
            classes = {number: score for number, score in person.classes.items() if number in known}
            if len(classes) < len(person.classes):
                left_out["labels of classes outside the list"] += len(person.classes) - len(classes)
            if classes or source.detections:
                people.append(Person(person.box, person.person, classes))
            else:
                left_out["people without a class of the list"] += 1
        kept.append(Moment(moment.video, moment.seconds, tuple(people)))
    return kept, left_out


def _read(source: Source) -> list[Moment]:
    if not source.detections:
        truth, _ = read_truth(source.path, source.labels, outside="keep")
        return truth_moments(truth)
    table, _ = read_detections(source.path)
    return detection_moments(table, source.least)


def _rewrite(source: Source, out: Path) -> Counter[str]:
    """The csv in the official order: ground truth without repeated rows, or detections from the least score on."""
    left_out = Counter[str]()
    if source.detections:
        table, counts = read_detections(source.path, source.labels)
        keep = (table.score >= source.least).nonzero()[0]
        left_out["detections below the least score"] += counts.rows - len(keep)
        with text_stream(out) as stream:
            write_detections(stream, table.take(keep))
    else:
        truth, _ = read_truth(source.path, source.labels, outside="keep")
        with text_stream(out) as stream:
            write_truth(stream, truth)
    return +left_out

"""The text of every annotation file: the official ones, and the two that only studies and tables read.

Official forms: AVA v2.2 (8 columns, whole seconds with 4 digits, 3 decimals), AVA-Kinetics v1.0 (7 columns, 6 decimals,
two columns where nobody is labelled), Kinetics class lists (with header), label map (one `item` per class).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Final

from stages.lib.config.playground import CLIP_SECONDS, MOVIES, PlaygroundVideo
from stages.synthesize.classified import class_of
from stages.synthesize.core import VideoTask
from stages.synthesize.labels import CLASSES, KIND_OF
from stages.synthesize.truth import KeyframeTruth, PersonTruth

LABEL_MAP: Final = "ava_action_list_playground.pbtxt"
PEOPLE: Final = "people.csv"
KINDS: Final = "action_kinds.csv"
PEOPLE_COLUMNS: Final = (
    "dataset", "split", "video", "timestamp", "scene", "scene_type", "module", "person_id", "x1", "y1", "x2", "y2",
    "role", "pose", "arm", "facing", "walking", "moved", "matched_class", "kind", "positive", "phase",
    "seconds_since_cut", "seconds_to_cut", "window_crosses_cut", "excluded",
)  # fmt: skip
SPLITS: Final = ("train", "val", "test")
Truths = Sequence[tuple[VideoTask, Sequence[KeyframeTruth]]]


def annotation_files(dataset: str, truths: Truths, memory_window: int) -> dict[str, str]:
    """Name and text of every annotation file of the data set; `truths` holds every video in the order of the list."""
    files = {
        LABEL_MAP: _label_map(),
        KINDS: _table(("id", "name", "kind"), [(action.id, action.name, action.kind) for action in CLASSES]),
        PEOPLE: _table(PEOPLE_COLUMNS, _people_rows(dataset, truths, memory_window)),
    }
    for split in SPLITS:
        chosen = [(task, frames) for task, frames in truths if task.video.split == split]
        annotated = [(task, frames) for task, frames in chosen if task.video.purpose == "annotated"]
        if dataset == MOVIES:
            files[f"ava_{split}_v2.2.csv"] = _ava(annotated)
            files[f"ava_{split}_excluded_timestamps_v2.2.csv"] = _excluded(annotated)
        else:
            files[f"kinetics_{split}_v1.0.csv"] = _kinetics(annotated)
            classified = [task for task, _ in chosen if task.video.purpose == "classified"]
            if split != "test":
                files[f"kinetics_{split}_classes.csv"] = _class_list(classified)
    return files


def ava_time(seconds: float) -> str:
    """A keyframe's time as AVA writes it: whole seconds, four digits."""
    assert seconds == int(seconds)
    return f"{int(seconds):04d}"


def _label_map() -> str:
    return "".join(f'item {{\n  name: "{action.name}"\n  id: {action.id}\n}}\n' for action in CLASSES)


def _ava(truths: Truths) -> str:
    lines = []
    for task, frames in truths:
        for frame in frames:
            for person in frame.people:
                head = f"{task.video.video},{ava_time(frame.time)},{_box(person, 3)}"
                lines += [f"{head},{action},{person.person}\n" for action in person.actions]
    return "".join(lines)


def _excluded(truths: Truths) -> str:
    return "".join(
        f"{task.video.video},{ava_time(frame.time)}\n"
        for task, frames in truths
        for frame in frames
        if frame.excluded
    )


def _kinetics(truths: Truths) -> str:
    lines = []
    for task, frames in truths:
        for frame in frames:
            key = f"{task.video.video},{frame.time:.6f}"
            rows = [
                f"{key},{_box(person, 6)},{action}\n" for person in frame.people for action in person.actions
            ]
            lines += rows or [f"{key}\n"]
    return "".join(lines)


def _class_list(classified: Iterable[VideoTask]) -> str:
    rows = [
        (
            class_of(task.number).name,
            task.video.video,
            int(task.video.start),
            _end(task.video),
            task.video.split,
        )
        for task in classified
    ]
    return _table(("label", "youtube_id", "time_start", "time_end", "split"), rows)


def _end(video: PlaygroundVideo) -> int:
    return int(video.start) + CLIP_SECONDS


def _box(person: PersonTruth, decimals: int) -> str:
    return ",".join(f"{value:.{decimals}f}" for value in person.box)


def _people_rows(dataset: str, truths: Truths, window: int) -> Iterable[tuple[object, ...]]:
    """One row per person and matched class; one row with an empty class for somebody without any."""
    for task, frames in truths:
        for frame in frames:
            time = ava_time(frame.time) if dataset == MOVIES else f"{frame.time:.6f}"
            crosses = int(min(frame.since_cut, frame.until_cut) < window)
            head = (
                dataset,
                task.video.split,
                task.video.video,
                time,
                frame.scene,
                frame.scene_type,
                frame.module,
            )
            tail = (f"{frame.since_cut:.3f}", f"{frame.until_cut:.3f}", crosses, int(frame.excluded))
            for person in frame.people:
                who = (
                    person.person,
                    *(f"{value:.6f}" for value in person.box),
                    person.role,
                    person.pose,
                    person.arm,
                )
                how = ("left" if person.facing < 0 else "right", int(person.walking), int(person.moved))
                for match in person.matches:
                    what = (match.action, KIND_OF[match.action], int(match.positive), match.phase)
                    yield (*head, *who, *how, *what, *tail)
                if not person.matches:
                    yield (*head, *who, *how, "", "", "", "", *tail)


def _table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return buffer.getvalue()

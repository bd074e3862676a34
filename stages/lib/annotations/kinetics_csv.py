"""Kinetics clips: the clip-level csv, clip file names, and the clip that holds a keyframe."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stages.lib.annotations.columns import VIDEO_ID
from stages.lib.errors import StageError

HEADER = ("label", "youtube_id", "time_start", "time_end", "split")
FARTHEST = 5.0  # seconds from a clip's middle; a keyframe farther off belongs to none of the clips
_CLIP = re.compile(r"(?P<id>[A-Za-z0-9_-]{1,64})_(?P<start>\d{6})_(?P<end>\d{6})(\.[A-Za-z0-9]{1,5})?")


@dataclass(frozen=True, order=True)
class Clip:
    """A clip of a longer video: its id, and its start and end in seconds of that video."""

    video: str
    start: float
    end: float

    @property
    def file_name(self) -> str:
        """The name under which Kinetics stores it: id, start and end in six digits."""
        return f"{self.video}_{int(self.start):06d}_{int(self.end):06d}.mp4"

    @property
    def middle(self) -> float:
        """The second half-way between start and end."""
        return (self.start + self.end) / 2.0


@dataclass(frozen=True)
class LabelledClip:
    """A clip with its class and split, as a row of the clip-level csv."""

    clip: Clip
    label: str
    split: str


def parse_clip_name(name: str) -> Clip | None:
    """The clip of a file name `<id>_<start:06d>_<end:06d>.mp4` (ids may hold underscores); None for other names."""
    match = _CLIP.fullmatch(name)
    if match is None or int(match["end"]) <= int(match["start"]):
        return None
    return Clip(match["id"], float(match["start"]), float(match["end"]))


def choose_clip(clips: Sequence[Clip], seconds: float) -> Clip | None:
    """Of a video's clips the one that contains the keyframe, the nearest middle first; None where none does.

    `seconds` is the keyframe's time in the original video; a middle more than 5 s away is refused (spec 1.3).
    """
    holding = [clip for clip in clips if clip.start <= seconds <= clip.end]
    nearest = min(holding, key=lambda clip: (abs(clip.middle - seconds), clip), default=None)
    if nearest is None or abs(nearest.middle - seconds) > FARTHEST:
        return None
    return nearest


def read_clip_list(path: Path, *, with_labels: bool = True) -> list[LabelledClip]:
    """Reads `label,youtube_id,time_start,time_end,split` with its header; StageError with file and line if broken.

    Without `with_labels` the first column may lack, as in the list of the test split; the label is empty then.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as handle:
            rows = [(number, row) for number, row in enumerate(csv.reader(handle), start=1) if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise StageError(
            f"the clip list cannot be read ({error})", str(path), "check the path and the file"
        ) from error
    header = tuple(rows[0][1]) if rows else ()
    if header == HEADER[1:] and not with_labels:
        return [_timed_clip(row, "", f"{path}:{number}", HEADER[1:]) for number, row in rows[1:]]
    if header != HEADER:
        raise StageError("the header is missing", f"{path}:1", f"begin with the line {','.join(HEADER)}")
    return [_labelled_clip(row, f"{path}:{number}") for number, row in rows[1:]]


def _labelled_clip(row: list[str], where: str) -> LabelledClip:
    found = _timed_clip(row[1:], row[0], where, HEADER)
    if not found.label:
        raise StageError("the label is empty", where, "name the clip's class")
    return found


def _timed_clip(row: list[str], label: str, where: str, header: tuple[str, ...]) -> LabelledClip:
    """The clip of the last four columns; `header` are those of the file."""
    if len(row) != 4:
        n_columns = len(row) + len(header) - 4
        raise StageError(
            f"{n_columns} columns where {len(header)} are expected", where, f"write {','.join(header)}"
        )
    video, start, end, split = row
    if not VIDEO_ID.fullmatch(video):
        raise StageError(f"bad video id {video[:80]!r}", where, "use 1 to 64 letters, digits, _ and -")
    try:
        clip = Clip(video, float(start), float(end))
    except ValueError:
        raise StageError(
            f'"{start}" or "{end}" is not a number', where, "give start and end in seconds"
        ) from None
    if not (0 <= clip.start < clip.end < float("inf")):
        raise StageError(f"the clip runs from {start} to {end}", where, "give 0 <= start < end in seconds")
    return LabelledClip(clip, label, split)

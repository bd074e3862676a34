"""Kinetics clips among files: by the times in their names, or by a Kinetics-700 list where names are ids alone."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath

from stages.lib.annotations.kinetics_csv import Clip, LabelledClip, parse_clip_name

FilesByVideo = Mapping[str, Mapping[Clip, str]]

TWICE = "files of a clip that another file holds already (not used)"
UNTIMED = "files called after an id without times, which no list tells (not used; give --clips)"
AMBIGUOUS = "files called after an id that has several clips in the list (not used; put them in folders called after the class)"


def find_clips(
    files: Iterable[str], listed: Sequence[LabelledClip] = ()
) -> tuple[FilesByVideo, Counter[str]]:
    """The file of each clip by video, and how many files could not be used, by reason.

    A file `<id>_<start:06d>_<end:06d>.mp4` says its own times. One called `<id>.mp4` is the id's only clip in the list, or the
    only one of the class after which its folder is called. Of two files of one clip the first is used.
    """
    by_video: dict[str, list[LabelledClip]] = defaultdict(list)
    for row in listed:
        by_video[row.clip.video].append(row)
    found: dict[str, dict[Clip, str]] = defaultdict(dict)
    left: Counter[str] = Counter()
    for file in files:
        path = PurePosixPath(file)
        clip = parse_clip_name(path.name)
        if clip is None:
            clips = _of_list(by_video.get(path.stem, []), path.parent.name)
            if len(clips) != 1:
                left[AMBIGUOUS if clips else UNTIMED] += 1
                continue
            (clip,) = clips
        if found[clip.video].setdefault(clip, file) != file:
            left[TWICE] += 1
    return found, left


def _of_list(rows: Sequence[LabelledClip], folder: str) -> set[Clip]:
    """The clips of an id that a file in a folder may be: those of the folder's class, or all where no class is called so."""
    of_class = {row.clip for row in rows if _plain(row.label) == _plain(folder)}
    return of_class or {row.clip for row in rows}


def _plain(label: str) -> str:
    """A class name as folders spell it: letters and digits alone, since blanks, quotes and brackets vary."""
    return "".join(letter for letter in label.lower() if letter.isalnum())

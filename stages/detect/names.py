"""The ways in which a csv may name a video."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

Spellings = Mapping[str, Mapping[str, str]]
"""For each spelling, the videos that it may mean: path by id. More than one is ambiguous."""


def spellings(videos: Iterable[tuple[str, str]]) -> Spellings:
    """Spellings of videos, given as (id, path): id or path; else the path without ending, or the bare file name."""
    exact: dict[str, dict[str, str]] = {}
    loose: dict[str, dict[str, str]] = {}
    for key, path in videos:
        file = PurePosixPath(path)
        for text in (key, path):
            exact.setdefault(text, {})[key] = path
        for text in (path.removesuffix(file.suffix), file.name, file.stem):
            loose.setdefault(text, {})[key] = path
    return loose | exact

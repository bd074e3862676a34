"""SPLIT=FILE words of the command line, and the official files that they name."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from stages.index.core import Annotations
from stages.lib.annotations.ava_csv import read_exclusions
from stages.lib.annotations.labelmap import LabelMap
from stages.lib.annotations.video_list import read_annotations
from stages.lib.errors import StageError
from stages.lib.files import is_empty
from stages.lib.metrics.tables import microseconds_to_milliseconds

_log = logging.getLogger("acarflow")


def split_files(pairs: Sequence[str], flag: str) -> dict[str, Path]:
    """SPLIT=FILE words as a mapping; another form, a split given twice or a file that is not there is a StageError."""
    found: dict[str, Path] = {}
    for pair in pairs:
        split, _, path = pair.partition("=")
        if split not in ("train", "val", "test") or not path or split in found:
            raise StageError(
                f"cannot use {pair!r}", f"--{flag}", "write train=FILE val=FILE test=FILE, each at most once"
            )
        found[split] = Path(path)
        if not found[split].is_file():
            raise StageError("file not found", path, f"correct the path of split {split}")
    return found


def read_splits(
    annotations: Sequence[str], excluded: Sequence[str], labels: LabelMap
) -> dict[str, Annotations]:
    """The annotations of each split that has any, with its excluded keyframes; arguments are SPLIT=FILE words."""
    gone_files, parts = split_files(excluded, "excluded"), {}
    for split, path in split_files(annotations, "annotations").items():
        gone = read_exclusions(gone_files[split]) if split in gone_files else set()
        gone = {(video, microseconds_to_milliseconds(us)) for video, us in gone}
        if is_empty(path):
            _log.info("%s: no annotations of split %s", path, split)
            continue
        truth, read = read_annotations(path, labels)
        _log.info("%s: %s", path, ", ".join(f"{name} {count}" for name, count in vars(read).items() if count))
        parts[split] = Annotations(truth, frozenset(gone))
    return parts

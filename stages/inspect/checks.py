"""What must hold inside an artifact beyond types and checksums: ragged rows fit, numbers are in range."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np

from stages.inspect.contents import ARTIFACT, WEIGHTS, kind_of, read_contents
from stages.lib.artifacts.reader import Artifact, open_artifact
from stages.lib.errors import StageError

_OFFSETS: Final = {
    "row_splits": "boxes",
    "truth/row_splits": "truth/boxes",
    "clip/row_splits": "clip/frame",
    "clip/offsets": "clip/data",
    "key/offsets": "key/data",
}


def check_file(path: Path) -> str:
    """Verify a file completely and return one line that says what was verified.

    Raises:
        StageError: unsafe, damaged, of another schema, changed after writing, or inconsistent.
    """
    kind = kind_of(path)
    if kind == ARTIFACT:
        with open_artifact(path) as artifact:
            artifact.verify()
            for rule in _RULES:
                rule(artifact)
            count = len(artifact.names())
            name = f"{artifact.schema.name} v{artifact.schema.version}"
            return f"{name}, {count} datasets, {artifact.fingerprint[:16]}"
    contents = read_contents(path)
    if kind == WEIGHTS:
        return f"safetensors, {contents.facts['values']}, {contents.facts['fingerprint'][:16]}"
    return f"JSON, {contents.facts['fingerprint'][:16]}"


def _required(artifact: Artifact) -> None:
    """Datasets whose name does not vary must be there; a bank has either vectors or maps."""
    names = set(artifact.names())
    optional = {"vectors", "grid", "row"} if artifact.schema.name == "bank" else set()
    optional |= {name for name, array in artifact.schema.arrays.items() if array.optional or "*" in name}
    for name in artifact.schema.arrays:
        if name not in names and name not in optional:
            raise StageError(f"dataset {name} is missing", str(artifact.path), "re-run its stage")


def _ragged(artifact: Artifact) -> None:
    pairs = dict(_OFFSETS) | {
        f"boxsets/{name}/row_splits": f"boxsets/{name}/boxes" for name in artifact.group("boxsets")
    }
    for offsets, data in pairs.items():
        if offsets not in artifact or data not in artifact:
            continue
        splits, rows = artifact.read(offsets), artifact.dataset(data).shape[0]
        if len(splits) < 1 or splits[0] != 0 or splits[-1] != rows or (np.diff(splits) < 0).any():
            what = f"{offsets} does not run from 0 to the {rows} rows of {data}"
            raise StageError(what, str(artifact.path), "re-run its stage")


def _keyframes(artifact: Artifact) -> None:
    video, times = artifact.read("keyframes/video"), artifact.read("keyframes/timestamp_ms")
    videos = artifact.dataset("videos/id").shape[0]
    if len(video) != len(times) or (len(video) and not 0 <= video.min() <= video.max() < videos):
        raise StageError(
            "keyframes point at videos that are not there", str(artifact.path), "re-run its stage"
        )
    step_video, step_time = np.diff(video), np.diff(times)
    if (step_video < 0).any() or (step_time[step_video == 0] <= 0).any():
        raise StageError("keyframes are not sorted by video and time", str(artifact.path), "re-run its stage")


def _numbers(artifact: Artifact) -> None:
    for name in artifact.names():
        leaf = name.rsplit("/", 1)[-1]
        if leaf not in ("boxes", "scores", "probabilities"):
            continue
        values = artifact.read(name)
        if not (np.isfinite(values).all() and (values >= 0).all() and (values <= 1).all()):
            raise StageError(f"{name} holds numbers outside [0, 1]", str(artifact.path), "re-run its stage")


_RULES: Final[tuple[Callable[[Artifact], None], ...]] = (_required, _ragged, _keyframes, _numbers)

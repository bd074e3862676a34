"""Opens all shards of a data set and joins them; the fingerprints of several files as one."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

from stages.lib.artifacts.predictions import Fused, Predictions
from stages.lib.artifacts.reader import open_artifact
from stages.lib.artifacts.schemas import ENSEMBLE, INDEX, PREDICT
from stages.lib.artifacts.shards import merge_index, merge_predictions, views_of
from stages.lib.artifacts.tables import Index
from stages.lib.errors import StageError


def load_index(paths: Sequence[Path], where: str) -> tuple[Index, str]:
    """The index of all shards and the fingerprint that stands for them."""
    shards, marks = [], []
    for path in paths:
        with open_artifact(path, INDEX) as artifact:
            shards.append(Index.read(artifact))
            marks.append(artifact.fingerprint)
    return merge_index(shards, where), joint_fingerprint(marks)


def load_predictions(
    paths: Sequence[Path],
    where: str,
    each: Callable[[Predictions, Path], Predictions] = lambda shard, path: shard,
) -> tuple[Predictions, str]:
    """Predictions of one head, or fused ones, of all shards, and the fingerprint that stands for them.

    `each` reduces a shard, given with its file, as soon as it is read, after it was compared with the first; so memory
    holds one whole shard.
    """
    shards: list[Predictions] = []
    views: list[object] = []
    marks = []
    for path in paths:
        with open_artifact(path) as artifact:
            if artifact.schema.name not in (PREDICT.name, ENSEMBLE.name):
                what = f"holds schema {artifact.schema.name}, not {PREDICT.name} or {ENSEMBLE.name}"
                raise StageError(what, str(path), "give files of predict or ensemble")
            kind = Fused if artifact.schema.name == ENSEMBLE.name else Predictions
            shard = kind.read(artifact)
            views.append(views_of(shard))
            if views[-1] != views[0]:
                what = "holds other box sets or views than the first shard"
                raise StageError(what, f"{where}: {path}", "re-run predict for all shards")
            shards.append(each(shard, path))
            marks.append(artifact.fingerprint)
    return merge_predictions(shards, where), joint_fingerprint(marks)


def joint_fingerprint(marks: Sequence[str]) -> str:
    """One fingerprint for several files, whatever their order; a single file keeps its own."""
    if len(marks) == 1:
        return marks[0]
    return hashlib.sha256("\n".join(sorted(marks)).encode()).hexdigest()

"""Weights of an earlier run: its weights.json, laid on the members and classes of this one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stages.ensemble.weights import Weights
from stages.lib.artifacts.tables import Classes
from stages.lib.errors import StageError


def read_given(path: Path, members: Sequence[str], classes: Classes) -> Weights:
    """Weights (M, C) in the order of these members and classes.

    Raises:
        StageError: the file is none of `ensemble`, or has other members or classes.
    """
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        values = np.array(said["weights"], dtype=np.float64)
        names, listed = list(said["members"]), [(int(row["id"]), str(row["name"])) for row in said["classes"]]
        uniform = np.array(said["uniform"], dtype=bool)
        rule, split = str(said["rule"]), str(said["fit_split"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        fix = "give results/<run>/ensemble/<ensemble>/weights.json of a finished run"
        raise StageError(f"no weights of an ensemble can be read ({error!r})", str(path), fix) from None
    if sorted(names) != sorted(members):
        odd = sorted(set(names) ^ set(members))
        what = f"members are {', '.join(names)}, those of this ensemble are {', '.join(members)} (differing: {', '.join(odd)})"
        raise StageError(what, str(path), "give the weights of an ensemble of the same members")
    if listed != list(zip(classes.ids, classes.names, strict=True)):
        what = f"{len(listed)} classes, which are not the {len(classes.ids)} of this run"
        raise StageError(what, str(path), "give weights that were fitted with this label map")
    if (
        values.shape != (len(names), len(listed))
        or uniform.shape != (len(listed),)
        or not _are_shares(values)
    ):
        what = "the weights of some class are no shares of its members (each 0 or more, together 1)"
        raise StageError(what, str(path), "give the file as `ensemble` wrote it")
    order = [names.index(member) for member in members]
    return Weights(values[order], uniform, (f"weights given by an earlier run (rule {rule}, split {split})",))


def _are_shares(values: np.ndarray) -> bool:
    return bool((values >= 0).all()) and bool(np.allclose(values.sum(axis=0), 1.0, atol=1e-6))

"""Do artifacts that are read together belong together? Every refusal names both sides."""

from __future__ import annotations

from pathlib import Path

from stages.lib.artifacts.reader import Artifact
from stages.lib.errors import StageError

SHOWN = 12


def input_of(artifact: Artifact, name: str) -> str:
    """The fingerprint of the input `name` that an artifact was made from; empty when it had no such input."""
    return artifact.provenance.inputs.get(name, "")


def require_input(artifact: Artifact, name: str, expected: str, whose: str) -> None:
    """Raise a StageError unless `artifact` was made from the input `name` with fingerprint `expected`."""
    found = input_of(artifact, name)
    if found != expected:
        raise StageError(
            f"was made with {name} {found[:SHOWN] or 'unknown'}, but {whose} with {expected[:SHOWN] or 'unknown'}",
            str(artifact.path),
            "give files of one run, or re-run the stage that wrote the older one",
        )


def require_equal(found: object, expected: object, what: str, here: Path, there: Path) -> None:
    """Raise a StageError unless two recorded properties are equal; the message names both files."""
    if found != expected:
        raise StageError(
            f"{what} is {found!r}, but {expected!r} in {there}",
            str(here),
            "give files of one run, or re-run the stage that wrote the older one",
        )

"""Was everything in a run made from what lies there now? Compares recorded fingerprints of inputs with those of the files.

Snakemake goes by times. A file that was replaced by another of the same time looks unchanged to it, and is found here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from stages.lib.artifacts.reader import open_artifact
from stages.lib.errors import StageError
from stages.lib.files import file_sha

# Other stages join several inputs into one fingerprint, or read files that are temporary.
CHECKED: Final = {
    "decode": ("index",),
    "detect": ("index", "decode", "weights", "boxes"),
    "extract": ("index", "decode", "weights"),
    "bank": ("index", "maps", "detections", "weights", "head_weights"),
    "predict": ("index", "maps", "detections", "bank", "weights"),
}
_SHOWN: Final = 12


def check_inputs(run: Path, given: Sequence[Path]) -> str:
    """One line that says what was compared; `given` are files from outside of the run: weights, csv files of boxes.

    Raises:
        StageError: what was made from files that are neither in the run nor given, with the command that mends it.
    """
    marks = {file_sha(path): path for path in [*sorted(run.rglob("*.safetensors")), *map(_file, given)]}
    made: dict[Path, tuple[str, dict[str, str]]] = {}
    for path in sorted(run.rglob("*.h5")):
        with open_artifact(path) as artifact:
            marks[artifact.fingerprint] = path
            made[path] = artifact.provenance.stage, dict(artifact.provenance.inputs)
    if not made:
        raise StageError("no artifacts lie here", str(run), "give the folder of a run: results/<run>")
    pairs = [(path, name, mark) for path, name, mark in _inputs(made)]
    stale = [(path, name, mark) for path, name, mark in pairs if mark not in marks]
    if stale:
        shown = "; ".join(f"{path} from {name} {mark[:_SHOWN]}" for path, name, mark in stale)
        files = " ".join(str(path) for path in dict.fromkeys(path for path, _, _ in stale))
        raise StageError(
            f"made from files that are not there any more: {shown}",
            str(run),
            f"name the files from outside that this run uses; or, if they were replaced, rm {files} and run again",
        )
    return f"{len(made)} artifacts, {len(pairs)} inputs"


def _file(path: Path) -> Path:
    if not path.is_file():
        raise StageError("no such file", str(path), "give weights and csv files that the run uses")
    return path


def _inputs(made: dict[Path, tuple[str, dict[str, str]]]) -> Iterator[tuple[Path, str, str]]:
    """Path, name of an input, and its recorded fingerprint."""
    for path, (stage, inputs) in made.items():
        for name in CHECKED.get(stage, ()):
            if name in inputs:
                yield path, name, inputs[name]

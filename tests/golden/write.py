"""Writes one small file of every schema at its present version, where there is none yet: `python -m tests.golden.write`.

The files of older versions stay; a reader that can no longer read one must say which stage to run again.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from stages.lib.artifacts.provenance import Provenance
from stages.lib.artifacts.schemas import SCHEMAS, Schema
from stages.lib.artifacts.writer import write_artifact

FOLDER = Path(__file__).parent
SIZES = {"V": 2, "K": 3, "N": 4, "A": 2, "F": 2, "B": 6, "S": 2, "C": 3, "h": 2, "w": 2, "M": 2, "H": 1}
STARS = {"boxsets": "detected", "logits": "s128", "views": "s128", "maps": "2x2"}


def path_of(schema: Schema) -> Path:
    """The stored file of a schema's present version."""
    return FOLDER / f"{schema.name}-v{schema.version}.h5"


def name_of(pattern: str) -> str:
    """A dataset name that falls under a pattern of a schema."""
    parts = pattern.split("/")
    return "/".join(STARS[parts[i - 1]] if part == "*" else part for i, part in enumerate(parts))


def values_of(schema: Schema) -> dict[str, np.ndarray]:
    """An array for each dataset of a schema, its values fixed by its name's place in the list."""
    arrays = {}
    for seed, (pattern, declared) in enumerate(schema.arrays.items()):
        if declared.optional:
            continue
        shape = tuple(_size(axis) for axis in declared.axes.split(","))
        count = int(np.prod(shape))
        numbers = (np.arange(count) * 7 + seed) % 100
        if declared.dtype == "S":
            arrays[name_of(pattern)] = np.array([f"text ä {n}" for n in numbers], object)
        else:
            scale = 100 if np.dtype(declared.dtype).kind == "f" else 1
            arrays[name_of(pattern)] = (numbers / scale).reshape(shape).astype(declared.dtype)
    return arrays


def _size(axis: str) -> int:
    name, _, more = axis.partition("+")
    return (SIZES[name] if name in SIZES else int(name)) + int(more or 0)


def write(schema: Schema, path: Path) -> None:
    """Write the file of a schema."""
    origin = Provenance(schema.name, 1, '{"threads":2}', {"input": "0" * 64})
    with write_artifact(path, schema, origin) as writer:
        for name, values in values_of(schema).items():
            writer.put(name, values)


if __name__ == "__main__":
    for one in SCHEMAS.values():
        if not path_of(one).exists():
            write(one, path_of(one))

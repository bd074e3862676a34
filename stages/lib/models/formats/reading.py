"""A checkpoint of any origin from its file: tensors by the names that stand in it, and what was set aside; no code is run."""

from __future__ import annotations

import pickle
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors import torch as safetensors_torch
from torch import Tensor

from stages.lib.errors import StageError
from stages.lib.models.formats.caffe2 import is_solver_blob
from stages.lib.models.formats.mapping import listed
from stages.lib.models.formats.pickles import damaged, load_numbers, refused
from stages.lib.models.weights import MOST_HEADER

ZIP: Final = b"PK"
# An old torch file begins with a pickle of the number 0x1950a86a20f9469cfc6c.
OLD_TORCH: Final = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"
PICKLES: Final = (b"\x80", b"(", b"}", b"]", b"c")
# Where the tensors stand, and what upstream writes beside them.
WRAPPERS: Final = {
    "state_dict": ("epoch", "optimizer", "scheduler"),
    "model_state": ("epoch", "optimizer_state", "cfg", "scaler_state"),
    "blobs": (),
}


@dataclass(frozen=True)
class Source:
    """A checkpoint as it stands in its file.

    aside: how many tensors (or blobs) of each thing were set aside on purpose; settings: the text of the
    configuration inside the file, empty without one; epoch: of its training, where it says so.
    """

    tensors: dict[str, Tensor]
    where: str
    aside: dict[str, int] = field(default_factory=dict)
    settings: str = ""
    epoch: int | None = None


def read_source(path: Path) -> Source:
    """Read a torch file, a pickle of numpy arrays or a safetensors file.

    Raises:
        StageError: missing, damaged, of another kind, with code in it, or with tensors where none are expected.
    """
    try:
        with path.open("rb") as file:
            start = file.read(16)
    except OSError as error:
        raise StageError(f"cannot be read ({error.strerror})", str(path), "check the path") from None
    return unwrap(_content(path, start), str(path))


def unwrap(content: Any, where: str) -> Source:
    """The tensors inside a checkpoint's dictionaries.

    Raises:
        StageError: no dictionary of tensors, or tensors beside it that are not known to be the training's.
    """
    if not isinstance(content, Mapping):
        what = f"holds a {type(content).__name__} instead of a dictionary of tensors"
        raise StageError(what, where, "give a checkpoint, or the state dict of a model")
    wrapper = next((key for key in WRAPPERS if isinstance(content.get(key), Mapping)), None)
    inner = content if wrapper is None else content[wrapper]
    outer = {} if wrapper is None else {key: value for key, value in content.items() if key != wrapper}
    aside = _aside(outer, WRAPPERS[wrapper] if wrapper else (), where)
    tensors, solver = {}, 0
    for name, value in inner.items():
        if wrapper == "blobs" and is_solver_blob(str(name)):
            solver += 1
        elif isinstance(value, Tensor | np.ndarray):
            tensors[str(name)] = value if isinstance(value, Tensor) else torch.from_numpy(value)
        else:
            aside |= _aside({name: value}, (), where)
    if solver:
        aside["momentum and learning-rate blobs"] = solver
    settings, epoch = outer.get("cfg"), outer.get("epoch")
    return Source(
        tensors,
        where,
        aside,
        settings if isinstance(settings, str) else "",
        epoch if isinstance(epoch, int) else None,
    )


def _aside(values: Mapping[Any, Any], known: Iterable[str], where: str) -> dict[str, int]:
    """How many tensors each value holds; StageError when a value holds some that is not known to be the training's."""
    counts = {str(key): _count_tensors(value) for key, value in values.items()}
    strange = [f"{key} ({count} tensors)" for key, count in counts.items() if count and key not in known]
    if strange:
        raise StageError(
            f"holds tensors that belong to no known part of a checkpoint: {listed(strange)}",
            where,
            "save the model's own state dict in a file and import that",
        )
    return counts


def _count_tensors(value: Any) -> int:
    """Tensors inside nested containers, each container once."""
    count, seen, waiting = 0, set(), [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, Tensor | np.ndarray):
            count += 1
        elif isinstance(item, Mapping | list | tuple) and id(item) not in seen:
            seen.add(id(item))
            waiting += item.values() if isinstance(item, Mapping) else item
    return count


def _content(path: Path, start: bytes) -> Any:
    """What a file holds, by its first bytes."""
    where = str(path)
    if start[8:9] == b"{" and int.from_bytes(start[:8], "little") < MOST_HEADER:
        try:
            return safetensors_torch.load_file(path)
        except (SafetensorError, ValueError, KeyError) as error:
            raise damaged(f"not a readable safetensors file ({error})", where) from None
    if start.startswith((ZIP, OLD_TORCH)):
        return _torch(path, where)
    if start.startswith(PICKLES):
        return load_numbers(path.read_bytes(), where)
    what = "neither a torch file nor a pickle nor safetensors" if start else "the file is empty"
    raise StageError(what, where, "give a .pth, .pyth, .pkl or .safetensors file")


def _torch(path: Path, where: str) -> Any:
    """A torch file under `weights_only`, with numpy's numbers allowed beside tensors."""
    try:
        with torch.serialization.safe_globals(_numpy_globals()):
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # noqa: BLE001 - a damaged archive makes torch raise whatever it meets
        asked = re.search(r"GLOBAL (\S+)", str(error)) if isinstance(error, pickle.UnpicklingError) else None
        if asked is not None:
            raise refused(asked[1], where) from None
        what = f"the torch file breaks off or is damaged ({type(error).__name__}: {_first_line(error)})"
        raise damaged(what, where) from None


def _numpy_globals() -> list[Any]:
    """What numpy's numbers and plain arrays are pickled with, under its present and its former module names."""
    from numpy._core import multiarray

    kinds = {type(np.dtype(code)) for code in ("f2", "f4", "f8", "i4", "i8", "u1", "bool")}
    functions = [
        (function, f"numpy.{core}.multiarray.{name}")
        for core in ("core", "_core")
        for name, function in (("scalar", multiarray.scalar), ("_reconstruct", multiarray._reconstruct))
    ]
    return [*functions, np.ndarray, np.dtype, *sorted(kinds, key=str)]


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:200] if lines else type(error).__name__

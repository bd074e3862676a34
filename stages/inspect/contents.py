"""What stands in a file, whatever its kind, as one neutral description: facts, plain values, arrays."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from stages.lib.artifacts.reader import open_artifact
from stages.lib.errors import StageError
from stages.lib.files import file_sha

ARTIFACT, WEIGHTS, JSON = "artifact", "weights", "json"
HDF5_MAGIC: Final = b"\x89HDF"
MAX_HEADER: Final = 100 << 20
SHOWN: Final = 8
_FLOATS: Final = {"F64": "<f8", "F32": "<f4", "F16": "<f2"}
NUMPY: Final = _FLOATS | {"I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1", "U8": "u1", "BOOL": "?"}
BYTES: Final = {name: np.dtype(kind).itemsize for name, kind in NUMPY.items()} | {"BF16": 2}


@dataclass(frozen=True)
class Entry:
    """One array: type, shape, meaning of its axes and values, its first values, and the digest of all."""

    dtype: str
    shape: tuple[int, ...]
    axes: str = ""
    doc: str = ""
    first: tuple[Any, ...] = ()
    digest: str = ""


@dataclass(frozen=True)
class Contents:
    """A file's kind (artifact, weights, json), its facts, plain values by title, and arrays by name."""

    kind: str
    facts: Mapping[str, str]
    plain: Mapping[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, Entry] = field(default_factory=dict)


def kind_of(path: Path) -> str:
    """The kind of a file, from its first bytes.

    Raises:
        StageError: no such file, or a file of none of the three kinds.
    """
    try:
        with path.open("rb") as handle:
            head = handle.read(16)
    except OSError as error:
        fix = "give the path of an existing file"
        raise StageError(f"cannot read the file ({error.strerror})", str(path), fix) from None
    if head.startswith(HDF5_MAGIC):
        return ARTIFACT
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") < MAX_HEADER:
        return WEIGHTS
    if head.lstrip()[:1] in (b"{", b"["):
        return JSON
    fix = "give an artifact (.h5), weights (.safetensors) or a .json file"
    raise StageError("neither HDF5 nor safetensors nor JSON", str(path), fix)


def read_contents(path: Path) -> Contents:
    """Describe a file of any of the three kinds; a StageError for anything that does not parse."""
    kind = kind_of(path)
    if kind == ARTIFACT:
        return _artifact(path)
    return _weights(path) if kind == WEIGHTS else _json(path)


def _artifact(path: Path) -> Contents:
    with open_artifact(path) as artifact:
        origin = artifact.provenance
        digests = json.loads(str(artifact.attribute("digests")))
        facts = {
            "schema": f"{artifact.schema.name} version {artifact.schema.version} ({artifact.schema.doc})",
            "stage": f"{origin.stage} version {origin.version}",
            "fingerprint": artifact.fingerprint,
            "boxes": str(artifact.attribute("boxes")),
            "times": str(artifact.attribute("times")),
        }
        arrays = {}
        for name in artifact.names():
            data, declared = artifact.dataset(name), artifact.schema.array(name)
            first = _first(data[: min(SHOWN, data.shape[0])]) if data.ndim else ()
            dtype = "text" if data.dtype.kind == "S" else str(data.dtype)
            digest = digests.get(name, "")
            arrays[name] = Entry(dtype, data.shape, declared.axes, declared.doc, first, digest)
        plain = {
            "config": _parsed(origin.config),
            "inputs": dict(origin.inputs),
            "libraries (not part of the fingerprint)": json.loads(str(artifact.attribute("libraries"))),
        }
        return Contents(ARTIFACT, facts, plain, arrays)


def _weights(path: Path) -> Contents:
    """A safetensors file: eight bytes of length, a JSON header, then the tensors' bytes without gaps."""
    with path.open("rb") as handle:
        length = int.from_bytes(handle.read(8), "little")
        header = _header(handle.read(length), path)
        arrays, stored = {}, 0
        for name, value in header.items():
            if name == "__metadata__":
                continue
            arrays[name] = _tensor(handle, name, value, 8 + length, path)
            stored += math.prod(arrays[name].shape) * BYTES[arrays[name].dtype]
    metadata = {key: _parsed(text) for key, text in header.get("__metadata__", {}).items()}
    if 8 + length + stored != path.stat().st_size:
        raise StageError("its tensors do not fill the file", str(path), "copy the file again")
    count = sum(math.prod(entry.shape) for entry in arrays.values())
    facts = {
        "format": "safetensors",
        "values": f"{count:,} in {len(arrays)} tensors",
        "fingerprint": file_sha(path),
    }
    return Contents(WEIGHTS, facts, {"metadata": metadata}, dict(sorted(arrays.items())))


def _header(raw: bytes, path: Path) -> dict[str, Any]:
    try:
        header = json.loads(raw)
    except ValueError as error:
        raise StageError(f"its header is no JSON ({error})", str(path), "copy the file again") from None
    if not isinstance(header, dict):
        raise StageError("its header is no JSON object", str(path), "copy the file again")
    return header


def _tensor(handle: BinaryIO, name: str, value: Mapping[str, Any], base: int, path: Path) -> Entry:
    try:
        kind, shape = str(value["dtype"]), tuple(int(size) for size in value["shape"])
        start, end = (int(number) for number in value["data_offsets"])
        wanted = math.prod(shape) * BYTES[kind]
    except (KeyError, TypeError, ValueError):
        raise StageError(f"tensor {name} is declared wrongly", str(path), "copy the file again") from None
    handle.seek(base + start)
    raw = handle.read(end - start)
    if min(start, *shape, 0) < 0 or not len(raw) == end - start == wanted:
        raise StageError(f"tensor {name} lies outside the file", str(path), "copy the file again")
    first = _first(np.frombuffer(raw, NUMPY[kind])) if kind in NUMPY else ()
    return Entry(kind, shape, first=first, digest=hashlib.sha256(raw).hexdigest())


def _json(path: Path) -> Contents:
    try:
        value = json.loads(path.read_text())
    except ValueError as error:
        raise StageError(f"not JSON ({error})", str(path), "re-run the stage that writes it") from None
    facts = {"format": "JSON", "fingerprint": file_sha(path)}
    return Contents(JSON, facts, {"content": value})


def _first(values: NDArray[Any]) -> tuple[Any, ...]:
    """The first few scalars of an array, as plain Python values."""
    flat = values.reshape(-1)[:SHOWN].tolist()
    return tuple(value.decode("utf-8", "replace") if isinstance(value, bytes) else value for value in flat)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text

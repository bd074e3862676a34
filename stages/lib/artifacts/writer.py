"""Writing an artifact: checked against its schema, checksummed, digested, and renamed when complete."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from stages.lib.artifacts.provenance import Provenance, fingerprint, library_versions
from stages.lib.artifacts.schemas import Array, Schema
from stages.lib.artifacts.sink import Sink
from stages.lib.errors import StageError
from stages.lib.files import atomic_path

_CHUNK_BYTES = 1 << 18
_OWN_CHUNK_BYTES = 1 << 14


class Stream:
    """A dataset that grows row by row; its digest is taken while writing."""

    def __init__(self, dataset: h5py.Dataset, path: Path, sink: Sink) -> None:
        self._dataset, self._path, self._sink = dataset, path, sink
        self._hash = hashlib.sha256()
        self.rows = 0

    def append(self, rows: NDArray[Any]) -> None:
        """Add rows (leading axis) at the end.

        Raises:
            StageError: the file system refuses.
        """
        data = np.ascontiguousarray(rows, dtype=self._dataset.dtype)
        assert data.shape[1:] == self._dataset.shape[1:], (
            f"{self._dataset.name}: rows of shape {data.shape[1:]}"
        )
        if len(data) == 0:
            return
        self._dataset.resize(self.rows + len(data), axis=0)
        self._dataset[self.rows :] = data
        _raise_refusal(self._sink, self._path)
        self._hash.update(data.tobytes() if data.size == 0 else data.data)
        self.rows += len(data)

    def digest(self) -> str:
        """Digest of type, shape and bytes."""
        return digest_of(self._dataset, self._hash.digest())


def digest_of(dataset: h5py.Dataset, content: bytes) -> str:
    """Digest of a dataset's type and shape and of the sha256 of its bytes."""
    return hashlib.sha256(f"{dataset.dtype.str}{dataset.shape}".encode() + content).hexdigest()


class Writer:
    """The open artifact; made by `write_artifact`."""

    def __init__(self, file: h5py.File, schema: Schema, path: Path, sink: Sink) -> None:
        self._file, self._schema, self._path, self._sink = file, schema, path, sink
        self._streams: dict[str, Stream] = {}

    def put(self, name: str, values: NDArray[Any]) -> None:
        """Write a whole array; text arrays are stored as fixed-width UTF-8."""
        declared = self._schema.array(name)
        data = _typed(values, declared)
        self._open(name, data.shape[1:], data.dtype, max(len(data), 1)).append(data)

    def stream(self, name: str, row_shape: tuple[int, ...], dtype: np.dtype[Any] | None = None) -> Stream:
        """Open a dataset that grows along its first axis; large rows get a chunk each."""
        kind = np.dtype(self._schema.array(name).dtype) if dtype is None else dtype
        return self._open(name, row_shape, kind, 1 << 14)

    def _open(self, name: str, row_shape: tuple[int, ...], kind: np.dtype[Any], most_rows: int) -> Stream:
        """A dataset with chunks of about 256 KiB, one row, or `most_rows`; a chunk is stored whole even if half empty."""
        declared = self._schema.array(name)
        assert declared.fits((0, *row_shape)), (
            f"{name}: rows of shape {row_shape} do not fit axes {declared.axes}"
        )
        row_bytes = max(1, int(np.prod(row_shape, dtype=np.int64)) * kind.itemsize)
        rows = 1 if row_bytes >= _OWN_CHUNK_BYTES else min(_CHUNK_BYTES // row_bytes, most_rows)
        dataset = self._file.create_dataset(
            name,
            shape=(0, *row_shape),
            maxshape=(None, *(size or None for size in row_shape)),
            chunks=(rows, *(max(1, size) for size in row_shape)),
            dtype=kind,
            fletcher32=True,
            track_times=False,
        )
        dataset.attrs["axes"], dataset.attrs["doc"] = declared.axes, declared.doc
        self._streams[name] = Stream(dataset, self._path, self._sink)
        return self._streams[name]

    def attribute(self, name: str, value: str | int | float) -> None:
        """A root attribute for readers; not part of the fingerprint, so derive it from config or data."""
        self._file.attrs[name] = value

    def attributes(self, values: Mapping[str, str | int | float]) -> None:
        """Several of them."""
        for name, value in values.items():
            self.attribute(name, value)

    def finish(self, origin: Provenance) -> str:
        """Write provenance and fingerprint as root attributes; return the fingerprint."""
        digests = {name: stream.digest() for name, stream in sorted(self._streams.items())}
        mark = fingerprint(self._schema.name, self._schema.version, origin, digests)
        attributes: Mapping[str, Any] = {
            "schema": self._schema.name,
            "schema_version": self._schema.version,
            "doc": self._schema.doc,
            "stage": origin.stage,
            "stage_version": origin.version,
            "config": origin.config,
            "inputs": json.dumps(dict(origin.inputs), sort_keys=True),
            "digests": json.dumps(digests, sort_keys=True),
            "libraries": json.dumps(library_versions(), sort_keys=True),
            "boxes": "xyxy, fractions of the frame, float32",
            "times": "integer milliseconds in the original video",
            "fingerprint": mark,
        }
        for name, value in attributes.items():
            self._file.attrs[name] = value
        return mark


@contextmanager
def write_artifact(path: Path, schema: Schema, origin: Provenance) -> Iterator[Writer]:
    """Write the artifact at `path`; nothing stands under that name until all of it is on disk.

    Raises:
        StageError: the file system refuses (full, read-only).
    """
    with atomic_path(path) as temporary, closing(Sink(temporary)) as sink:
        with h5py.File(sink, "w", libver="v110", track_order=False) as file:
            writer = Writer(file, schema, path, sink)
            yield writer
            writer.finish(origin)
        _raise_refusal(sink, path)


def _raise_refusal(sink: Sink, path: Path) -> None:
    if sink.refusal is not None:
        fix = "free disk space, mend the permissions or choose another folder"
        raise StageError(f"cannot write ({sink.refusal.strerror or sink.refusal})", str(path), fix)


def _typed(values: NDArray[Any], declared: Array) -> NDArray[Any]:
    if declared.dtype == "S":
        texts = [str(value).encode() for value in np.asarray(values).tolist()]
        width = max([1, *(len(text) for text in texts)])
        return np.array(texts, dtype=f"S{width}")
    array = np.asarray(values)
    rounds = array.dtype.kind == "f" and np.dtype(declared.dtype).kind in "iu" and array.size > 0
    assert not rounds, f"float values for a dataset of type {declared.dtype}"
    return np.ascontiguousarray(array, dtype=array.dtype if declared.holds(array.dtype) else declared.dtype)

"""Reading an artifact: only what is safe, only the schema asked for, only the fingerprint expected."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from stages.lib.artifacts import provenance
from stages.lib.artifacts.provenance import Provenance
from stages.lib.artifacts.schemas import SCHEMAS, Schema
from stages.lib.artifacts.scratch import near_copy
from stages.lib.artifacts.writer import digest_of
from stages.lib.errors import StageError


class Artifact:
    """An open artifact; made by `open_artifact`."""

    def __init__(
        self, file: h5py.File, path: Path, schema: Schema, datasets: Mapping[str, h5py.Dataset]
    ) -> None:
        self._file, self.path, self.schema, self._datasets = file, path, schema, datasets

    @property
    def fingerprint(self) -> str:
        """The sha256 that stands for this artifact as an input of others."""
        return str(self._file.attrs["fingerprint"])

    @property
    def provenance(self) -> Provenance:
        """Stage, version, config text and input fingerprints."""
        attrs = self._file.attrs
        inputs = json.loads(str(attrs["inputs"]))
        return Provenance(str(attrs["stage"]), int(attrs["stage_version"]), str(attrs["config"]), inputs)

    def attribute(self, name: str) -> Any:
        """A root attribute."""
        return self._file.attrs[name]

    def names(self) -> list[str]:
        """Names of all datasets, sorted."""
        return sorted(self._datasets)

    def __contains__(self, name: str) -> bool:
        return name in self._file

    def dataset(self, name: str) -> h5py.Dataset:
        """A dataset to read rows from."""
        if name not in self._datasets:
            raise StageError(
                f"dataset {name} is missing", str(self.path), "remove the file and re-run its stage"
            )
        return self._datasets[name]

    def read(self, name: str) -> NDArray[Any]:
        """A whole dataset; text arrays come back as str objects.

        Raises:
            StageError: the checksum does not hold.
        """
        dataset = self.dataset(name)
        try:
            values = dataset[()]
        except OSError as error:
            raise StageError(
                f"dataset {name} is damaged ({error})", str(self.path), "remove the file and re-run its stage"
            ) from None
        if dataset.dtype.kind == "S":
            return np.array([value.decode() for value in values], dtype=object)
        return values

    def group(self, name: str) -> list[str]:
        """Names of the members of a group; empty when there is no such group."""
        return sorted(self._file[name]) if name in self._file else []

    def verify(self) -> None:
        """Read everything and compare it with the digests taken while writing.

        Raises:
            StageError: a dataset is missing, new, or differs, or the fingerprint does not fit them.
        """
        expected = json.loads(str(self._file.attrs["digests"]))
        if sorted(expected) != self.names():
            raise StageError(
                "the datasets are not those that were written", str(self.path), "re-run its stage"
            )
        for name, digest in expected.items():
            if _digest(self.dataset(name), self.path) != digest:
                raise StageError(
                    f"dataset {name} differs from what was written", str(self.path), "re-run its stage"
                )
        recomputed = provenance.fingerprint(self.schema.name, self.schema.version, self.provenance, expected)
        if recomputed != self.fingerprint:
            raise StageError(
                "configuration, inputs or digests were changed after writing",
                str(self.path),
                "re-run its stage",
            )


def _digest(dataset: h5py.Dataset, path: Path) -> str:
    content = hashlib.sha256()
    rows = dataset.chunks[0] * 16 if dataset.chunks else 1024
    try:
        for first in range(0, dataset.shape[0], rows):
            content.update(np.ascontiguousarray(dataset[first : first + rows]).tobytes())
    except OSError as error:
        raise StageError(
            f"dataset {dataset.name} is damaged ({error})", str(path), "re-run its stage"
        ) from None
    return digest_of(dataset, content.digest())


@contextmanager
def open_artifact(
    path: Path, schema: Schema | None = None, fingerprint: str | None = None, *, near: bool = False
) -> Iterator[Artifact]:
    """Open `path` read-only after checking that it is a safe, whole artifact of `schema` (any, when None).

    With `near` a copy on this node's own disk is read, where there is one to be had (`scratch.near_copy`).

    Raises:
        StageError: no such file, not HDF5, a link or storage that leads outside, another schema, another
            version, datasets of another type or shape than declared, or another fingerprint than expected.
    """
    if not path.is_file():
        raise StageError("file not found", str(path), "run the stage that writes it")
    with ExitStack() as stack:
        place = stack.enter_context(near_copy(path)) if near else path
        try:
            file = stack.enter_context(h5py.File(place, "r", locking="best-effort"))
        except (OSError, RuntimeError) as error:
            raise StageError(
                f"not a readable HDF5 file ({error})", str(path), "remove it and re-run its stage"
            ) from None
        artifact = _checked(file, path)
        if schema is not None and artifact.schema.name != schema.name:
            raise StageError(
                f"holds schema {artifact.schema.name}, not {schema.name}", str(path), "give the right file"
            )
        if fingerprint is not None and artifact.fingerprint != fingerprint:
            raise StageError(
                f"has fingerprint {artifact.fingerprint[:12]}, but {fingerprint[:12]} was expected",
                str(path),
                "re-run the stage that reads it, or restore the file",
            )
        yield artifact


def _checked(file: h5py.File, path: Path) -> Artifact:
    """The artifact in an open file; damaged metadata, which makes HDF5 raise anything, is refused."""
    try:
        datasets = _safe_datasets(file, path)
        artifact = Artifact(file, path, _schema_of(file, path), datasets)
        _check_structure(artifact)
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise StageError(
            f"its structure is damaged ({error})", str(path), "remove it and re-run its stage"
        ) from None
    return artifact


def _check_structure(artifact: Artifact) -> None:
    """Every dataset is declared by the schema, with the declared type and axes; root attributes parse."""
    for name in artifact.names():
        declared, found = artifact.schema.array(name), artifact.dataset(name)
        if not (declared.holds(found.dtype) and declared.fits(found.shape)):
            what = f"dataset {name} is {found.dtype} {found.shape}"
            what += f", the schema wants {declared.dtype} ({declared.axes})"
            raise StageError(what, str(artifact.path), "re-run its stage")
    _ = artifact.provenance


def _schema_of(file: h5py.File, path: Path) -> Schema:
    name = str(file.attrs.get("schema", ""))
    if name not in SCHEMAS or "fingerprint" not in file.attrs:
        raise StageError(
            "not an artifact of this project", str(path), "give a file written by one of the stages"
        )
    schema = SCHEMAS[name]
    version = int(file.attrs["schema_version"])
    if version != schema.version:
        raise StageError(
            f"schema {name} has version {version}, this release reads {schema.version}",
            str(path),
            f"re-run stage {file.attrs.get('stage')}: snakemake -R {file.attrs.get('stage')}",
        )
    return schema


def _safe_datasets(file: h5py.File, path: Path) -> dict[str, h5py.Dataset]:
    """All datasets by name; refuses links, external or virtual storage, unknown filters and sizes beyond what is stored."""
    refusal = "do not use this file; re-run its stage"
    found: dict[str, h5py.Dataset] = {}

    def visit(group: h5py.Group, prefix: str) -> None:
        for name in group:
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise StageError(f"{group.name}/{name} is a link", str(path), refusal)
            item = group[name]
            if isinstance(item, h5py.Group):
                visit(item, f"{prefix}{name}/")
            elif isinstance(item, h5py.Dataset):
                _check_dataset(item, path, refusal)
                found[f"{prefix}{name}"] = item

    visit(file, "")
    return found


def _check_dataset(item: h5py.Dataset, path: Path, refusal: str) -> None:
    if item.external or item.is_virtual:
        raise StageError(f"{item.name} takes its data from elsewhere", str(path), refusal)
    plist = item.id.get_create_plist()
    for position in range(plist.get_nfilters()):
        code = plist.get_filter(position)[0]
        if code not in (
            h5py.h5z.FILTER_FLETCHER32,
            h5py.h5z.FILTER_SHUFFLE,
            h5py.h5z.FILTER_DEFLATE,
            h5py.h5z.FILTER_LZF,
        ):
            raise StageError(f"{item.name} uses filter {code}, which is not allowed", str(path), refusal)
    declared = item.size * item.dtype.itemsize
    stored = item.id.get_storage_size()
    chunk = int(np.prod(item.chunks, dtype=np.int64)) * item.dtype.itemsize if item.chunks else 0
    if declared > 1000 * (stored + 1) + chunk:
        raise StageError(f"{item.name} declares {declared} bytes but stores {stored}", str(path), refusal)

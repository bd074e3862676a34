"""Files that are either complete under their final name or not there: temporary name, fsync, rename."""

from __future__ import annotations

import glob
import hashlib
import json
import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from stages.lib.errors import StageError


def fsync_dir(folder: Path) -> None:
    """Make a rename in `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def temporary_beside(path: Path) -> Path:
    """A name beside `path`, of this process alone; what killed processes of this machine left under theirs is removed.

    What processes of other machines left stays: whether they still write cannot be seen from here.
    """
    start = f".{path.name}.tmp.{socket.gethostname()}."
    for old in path.parent.glob(f"{glob.escape(start)}*"):
        number = old.name.removeprefix(start)
        if number.isdigit() and not Path(f"/proc/{number}").exists():
            shutil.rmtree(old, ignore_errors=True) if old.is_dir() else old.unlink(missing_ok=True)
    return path.with_name(f"{start}{os.getpid()}")


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside `path`; on success fsync and rename it to `path`, on any error remove it.

    Raises:
        StageError: the folder cannot be made or written.
    """
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = temporary_beside(path)
        temporary.touch()
    try:
        yield temporary
        with writing(path):
            with temporary.open("rb") as handle:
                os.fsync(handle.fileno())
            temporary.replace(path)
            fsync_dir(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn a refusal of the file system (full, read-only) inside the block into a StageError about `path`."""
    try:
        yield
    except OSError as error:
        fix = "free disk space, mend the permissions or choose another folder"
        raise StageError(f"cannot write ({error.strerror or error})", str(path), fix) from error


def write_bytes(path: Path, data: bytes) -> None:
    """Write `data` to `path` in one step."""
    with atomic_path(path) as temporary, writing(path):
        temporary.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 `text` to `path` in one step."""
    write_bytes(path, text.encode())


@contextmanager
def text_stream(path: Path) -> Iterator[TextIO]:
    """A UTF-8 stream whose text becomes `path` in one step, for texts that memory should not hold whole."""
    with (
        atomic_path(path) as temporary,
        writing(path),
        temporary.open("w", encoding="utf-8", newline="") as stream,
    ):
        yield stream


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON with sorted keys, in one step; NaN is refused."""
    write_text(path, json.dumps(value, indent=1, sort_keys=True, allow_nan=False) + "\n")


def number(value: float) -> float | None:
    """A float for json, null where it is NaN."""
    return None if value != value else float(value)


def file_sha(path: Path) -> str:
    """sha256 of a file's bytes, in hex."""
    digest = hashlib.sha256()
    with path.open("rb") as handle:
        while block := handle.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def is_empty(path: Path) -> bool:
    """Whether an annotation file holds nothing: a split without videos, which is no fault. StageError without the file."""
    try:
        return path.stat().st_size == 0
    except OSError as fault:
        raise StageError(f"cannot be read: {fault.strerror}", str(path), "give an annotation file") from fault

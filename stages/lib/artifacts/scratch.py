"""Copies of files on a node's own disk, for jobs that read a network file system piece by piece."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

VARIABLE: Final = "ACARFLOW_SCRATCH"
logger = logging.getLogger(__name__)


@contextmanager
def near_copy(path: Path) -> Iterator[Path]:
    """A copy of `path` below the folder that ACARFLOW_SCRATCH names (`$TMPDIR` in it is this job's), removed afterwards.

    The file itself without that variable, or, with a note in the log, where the folder does not take the copy.
    """
    folder = os.path.expandvars(os.environ.get(VARIABLE, ""))
    copy = _copy(path, folder) if folder else None
    try:
        yield copy or path
    finally:
        if copy:
            shutil.rmtree(copy.parent, ignore_errors=True)


def _copy(path: Path, folder: str) -> Path | None:
    made = None
    try:
        made = Path(tempfile.mkdtemp(prefix="acarflow-", dir=folder))
        return Path(shutil.copyfile(path, made / path.name))
    except OSError as error:
        if made:
            shutil.rmtree(made, ignore_errors=True)
        logger.warning("%s is read where it is: no copy in %s=%s (%s)", path, VARIABLE, folder, error)
        return None

"""Small questions about files."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from stages.lib.errors import StageError
from stages.lib.files import atomic_path, is_empty, temporary_beside, text_stream


def test_an_empty_annotation_file_is_no_fault_and_a_missing_one_is(tmp_path: Path) -> None:
    (tmp_path / "none.csv").write_bytes(b"")
    (tmp_path / "some.csv").write_text("v,0902\n")
    assert is_empty(tmp_path / "none.csv") and not is_empty(tmp_path / "some.csv")
    with pytest.raises(StageError, match=r"gone\.csv: cannot be read"):
        is_empty(tmp_path / "gone.csv")


@pytest.mark.fault("F13")
def test_a_text_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "folder/rows.csv"

    def half() -> None:
        with text_stream(path) as stream:
            stream.write("half a")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        half()
    assert not list(path.parent.iterdir())
    with text_stream(path) as stream:
        stream.write("whole: ü\n")
        assert not path.exists()
    assert path.read_bytes() == "whole: ü\n".encode()


@pytest.mark.fault("F15")
def test_what_killed_processes_left_is_removed(tmp_path: Path) -> None:
    """A process that is gone leaves a file and a folder; those of a living one, of another machine and of other names stay."""
    gone = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True, check=True
    )
    dead, host = gone.stdout.strip(), socket.gethostname()
    stay = [
        f".a.h5.tmp.{host}.{os.getppid()}",
        f".a.h5.tmp.elsewhere.{dead}",
        f".b.h5.tmp.{host}.{dead}",
        "a.h5",
    ]
    for name in (*stay, f".a.h5.tmp.{host}.{dead}"):
        (tmp_path / name).touch()
    with atomic_path(tmp_path / "a.h5") as temporary:
        assert temporary.name == f".a.h5.tmp.{host}.{os.getpid()}"
        temporary.write_text("new")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(stay)
    assert (tmp_path / "a.h5").read_text() == "new"
    (tmp_path / f".videos.tmp.{host}.{dead}/half").mkdir(parents=True)
    temporary_beside(tmp_path / "videos")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(stay)

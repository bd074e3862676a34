"""Copies on a node's own disk: read instead of the file, gone afterwards, done without where there is no room."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from stages.lib.artifacts.reader import open_artifact
from stages.lib.artifacts.scratch import VARIABLE, near_copy
from stages.lib.errors import StageError
from tests.unit.lib.artifacts.samples import write_sample


def test_a_copy_is_read_and_then_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "disk").mkdir()
    monkeypatch.setenv("NODE_DISK", str(tmp_path / "disk"))
    monkeypatch.setenv(VARIABLE, "$NODE_DISK")
    path = write_sample(tmp_path / "far.h5")
    with open_artifact(path, near=True) as artifact:
        (copy,) = (tmp_path / "disk").rglob("far.h5")
        path.write_bytes(b"the network file system is gone")
        assert artifact.read("boxes").shape == (3, 4)
        assert artifact.path == path, "faults name the file that the user knows"
        assert copy.read_bytes()[1:4] == b"HDF"
    assert not list((tmp_path / "disk").iterdir())


def test_without_the_variable_the_file_itself_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    with near_copy(tmp_path / "far.h5") as place:
        assert place == tmp_path / "far.h5"


def test_a_folder_that_takes_no_copy_is_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "absent"))
    path = write_sample(tmp_path / "far.h5")
    with caplog.at_level(logging.WARNING), open_artifact(path, near=True) as artifact:
        assert artifact.read("boxes").shape == (3, 4)
    assert "read where it is" in caplog.text
    assert "absent" in caplog.text


def test_a_broken_copy_is_removed_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "disk").mkdir()
    monkeypatch.setenv(VARIABLE, str(tmp_path / "disk"))
    (tmp_path / "broken.h5").write_text("no HDF5")
    with (
        pytest.raises(StageError, match=r"broken\.h5: not a readable HDF5"),
        open_artifact(tmp_path / "broken.h5", near=True),
    ):
        pass
    assert not list((tmp_path / "disk").iterdir())

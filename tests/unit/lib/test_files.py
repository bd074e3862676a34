"""Small questions about files."""

from __future__ import annotations

from pathlib import Path

import pytest

from stages.lib.errors import StageError
from stages.lib.files import is_empty


def test_an_empty_annotation_file_is_no_fault_and_a_missing_one_is(tmp_path: Path) -> None:
    (tmp_path / "none.csv").write_bytes(b"")
    (tmp_path / "some.csv").write_text("v,0902\n")
    assert is_empty(tmp_path / "none.csv") and not is_empty(tmp_path / "some.csv")
    with pytest.raises(StageError, match=r"gone\.csv: cannot be read"):
        is_empty(tmp_path / "gone.csv")

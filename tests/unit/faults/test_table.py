"""The table of faults, from results that pytest itself has written."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.listed import FAULTS
from tests.faults.table import main, page, read_results

CONFTEST = Path(__file__).parents[2] / "conftest.py"
TESTS = """
import pytest

@pytest.mark.fault("F04", "F05")
@pytest.mark.parametrize("how", ["cut", "flipped"])
def test_damage(how, record_property):
    record_property("seen", "two of nine lost")

@pytest.mark.fault("F06")
@pytest.mark.parametrize("size", [1, 2, 3])
def test_empty(size):
    assert size != 2

@pytest.mark.fault("F07")
@pytest.mark.skip(reason="no such camera")
def test_rotation():
    pass

@pytest.mark.fault("F08")
def test_setup_fails(nowhere):
    pass

def test_of_no_fault():
    pass
"""


@pytest.fixture
def junit(tmp_path: Path) -> Path:
    """Results of five small tests, marked as ours are and run with our conftest."""
    shutil.copy(CONFTEST, tmp_path)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = fault: numbers of faults")
    (tmp_path / "test_small.py").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "--junitxml", "junit.xml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 1, done.stdout
    return tmp_path / "junit.xml"


def rows_of(text: str) -> dict[str, list[str]]:
    """Cells of the page's table by the number of the fault."""
    rows = [line.strip("|").split("|") for line in text.splitlines() if re.match(r"\| [FS]\d* ", line)]
    return {cells[0].strip(): [cell.strip() for cell in cells[1:]] for cells in rows}


def test_rows_say_what_pytest_saw(junit: Path) -> None:
    results = read_results(junit)
    assert len(results) == 2 + 3 + 1 + 1, "one for each parameter; a test of no fault is none"
    rows = rows_of(page(results))
    assert list(rows) == list(FAULTS)
    seen = {number: cells[2] for number, cells in rows.items()}
    assert seen["F04"] == seen["F05"] == "as expected; two of nine lost"
    assert seen["F06"] == "**1 failed**"
    assert seen["F07"] == "1 skipped"
    assert seen["F08"] == "**1 failed**"
    assert seen["F09"] == "**not run**"
    assert rows["F06"][3].count("::test_empty") == 1, "parameters are left out"
    assert "no such camera" in page(results)


def test_the_last_file_counts_and_failures_end_with_1(
    junit: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = junit.read_text()
    mended = tmp_path / "mended.xml"
    mended.write_text(re.sub(r"<(failure|error).*?</\1>", "", text, flags=re.DOTALL))
    out = tmp_path / "page.md"
    assert main([str(mended), str(junit), "--out", str(out)]) == 1
    assert rows_of(out.read_text())["F06"][2] == "**1 failed**"
    assert main([str(junit), str(mended), "--out", str(out)]) == 1, "many faults have no test there"
    assert rows_of(out.read_text())["F06"][2] == "as expected"
    assert "F01, F02, F03, F09" in capsys.readouterr().out


def test_exit_code_0_needs_a_test_of_every_fault(junit: Path, tmp_path: Path) -> None:
    mended = re.sub(r"<(failure|error).*?</\1>", "", junit.read_text(), flags=re.DOTALL)
    whole = tmp_path / "whole.xml"
    every = "".join(f'<property name="fault" value="{number}" />' for number in FAULTS)
    whole.write_text(mended.replace('<property name="fault" value="F07" />', every))
    assert main([str(whole), "--out", str(tmp_path / "page.md")]) == 0

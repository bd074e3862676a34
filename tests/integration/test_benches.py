"""Benches on small worlds: they run the commands as they are now, and report every phase."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.benches import bench_decode, bench_evaluate, bench_read, evaluate_files
from tests.benches.bench_ensemble import ENSEMBLE_PHASES, EVALUATE_PHASES, main
from tests.benches.read_once import READERS


def test_the_ensemble_bench_measures_every_phase(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--quick"]) == 0
    printed = capsys.readouterr().out
    for name, _, _ in (*ENSEMBLE_PHASES, *EVALUATE_PHASES):
        assert f"| {name} | " in printed
    for rule in ("greedy", "least-squares"):
        assert f"| `{rule}` weights" in printed
    assert "3 members x 6 views, 120 keyframes" in printed


def test_the_bench_of_plain_scoring_measures_every_phase(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench_evaluate.main(["--quick", "--repeats", "1"]) == 0
    printed = capsys.readouterr().out
    for name, _, _ in bench_evaluate.PHASES:
        assert f"| {name} | " in printed
    assert "largest difference of a class's AP" in printed


@pytest.mark.parametrize("case", bench_read.CASES, ids=lambda case: case.reader + case.title[:5])
def test_the_bench_of_reading_makes_files_that_every_reader_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: bench_read.Case
) -> None:
    """Also where the real file is not at hand; copies go on under new ids up to the number of rows that is asked for."""
    monkeypatch.setattr(bench_read, "REAL", tmp_path / "nowhere.csv")
    monkeypatch.setattr(evaluate_files, "write_truth", partial(few_seconds, evaluate_files.write_truth))
    piece = case.make(tmp_path)
    n_rows = 2 * piece.count(b"\n") + 7
    n_ids = bench_read.write_copies(tmp_path / "rows.csv", piece, n_rows)
    assert READERS[case.reader](tmp_path / "rows.csv") == n_rows
    ids = {line.partition(b",")[0] for line in (tmp_path / "rows.csv").read_bytes().splitlines()}
    assert len(ids) == n_ids == len((tmp_path / "rows.ids").read_text().split())


def few_seconds(write: Callable[..., Path], path: Path, n_videos: int, n_seconds: int) -> Path:
    return write(path, min(n_videos, 30), min(n_seconds, 5))


def test_the_decode_bench_measures_every_kind_of_work_on_every_film(
    capsys: pytest.CaptureFixture[str],
) -> None:
    if shutil.which("ffmpeg") is None:
        pytest.skip("there is no ffmpeg program here")
    assert bench_decode.main(["--quick"]) == 0
    printed = capsys.readouterr().out
    for name in (bench_decode.FFMPEG, bench_decode.SCALED, bench_decode.STAGE):
        assert printed.count(f"\n| {name} | ") == len(bench_decode.QUICK)
    assert "read with decord" in printed and "read with pyav" in printed
    assert "| drawn, 340x256 | 340x256 | 95 | " in printed, "the disk table"
    assert "| drawn, 640x480 | 453x340 | 95 | " in printed


def test_without_ffmpeg_the_decode_bench_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench_decode.main(["--ffmpeg", "no-such-program"]) == 2
    assert "no-such-program is no program here: give --ffmpeg PATH, or install it" in capsys.readouterr().err

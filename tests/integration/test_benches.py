"""The benches on small worlds: they run the commands as they are now, and report every phase."""

from __future__ import annotations

import shutil

import pytest

from tests.benches import bench_decode
from tests.benches.bench_ensemble import ENSEMBLE_PHASES, EVALUATE_PHASES, main


def test_the_ensemble_bench_measures_every_phase(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--quick"]) == 0
    printed = capsys.readouterr().out
    for name, _, _ in (*ENSEMBLE_PHASES, *EVALUATE_PHASES):
        assert f"| {name} | " in printed
    for rule in ("greedy", "least-squares"):
        assert f"| `{rule}` weights" in printed
    assert "3 members x 6 views, 120 keyframes" in printed


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

"""The benches of scoring on small worlds: they run the commands as they are now, and report every phase."""

from __future__ import annotations

import pytest

from tests.benches import bench_evaluate
from tests.benches.bench_ensemble import ENSEMBLE_PHASES, EVALUATE_PHASES, main


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

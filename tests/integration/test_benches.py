"""The bench of the ensemble on a small world: it runs the commands as they are now, and reports every phase."""

from __future__ import annotations

import pytest

from tests.benches.bench_ensemble import ENSEMBLE_PHASES, EVALUATE_PHASES, main


def test_the_ensemble_bench_measures_every_phase(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--quick"]) == 0
    printed = capsys.readouterr().out
    for name, _, _ in (*ENSEMBLE_PHASES, *EVALUATE_PHASES):
        assert f"| {name} | " in printed
    for rule in ("greedy", "least-squares"):
        assert f"| `{rule}` weights" in printed
    assert "3 members x 6 views, 120 keyframes" in printed

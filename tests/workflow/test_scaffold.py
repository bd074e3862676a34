"""The configuration that `python -m stages.annotations scaffold` writes is one that snakemake can plan."""

from __future__ import annotations

from pathlib import Path

import pytest

from stages.annotations.__main__ import main
from tests.workflow.flow import Flow, demo_weights, with_stubs


def test_a_dry_run_plans_the_whole_chain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flow = with_stubs(tmp_path, {})
    demo_weights(tmp_path)
    monkeypatch.chdir(tmp_path)
    Path("my films").mkdir()
    for n in range(4):
        Path(f"my films/v{n}.mp4").touch()
    rows = "".join(f"v{n},{second},0.1,0.2,0.3,0.4,{1 + n},0\n" for n in range(4) for second in (1, 2))
    Path("a.csv").write_text(rows)
    Path("names.txt").write_text("stir\npour\nidle\nleft\nright\n")
    words = ["scaffold", "--videos", "my films", "--annotations", "a.csv", "--classes", "names.txt"]
    groups = ["--exclusive", "stir", "pour", "--exclusive", "left", "right"]
    assert main([*words, *groups, "--out", "kitchen.yaml"]) == 0
    counts = Flow(flow.folder, tmp_path / "kitchen.yaml", flow.env).counts()
    assert counts["train"] == 2
    for rule in ("index", "decode", "detect", "extract", "bank", "predict", "evaluate", "report"):
        assert counts[rule] >= 1, rule

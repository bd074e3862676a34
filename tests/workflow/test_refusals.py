"""Bad input ends a run with exit code 2 and one paragraph that says what to mend, before anything is made."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.workflow.flow import Flow, demo_weights, read_config, with_stubs

BAD: list[tuple[str, dict[str, Any], str]] = [
    ("unknown key", {"bakcbones": {}}, "unknown key bakcbones"),
    ("unknown nested key", {"decode": {"rat": 15}}, "unknown key decode.rat"),
    ("wrong type", {"decode": {"rate": "fast"}}, "decode.rate"),
    ("out of bounds", {"decode": {"jpeg_quality": 500}}, "decode.jpeg_quality"),
    ("unknown reference", {"heads": {"linear": {"backbone": "huge"}}}, "there is no 'huge'"),
    (
        "nothing to measure a detector with",
        {"datasets": {"mine": {"format": "videos", "detector": "movies", "compare_detectors": ["clips"]}}},
        "compare_detectors",
    ),
    (
        "unknown detector to compare",
        {"datasets": {"playground-clips": {"compare_detectors": ["huge"]}}},
        "there is no 'huge'",
    ),
    ("cycle", {"heads": {"acar": {"init": "acar-acfb"}}}, "comes back to"),
    ("a run's name that leaves its folder", {"run": "../elsewhere"}, "run"),
    ("view above the cached frames", {"extract": {"views": ["s512"]}}, "decode.short_side"),
    ("missing weights", {"heads": {"linear": {"weights": "none.safetensors"}}}, "heads.linear.weights"),
    (
        "missing csv",
        {"datasets": {"playground-clips": {"kinds": "none.csv"}}},
        "datasets.playground-clips.kinds",
    ),
    (
        "nothing to draw under that name",
        {"datasets": {"mine": {"format": "ava", "synthesized": True, "detector": "movies"}}},
        "datasets.mine",
    ),
]


def refusal(flow: Flow, *words: str) -> str:
    """The paragraph with which a run is refused."""
    text = flow.snakemake(*words, code=2)
    assert "Traceback" not in text
    lines = [
        line for line in text.splitlines() if line and not line.startswith("Using workflow specific profile")
    ]
    assert len(lines) == 1 and lines[0].startswith("ERROR: "), text
    assert not (flow.folder / "results" / "playground" / "config").exists()
    return lines[0]


@pytest.mark.parametrize(("change", "named"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_bad_configuration(tmp_path: Path, change: dict[str, Any], named: str) -> None:
    flow = with_stubs(tmp_path, "playground")
    text = refusal(flow, "--configfile", str(flow.config), str(flow.overlay(change)))
    assert named in text and "Mend it: " in text


@pytest.mark.fault("F09")
def test_a_sheet_with_a_bad_line(tmp_path: Path) -> None:
    config = read_config("playground")
    config["datasets"]["mine"] = {
        "format": "ava",
        "videos": ".",
        "sheet": "sheet.tsv",
        "labelmap": "labels.pbtxt",
        "detector": "movies",
    }
    flow = with_stubs(tmp_path, config)
    (tmp_path / "labels.pbtxt").touch()
    (tmp_path / "sheet.tsv").write_text(
        "video\tpath\tsplit\tstart\nabc\tabc.mp4\ttrain\t0.0\n$(x)\tx.mp4\ttrain\t0.0\n"
    )
    assert "sheet.tsv:3" in refusal(flow)


def test_own_videos_before_the_demo(tmp_path: Path) -> None:
    flow = with_stubs(tmp_path, "own-videos")
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "a.mp4").touch()
    text = refusal(flow, "--config", "videos=videos")
    assert "make demo" in text and "weights" in text


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ((), "--config videos=DIR"),
        (("--config", "videos=none"), "none"),
        (("--config", "videos=empty"), "no video files"),
    ],
    ids=["no folder", "missing folder", "empty folder"],
)
def test_own_videos_without_videos(tmp_path: Path, words: tuple[str, ...], named: str) -> None:
    flow = with_stubs(tmp_path, "own-videos")
    demo_weights(tmp_path)
    (tmp_path / "empty").mkdir()
    assert named in refusal(flow, *words)


def test_boxes_without_own_videos(tmp_path: Path) -> None:
    (tmp_path / "boxes.csv").touch()
    flow = with_stubs(tmp_path, "playground")
    assert "no data set is of format videos" in refusal(flow, "--config", "boxes=boxes.csv")


def test_missing_box_file(tmp_path: Path) -> None:
    flow = with_stubs(tmp_path, "own-videos")
    demo_weights(tmp_path)
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "a.mp4").touch()
    assert "datasets.own.boxes" in refusal(flow, "--config", "videos=videos", "boxes=none.csv")


def test_stale_settings_stop_the_stage(tmp_path: Path) -> None:
    """The stage compares the fingerprint of its settings, whatever Snakemake believes about the file."""
    flow = with_stubs(tmp_path, "playground")
    target = "results/playground/synthesize/playground-clips/videos"
    flow.snakemake("results/playground/config/synthesize/playground-clips.json")
    settings = tmp_path / "results/playground/config/synthesize/playground-clips.json"
    state = settings.stat()
    settings.write_text(settings.read_text().replace('"seed":2020', '"seed":2021'))
    os.utime(settings, ns=(state.st_atime_ns, state.st_mtime_ns))
    text = flow.snakemake(target, code=1)
    assert "the configuration file is stale" in text
    assert not (tmp_path / target).exists()


def test_attempts_of_one_run_share_an_invocation(tmp_path: Path) -> None:
    """By it a stage knows that it refused this input a moment ago, and stops before it imports anything."""
    flow = with_stubs(tmp_path, "playground")
    flow.snakemake("--until", "synthesize", env={"STUB_REFUSE": "synthesize"}, code=1)
    jobs = flow.jobs()
    assert len(jobs) == 2 * 3, "two data sets, and two retries each"
    assert len({job["invocation"] for job in jobs}) == 1 and jobs[0]["invocation"]
    flow.snakemake("--until", "synthesize")
    assert flow.jobs()[-1]["invocation"] != jobs[0]["invocation"]
    assert all(
        job["words"][job["words"].index("--refusal") + 1].startswith("logs/playground/") for job in jobs
    )

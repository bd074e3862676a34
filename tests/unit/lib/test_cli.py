"""The frame around every stage: exit codes, one-paragraph errors, refusals, stale configurations."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from stages.lib.cli import by_name, guarded, named_path, parse, run_stage, stage_parser
from stages.lib.config.load import canonical_json, text_sha
from stages.lib.config.payloads import ReportPayload
from stages.lib.config.report import ReportConfig
from stages.lib.config.versions import VERSIONS
from stages.lib.errors import StageError
from stages.lib.progress import Progress, track

TEXT = canonical_json(
    ReportPayload(version=VERSIONS["report"], report=ReportConfig(), run="demo").model_dump(mode="json")
)


def run(tmp_path: Path, text: str, *flags: str, error: BaseException | None = None) -> int:
    path = tmp_path / "config.json"
    path.write_text(text)
    args = parse(stage_parser("report", "A stage."), ["--config", str(path), *flags])

    def work(args: argparse.Namespace, payload: ReportPayload, text: str) -> dict[str, object]:
        if error is not None:
            raise error
        assert payload.run == "demo"
        return {"boxes": 3}

    return run_stage("report", ReportPayload, args, work)


def test_success_says_counts_last(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, TEXT + "\n", "--config-sha", text_sha(TEXT)) == 0
    lines = capfd.readouterr().err.splitlines()
    assert f"report v{VERSIONS['report']} config {text_sha(TEXT)} |" in lines[0]
    assert lines[-1].endswith("boxes 3")


@pytest.mark.fault("F14")
@pytest.mark.parametrize(
    ("error", "code"),
    [(StageError("no box", "file.csv:3", "add one"), 2), (MemoryError(), 137), (ValueError("oops"), 1)],
)
def test_exit_codes(tmp_path: Path, capfd: pytest.CaptureFixture[str], error: Exception, code: int) -> None:
    assert run(tmp_path, TEXT, error=error) == code
    said = capfd.readouterr().err
    assert ("Traceback" in said) == (code != 2)
    if code == 2:
        assert "ERROR: file.csv:3: no box. Mend it: add one." in said


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nothing", "not JSON"),
        ("[1]", "not a JSON object"),
        (json.dumps({"version": 1, "run": "demo"}), "key report is missing"),
        (TEXT.replace('"top":3', '"top":3,"tops":4'), "unknown key report.tops"),
        (TEXT.replace('"top":3', '"top":0'), r"report.top"),
        (TEXT.replace('"version":', '"version":9'), "written for version 9"),
    ],
)
def test_a_bad_configuration_is_named(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], text: str, message: str
) -> None:
    assert run(tmp_path, text) == 2
    said = capfd.readouterr().err
    assert message in said
    assert "config.json" in said


@pytest.mark.fault("F26")
def test_a_stale_or_missing_configuration_is_refused(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, TEXT, "--config-sha", "0" * 16) == 2
    assert "stale" in capfd.readouterr().err
    args = parse(stage_parser("report", "x"), ["--config", str(tmp_path / "none.json")])
    assert run_stage("report", ReportPayload, args, lambda *_: {}) == 2


def test_a_refusal_is_remembered_within_one_invocation(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    marker = tmp_path / "log" / "refused"
    monkeypatch.setenv("ACARFLOW_INVOCATION", "one")
    assert run(tmp_path, TEXT, "--refusal", str(marker), error=StageError("no box")) == 2
    assert marker.exists()
    assert run(tmp_path, TEXT, "--refusal", str(marker)) == 2
    assert "no box" in capfd.readouterr().err
    assert run(tmp_path, TEXT, "--refusal", str(marker)) == 2
    said = capfd.readouterr().err
    assert said.count("no box") == said.count("refused before") == 1
    monkeypatch.setenv("ACARFLOW_INVOCATION", "two")
    assert run(tmp_path, TEXT, "--refusal", str(marker)) == 0
    assert not marker.exists()


def test_other_errors_are_not_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACARFLOW_INVOCATION", "one")
    marker = tmp_path / "refused"
    assert run(tmp_path, TEXT, "--refusal", str(marker), error=ValueError("a bug")) == 1
    assert not marker.exists()


@pytest.mark.fault("F14")
def test_out_of_memory_of_torch_is_known_by_its_name() -> None:
    class OutOfMemoryError(RuntimeError):
        pass

    def work() -> None:
        raise OutOfMemoryError

    assert guarded(work) == 137


def test_named_files() -> None:
    assert named_path("movies=a=b.h5") == ("movies", Path("a=b.h5"))
    for bad in ("movies", "=a.h5", "movies="):
        with pytest.raises(argparse.ArgumentTypeError):
            named_path(bad)
    pairs = [("b", Path("1")), ("a", Path("2")), ("b", Path("3"))]
    assert by_name(pairs) == {"b": [Path("1"), Path("3")], "a": [Path("2")]}
    assert list(by_name(pairs)) == ["b", "a"]


def test_progress_yields_everything_and_says_little(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    assert list(track(range(1000), 1000, "boxes")) == list(range(1000))
    assert len(caplog.records) == 10
    assert "boxes: 1000 of 1000 (100 %)" in caplog.records[-1].getMessage()
    assert list(track([], 0, "nothing")) == []


def test_progress_of_uneven_parts(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    progress = Progress(40, "maps")
    progress.add(3)
    progress.reach(20)
    progress.add(20)
    assert [record.getMessage().partition(",")[0] for record in caplog.records] == [
        "maps: 20 of 40 (50 %)",
        "maps: 40 of 40 (100 %)",
    ]

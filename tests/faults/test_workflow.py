"""Faults around Snakemake, with stubs in the place of the stages: locks, memory, clocks, copies, releases, shards."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.faults.runs import kill_everything
from tests.workflow.flow import ROOT, Flow, clean_environment, demo_weights, with_stubs
from tests.workflow.processes import kind_of, processes_in
from tests.workflow.tiny import PARTS

pytestmark = pytest.mark.long
UNTIL = ("--until", "index")


@pytest.fixture
def indexed(tmp_path: Path) -> Flow:
    """The playground, up to its index."""
    flow = with_stubs(tmp_path / "run", "playground")
    flow.snakemake(*UNTIL)
    return flow


def begin(flow: Flow, seconds: float) -> subprocess.Popen[str]:
    """Snakemake in the background, whose jobs take so long; it has started one of them."""
    command = [sys.executable, "-m", "snakemake", "--directory", str(flow.folder), "--cores", "2"]
    command += ["--configfile", str(flow.config), *UNTIL]
    env = clean_environment() | flow.env | {"STUB_SECONDS": str(seconds)}
    run = subprocess.Popen(
        command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    deadline = time.monotonic() + 600
    while not any(kind_of(words) == "synthesize" for _, words in processes_in(flow.folder)):
        assert run.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    return run


@pytest.mark.fault("F15")
def test_a_second_snakemake_is_refused_and_the_first_goes_on(tmp_path: Path) -> None:
    flow = with_stubs(tmp_path / "run", "playground")
    first = begin(flow, 10)
    said = flow.snakemake(*UNTIL, code=1)
    assert "cannot be locked" in said and "--unlock" in said
    assert first.poll() is None
    output, _ = first.communicate(timeout=600)
    assert first.returncode == 0, output[-3000:]
    assert flow.counts(*UNTIL) == {}


@pytest.mark.fault("F15")
def test_a_lock_of_a_killed_snakemake_is_explained_and_taken_away(tmp_path: Path) -> None:
    flow = with_stubs(tmp_path / "run", "playground")
    run = begin(flow, 600)
    run.send_signal(signal.SIGKILL)
    run.wait()
    folder = type("Place", (), {"folder": flow.folder})
    kill_everything(folder)  # type: ignore[arg-type]
    assert "--unlock" in flow.snakemake(*UNTIL, code=1)
    flow.snakemake("--unlock")
    flow.snakemake(*UNTIL)
    assert flow.counts(*UNTIL) == {}


@pytest.mark.fault("F14")
def test_want_of_memory_is_tried_again_with_more(tmp_path: Path) -> None:
    flow = with_stubs(tmp_path / "run", "playground")
    said = flow.snakemake("--until", "decode", env={"STUB_HUNGRY": "decode"})
    asked = [int(number) for number in re.findall(r"mem_mb=(\d+)", said)]
    assert said.count("Trying to restart job") >= 1
    assert max(asked) == 6000 and 3000 in asked, "decode asks for 3000 MB at first"


@pytest.mark.fault("F22")
def test_outputs_that_appear_late_are_waited_for(tmp_path: Path) -> None:
    flow = with_stubs(tmp_path / "run", "playground")
    flow.snakemake(*UNTIL, "--latency-wait", "120", env={"STUB_LATE": "2"})
    assert flow.counts(*UNTIL) == {}
    other = with_stubs(tmp_path / "hasty", "playground")
    said = other.snakemake(
        "--until", "synthesize", "--latency-wait", "1", "--retries", "0", env={"STUB_LATE": "60"}, code=1
    )
    assert "latency" in said


@pytest.mark.fault("F21")
def test_a_copied_tree_runs_nothing_after_touch(indexed: Flow) -> None:
    copy = Flow(indexed.folder.with_name("copy"), indexed.config, indexed.env)
    shutil.copytree(indexed.folder, copy.folder, copy_function=shutil.copyfile)
    now = time.time()
    files = sorted((path for path in (copy.folder / "results").rglob("*")), reverse=True)
    for number, path in enumerate(files):
        os.utime(path, (now - number, now - number))
    assert set(copy.counts(*UNTIL)) != set(), "the copy's times tell nothing"
    copy.snakemake("--touch", *UNTIL)
    assert copy.counts(*UNTIL) == {}
    changed = copy.counts(*UNTIL, config={"synthesize": {"seed": 7}})
    assert {"synthesize", "index"} <= set(changed), "what is really new is still found"


@pytest.mark.fault("F21")
def test_times_in_the_future_do_not_run_for_ever(tmp_path: Path) -> None:
    """Of a video, whose time is only compared with what it was; of weights until the clock has caught up, or a touch."""
    flow = with_stubs(tmp_path, "own-videos")
    demo_weights(tmp_path)
    (tmp_path / "videos").mkdir()
    video = tmp_path / "videos/a.mp4"
    video.touch()
    ahead = time.time() + 86_400
    os.utime(video, (ahead, ahead))
    words = ("--config", "videos=videos")
    flow.snakemake(*words)
    assert flow.counts(*words) == {}


@pytest.mark.fault("F26")
def test_another_version_of_a_stage_runs_it_and_its_heirs(tmp_path: Path) -> None:
    flow = with_stubs(tmp_path / "run", "playground")
    flow.snakemake()
    release = tmp_path / "release"
    release.mkdir()
    for part in PARTS:
        source = ROOT / part
        if source.is_dir() and not source.is_symlink():
            shutil.copytree(source, release / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, release / part, follow_symlinks=False)
    command = [
        sys.executable,
        "-m",
        "snakemake",
        "--directory",
        str(flow.folder),
        "--cores",
        "2",
        "--dry-run",
    ]
    command += ["--configfile", str(flow.config), "--quiet", "rules"]

    def planned() -> set[str]:
        env = clean_environment() | flow.env
        done = subprocess.run(command, cwd=release, env=env, capture_output=True, text=True, check=True)
        return set(re.findall(r"^(\w+) +\d+$", done.stdout, re.MULTILINE)) - {"total", "all"}

    assert planned() == set(), "another folder of the same release"
    versions = release / "stages/lib/config/versions.py"
    versions.write_text(re.sub(r'"predict": (\d+)', '"predict": 99', versions.read_text()))
    assert planned() == {"config", "predict", "ensemble", "evaluate", "errors", "attention", "report"}


@pytest.mark.fault("F27")
def test_shards_of_two_numbers_are_never_read_together(tmp_path: Path) -> None:
    flow = with_stubs(tmp_path / "run", "playground")
    flow.snakemake()
    before = len(flow.jobs())
    change = {"datasets": {"playground-movies": {"shards": 3}}}
    flow.snakemake("--configfile", str(flow.config), str(flow.overlay(change)))
    later = flow.jobs()[before:]
    shards = [set(re.findall(r"playground-movies/\d+-of-(\d+)", " ".join(job["words"]))) for job in later]
    assert set().union(*shards) == {"003"}, "no job reads a file of the older cut"
    made = {job["stage"] for job in later}
    assert {"decode", "extract", "train", "report"} <= made and "synthesize" not in made
    clips = [
        job for job in later if job["stage"] == "decode" and "playground-clips" in " ".join(job["words"])
    ]
    assert clips == [], "the other data set stays"

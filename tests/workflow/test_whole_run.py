"""The whole chain with its real stages on a world of a few seconds, by the very commands that the README gives."""

from __future__ import annotations

import csv
import json
import re
import shutil
from pathlib import Path

import pytest

from tests.workflow.flow import ROOT
from tests.workflow.tiny import HEADS, RUN, Project

pytestmark = pytest.mark.slow
MOVIES = RUN / "synthesize/playground-movies/annotations"


def commands(text: str) -> list[str]:
    """Every command of a page, in blocks and inside sentences, each once."""
    blocks = re.compile(r"```sh\n(.*?)```", re.DOTALL)
    found = [line for block in blocks.findall(text) for line in block.splitlines()]
    found += re.findall(r"`((?:make|python|snakemake) [^`]+)`", blocks.sub("", text))
    return list(dict.fromkeys(found))


COMMANDS = commands((ROOT / "README.md").read_text())


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project in which `make demo` has run, in the environment of these tests."""
    made = Project(tmp_path_factory.mktemp("project"))
    made.run("make demo STAMP=Makefile")
    return made


def test_no_second_environment_is_made(project: Project) -> None:
    assert not (project.folder / ".venv").exists()


def test_it_ends_with_a_report(project: Project) -> None:
    page = (project.folder / RUN / "report/report.html").read_text()
    table = (project.folder / RUN / "report/table.txt").read_text()
    assert "<svg" in page
    assert "<h2>Where relations look</h2>" in page
    assert all(head in page for head in HEADS)
    assert all(head in table for head in HEADS)


def test_every_artifact_is_whole(project: Project) -> None:
    files = sorted((project.folder / RUN).rglob("*.h5"))
    stages = {path.relative_to(project.folder / RUN).parts[0] for path in files}
    made = {"index", "coverage", "decode", "detect", "extract", "bank", "predict", "ensemble", "attention"}
    assert stages == made
    project.run("python -m stages.inspect check " + " ".join(map(str, files)))
    assert "inputs" in project.run(f"python -m stages.inspect inputs {RUN}")


def test_nothing_temporary_is_left(project: Project) -> None:
    found = (project.folder / "results").rglob("*")
    assert not [path for path in found if ".tmp" in path.name or path.suffix == ".part"]


def test_every_model_is_measured(project: Project) -> None:
    for model in (*(f"{head}/seed0" for head in HEADS), "all"):
        metrics = json.loads((project.folder / RUN / "evaluate" / model / "metrics.json").read_text())
        assert {"val", "test"} <= set(metrics["results"])
        assert set(metrics["results"]["val"]) == {"detected", "truth"}
        assert "union" in next(iter(metrics["results"]["val"]["truth"].values()))


def test_logs_and_costs_of_every_stage_are_kept(project: Project) -> None:
    stages = {
        "synthesize",
        "index",
        "decode",
        "train_detector",
        "detect",
        "pretrain",
        "extract",
        "bank",
        "train",
    }
    stages |= {"predict", "ensemble", "evaluate", "coverage"}
    for folder in ("logs", "benchmarks"):
        assert stages <= {path.name for path in (project.folder / folder / "playground").iterdir()}
    log = (project.folder / "logs/playground/train/acar/seed0.log").read_text()
    assert "train v" in log
    assert "train done in" in log


def test_a_second_demo_does_nothing(project: Project) -> None:
    before = {path: path.stat().st_mtime_ns for path in (project.folder / "results").rglob("*")}
    assert "Nothing to be done" in project.run("make demo STAMP=Makefile")
    assert before == {path: path.stat().st_mtime_ns for path in (project.folder / "results").rglob("*")}


def own_folder(project: Project) -> Path:
    """A folder with one sound video and one that is none."""
    videos = project.folder / "my videos"
    if not videos.exists():
        videos.mkdir()
        source = next((project.folder / RUN / "synthesize/playground-movies/videos").glob("*val*.mp4"))
        shutil.copy(source, videos / "a film.mp4")
        (videos / "broken.mp4").write_text("this is no video")
        (videos / "boxes.csv").write_text("a film,3,0.2,0.2,0.5,0.9,,0.95\n")
    return videos


def published(project: Project) -> str:
    """A checkpoint as PySlowFast names it: the run's own backbone."""
    if not (project.folder / "published.pyth").exists():
        weights = RUN / "pretrain/small/weights.safetensors"
        project.run(f"python -m stages.checkpoint export {weights} published.pyth --format pyslowfast")
    return "published.pyth"


def detections(project: Project) -> str:
    """Everything that is true, scored, as somebody else's detections."""
    rows = (project.folder / MOVIES / "ava_test_v2.2.csv").read_text().splitlines()
    scored = [",".join([*row.split(",")[:7], "0.5"]) for row in rows]
    (project.folder / "detections.csv").write_text("\n".join(scored) + "\n")
    return "detections.csv"


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_of_the_readme(project: Project, command: str) -> None:
    """As they stand; only names are filled in. Not run: the tests inside themselves, studies and benches, a cluster."""
    if command == "snakemake --profile slurm" or (command.startswith("make") and command != "make demo"):
        command += " --dry-run"
    if command.startswith("make"):
        command += " STAMP=Makefile"
    folder = str(own_folder(project))
    if "CHECKPOINT" in command:
        command = command.replace("CHECKPOINT", published(project))
    command = command.replace("GT.csv", f"{MOVIES}/ava_test_v2.2.csv").replace("DET.csv", detections(project))
    command = command.replace("LIST.pbtxt", f"{MOVIES}/ava_action_list_playground.pbtxt")
    command = command.replace("=DIR", f"='{folder}'").replace("=BOXES.csv", f"='{folder}/boxes.csv'")
    assert project.run(command)


def test_own_videos_with_the_weights_of_the_run(project: Project) -> None:
    """The sound video is drawn, the broken one listed with a reason."""
    folder = own_folder(project)
    project.run(f"snakemake --cores 2 --configfile configs/own-videos.yaml --config videos='{folder}'")
    answers = project.folder / "results/own-videos/annotate/own"
    assert [path.name for path in answers.glob("*.mp4")] == ["a_film.mp4"]
    assert "broken" in (answers / "skipped.csv").read_text()
    with (answers / "detections.csv").open(newline="") as handle:
        rows = list(csv.reader(handle))
    assert rows
    assert all(len(row) == 8 for row in rows)
    assert all(0 <= float(value) <= 1 for row in rows for value in row[2:6])

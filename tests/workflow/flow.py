"""Runs of the project's Snakefile in an empty folder, with real stages or with stubs in their place."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
STUB = Path(__file__).with_name("stub.py")


@dataclass
class Flow:
    """One working folder and the environment of its runs."""

    folder: Path
    config: Path
    env: dict[str, str] = field(default_factory=dict)

    def snakemake(self, *words: str, code: int = 0, env: Mapping[str, str] | None = None) -> str:
        """Run snakemake; its output. The exit code has to be `code`."""
        command = [sys.executable, "-m", "snakemake", "--directory", str(self.folder)]
        command += ["--configfile", str(self.config), "--latency-wait", "2", *words]
        if "--cores" not in words and "--profile" not in words:
            command += ["--cores", "4"]
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=clean_environment() | self.env | dict(env or {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=900,
            check=False,
        )
        assert done.returncode == code, f"exit {done.returncode}, expected {code}\n{done.stdout[-6000:]}"
        return done.stdout

    def counts(self, *words: str, config: Mapping[str, Any] | None = None) -> dict[str, int]:
        """Jobs per rule of a dry run, without `all` and the total; empty when nothing is to be done."""
        if config:
            words = (*words, "--configfile", str(self.config), str(self.overlay(config)))
        return job_counts(self.snakemake("--quiet", "rules", "--dry-run", *words))

    def overlay(self, config: Mapping[str, Any]) -> Path:
        """A configuration file with these keys, to stand behind the run's own."""
        path = self.folder / "overlay.yaml"
        path.write_text(yaml.safe_dump(dict(config)))
        return path

    def jobs(self) -> list[dict[str, Any]]:
        """What the stubs logged, in the order of their ends."""
        return [json.loads(line) for line in Path(self.env["STUB_LOG"]).read_text().splitlines()]


def clean_environment() -> dict[str, str]:
    """This process's environment without what would change a run."""
    drop = {"CUDA_VISIBLE_DEVICES", "SNAKEMAKE_PROFILE", "ACARFLOW_INVOCATION", "PYTHONPATH"}
    return {name: value for name, value in os.environ.items() if name not in drop}


def job_counts(text: str) -> dict[str, int]:
    """The first table of jobs that snakemake printed."""
    lines = iter(text.splitlines())
    for line in lines:
        if line.split() == ["job", "count"]:
            break
    found = {}
    for line in lines:
        words = line.split()
        if len(words) == 2 and words[1].isdigit():
            if words[0] == "total":
                break
            found[words[0]] = int(words[1])
    found.pop("all", None)
    return found


def with_stubs(folder: Path, config: str | Mapping[str, Any]) -> Flow:
    """A flow whose jobs run the stub instead of the stages; `config` is a name in configs/ or a mapping."""
    folder.mkdir(parents=True, exist_ok=True)
    stubs = folder / "stubs"
    stubs.mkdir()
    python = stubs / "python"
    python.write_text(f"#!{sys.executable} -SE\n" + STUB.read_text())
    python.chmod(0o755)
    path = folder / "config.yaml"
    if isinstance(config, str):
        shutil.copy(ROOT / "configs" / f"{config}.yaml", path)
    else:
        path.write_text(yaml.safe_dump(dict(config)))
    env = {"ACARFLOW_PYTHON_FOLDER": str(stubs), "STUB_LOG": str(folder / "stub.log")}
    return Flow(folder, path, env)


def read_config(name: str) -> dict[str, Any]:
    """A configuration of the project as a mapping."""
    return dict(yaml.safe_load((ROOT / "configs" / f"{name}.yaml").read_text()))


def demo_weights(folder: Path) -> None:
    """Empty files where the demo leaves its weights."""
    for name in ("train_detector/movies", "pretrain/small", "train/acar/seed0", "train/acar-acfb/seed0"):
        path = folder / "results" / "playground" / name / "weights.safetensors"
        path.parent.mkdir(parents=True)
        path.touch()

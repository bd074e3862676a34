"""The project with a playground so small that its whole chain takes a minute or two, and the files that two runs share."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.workflow.flow import ROOT, clean_environment, read_config

RUN = Path("results/playground")
HEADS = ("linear", "acar", "acar-acfb")
PARTS = ("configs", "profiles", "slurm", "stages", "workflow", "Makefile", "README.md", "Snakefile")
PARTS += ("environment.yml", "requirements.lock")
# The environment of these tests is used as it is; pip would find nothing to install from.
NO_INSTALLATION = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": os.devnull}
PROMISED = (".h5", ".safetensors", ".csv")


def tiny() -> dict[str, Any]:
    """The playground's configuration with a much smaller world, few steps and two views."""
    raw = read_config("playground")
    raw |= {"threads": 1, "report": {"keyframes": 2}}
    raw["synthesize"] = {
        "movies": {"train": 2, "val": 1, "test": 1, "seconds": 14},
        "clips": {
            "train": 6,
            "val": 2,
            "test": 2,
            "classified_train": 8,
            "classified_val": 2,
            "classified_shots": 2,
        },
    }
    for detector in raw["detectors"].values():
        detector["train"] = {"epochs": None, "iterations": 3, "batch": 4, "lr": 0.02}
        detector["max_per_image"] = 6
    raw["backbones"]["small"]["pretrain"] |= {"epochs": 1, "clips_per_video": 1, "batch": 4}
    raw["extract"]["views"] = ["s128", "s128-flip"]
    raw["heads"] = {key: raw["heads"][key] for key in HEADS}
    for head in raw["heads"].values():
        head["recipe"] = head["recipe"] | {"epochs": 1, "milestones": [0.9]}
        head["min_score"] = 0.0
    for bank in raw["banks"].values():
        bank["min_score"] = 0.0
    raw["ensembles"] = {"all": {"members": list(HEADS)}}
    return raw


class Project:
    """A copy of the project whose playground is tiny."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for part in PARTS:
            if (ROOT / part).is_dir() and not (ROOT / part).is_symlink():
                shutil.copytree(ROOT / part, folder / part)
            else:
                shutil.copy(ROOT / part, folder / part, follow_symlinks=False)
        (folder / "configs/playground.yaml").write_text(yaml.safe_dump(tiny(), sort_keys=False))
        own = folder / "configs/own-videos.yaml"
        text = re.sub(r"min_score: 0\.[57]", "min_score: 0.0", own.read_text())
        own.write_text(text.replace("min_score: 0.05", "min_score: 0.0\n    max_per_image: 6"))

    @property
    def env(self) -> dict[str, str]:
        """The environment of its commands: that of these tests, with one thread."""
        env = clean_environment() | {"OMP_NUM_THREADS": "1"} | NO_INSTALLATION
        return env | {"PATH": os.pathsep.join([str(Path(sys.executable).parent), env["PATH"]])}

    def run(self, command: str, env: Mapping[str, str] | None = None) -> str:
        """What a shell in the project's folder says; the exit code has to be 0."""
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self.folder,
            env=self.env | dict(env or {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=900,
            check=False,
        )
        assert done.returncode == 0, f"{command}: exit {done.returncode}\n{done.stdout[-6000:]}"
        return done.stdout

    def promised(self) -> dict[str, str]:
        """sha256 of every file that equal runs give to the last byte: HDF5, safetensors, csv and metrics.json of all stages."""
        files = [path for path in (self.folder / RUN).rglob("*") if path.is_file()]
        kept = [path for path in files if path.suffix in PROMISED or path.name == "metrics.json"]
        return {
            str(path.relative_to(self.folder / RUN)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(kept)
        }

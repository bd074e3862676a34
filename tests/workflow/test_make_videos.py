"""`make videos` hands any name of a folder to snakemake as it is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.workflow.flow import ROOT, clean_environment

# Stands in for snakemake: what its own parser makes of the words after --config.
FAKE = f"""#!{sys.executable}
import sys
from snakemake.cli import parse_config
print("CONFIG", sorted(parse_config(sys.argv[sys.argv.index("--config") + 1:]).items()))
"""


@pytest.mark.parametrize(
    "name",
    [
        "plain",
        "my videos",
        'it\'s "odd"',
        "'quoted'",
        "a: b # c",
        "ünï $(touch x)",
        "- [x] {y}",
        "100",
        "true",
    ],
)
def test_the_name_arrives_as_it_is(tmp_path: Path, name: str) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/snakemake").write_text(FAKE)
    (tmp_path / "bin/snakemake").chmod(0o755)
    (tmp_path / "Makefile").write_text((ROOT / "Makefile").read_text())
    (tmp_path / "requirements.lock").touch()
    text = (tmp_path / "Makefile").read_text()
    (tmp_path / "Makefile").write_text(text.replace("$(CURDIR)/.venv/bin:", f"{tmp_path}/bin:"))
    folder, boxes = f"/films/{name}", f"{name}/boxes.csv"
    env = clean_environment() | {"DIR": folder, "BOXES": boxes, "EVERY": "0.5"}
    done = subprocess.run(
        ["make", "videos", "STAMP=Makefile"],
        cwd=tmp_path,
        env=env | {"PATH": os.pathsep.join([str(tmp_path / "bin"), env["PATH"]])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert f"CONFIG {[('boxes', boxes), ('every', 0.5), ('videos', folder)]}" in done.stdout
    assert not (tmp_path / "x").exists()

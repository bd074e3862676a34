"""F13, F14, F24: what the system refuses to real commands: room on a disk, memory, somebody who listens."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from stages.lib.artifacts.schemas import DETECT
from stages.lib.artifacts.writer import write_artifact
from stages.lib.config.sheets import Video
from stages.lib.errors import StageError
from stages.lib.files import text_stream, write_json
from stages.lib.models.weights import save_weights
from tests.integration.test_decode import MAP, arguments, make_index, rows_for, settings
from tests.unit.lib.artifacts.samples import KEYFRAMES, ORIGIN, write_sample
from tests.unit.lib.video.drawn import write_video
from tests.workflow.flow import ROOT, clean_environment

pytestmark = pytest.mark.long
FILES, MEMORY = resource.RLIMIT_FSIZE, resource.RLIMIT_AS


def command(
    *words: object, limit: tuple[int, int] | None = None, shell: str = ""
) -> subprocess.CompletedProcess[str]:
    """A command of the project, under a limit of the kernel, or with a shell's words behind it."""
    line = [sys.executable, *(str(word) for word in words)]
    if shell:
        line = ["bash", "-c", f'set -o pipefail; "$@" {shell}', "bash", *line]
    env = clean_environment() | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}

    def limited() -> None:
        if limit is not None:
            resource.setrlimit(limit[0], (limit[1], limit[1]))

    return subprocess.run(line, env=env, capture_output=True, text=True, check=False, preexec_fn=limited)


@pytest.fixture
def shard(tmp_path: Path) -> Path:
    """A shard whose frames take some hundred thousand bytes."""
    settings(tmp_path)
    video = write_video(tmp_path / "v.mp4", range(100))
    videos = [Video("v", str(video), "val", 0.0, "v.mp4")]
    make_index(tmp_path, videos, rows_for(videos, 3))
    return tmp_path


@pytest.fixture
def tmpfs(tmp_path: Path) -> Iterator[Path]:
    """A disk with room for 64 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no disk can be mounted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def decode(shard: Path, out: str, limit: tuple[int, int] | None = None) -> subprocess.CompletedProcess[str]:
    return command("-m", "stages.decode", *arguments(shard, out), limit=limit)


@pytest.mark.fault("F13")
def test_a_disk_that_is_full_or_read_only(shard: Path, tmpfs: Path) -> None:
    assert decode(shard, "whole.h5").returncode == 0
    assert (shard / "whole.h5").stat().st_size > 64 << 10
    full = decode(shard, "disk/decode.h5")
    assert full.returncode == 2, full.stderr
    assert "disk/decode.h5: cannot write (No space left on device). Mend it: free disk space" in full.stderr
    assert "Traceback" not in full.stderr and list(tmpfs.iterdir()) == []
    subprocess.run(["mount", "-o", "remount,size=4m", str(tmpfs)], check=True)
    assert decode(shard, "disk/decode.h5").returncode == 0
    assert (tmpfs / "decode.h5").read_bytes() == (shard / "whole.h5").read_bytes()
    subprocess.run(["mount", "-o", "remount,ro", str(tmpfs)], check=True)
    locked = decode(shard, "disk/new/decode.h5")
    assert locked.returncode == 2 and "cannot write (Read-only file system)" in locked.stderr


@pytest.mark.fault("F13")
def test_a_limit_of_the_size_of_files(shard: Path) -> None:
    before = sorted(path.name for path in shard.iterdir())
    done = decode(shard, "decode.h5", (FILES, 20_000))
    assert done.returncode == 2 and "cannot write (File too large)" in done.stderr, done.stderr
    assert sorted(path.name for path in shard.iterdir()) == before


def stream(path: Path) -> None:
    with text_stream(path) as out:
        out.writelines("v,0001,0.1\n" for _ in range(9_000))


WRITERS: dict[str, Callable[[Path], object]] = {
    "json": lambda path: write_json(path, list(range(30_000))),
    "csv": stream,
    "safetensors": lambda path: save_weights(path, {"a": torch.zeros(40_000)}, {}),
}


@pytest.mark.fault("F13")
@pytest.mark.parametrize("kind", WRITERS)
def test_every_kind_of_file_on_a_full_disk(tmpfs: Path, kind: str) -> None:
    with pytest.raises(StageError, match=r"cannot write \(No space left on device\)"):
        WRITERS[kind](tmpfs / f"out.{kind}")
    assert list(tmpfs.iterdir()) == []


@pytest.mark.fault("F13")
def test_a_folder_that_is_removed_while_it_is_written_to(tmp_path: Path) -> None:
    def write() -> None:
        with write_artifact(tmp_path / "run/a.h5", DETECT, ORIGIN) as writer:
            KEYFRAMES.write(writer)
            writer.put("boxes", np.zeros((0, 4), np.float32))
            shutil.rmtree(tmp_path / "run")

    with pytest.raises(StageError, match=r"run/a\.h5: cannot write"):
        write()


@pytest.mark.fault("F14")
@pytest.mark.parametrize("what", ["torch.zeros(1 << 33)", "numpy.zeros(1 << 33).sum()", "bytearray(1 << 34)"])
def test_a_process_without_memory_ends_with_137(what: str) -> None:
    code = f"import sys, numpy, torch; from stages.lib.cli import guarded; sys.exit(guarded(lambda: {what}))"
    done = command("-c", code, limit=(MEMORY, 8 << 30))
    assert done.returncode == 137, done.stderr
    assert "out of memory" in done.stderr and "fault of acarflow" not in done.stderr


def csv_files(folder: Path) -> list[object]:
    (folder / "gt.csv").write_text("v,0001,0.1,0.1,0.5,0.9,12,0\n")
    (folder / "det.csv").write_text("v,0001,0.1,0.1,0.5,0.9,12,0.9\n")
    (folder / "map.pbtxt").write_text(MAP)
    flags = {"groundtruth": "gt.csv", "detections": "det.csv", "labelmap": "map.pbtxt", "out": "out.json"}
    return [word for flag, name in flags.items() for word in (f"--{flag}", folder / name)]


@pytest.mark.fault("F24")
@pytest.mark.parametrize("shell", ["| true", "| head -c 20", ">&-", "> /dev/null"])
def test_nobody_reads_what_a_command_says(tmp_path: Path, shell: str) -> None:
    artifact = write_sample(tmp_path / "a.h5")
    done = command("-m", "stages.inspect", "show", *[artifact] * 200, shell=shell)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    weights = tmp_path / "w.safetensors"
    save_weights(weights, {"a": torch.zeros(4)}, {"family": "backbone"})
    done = command("-m", "stages.inspect", "check", weights, shell=shell)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    done = command("-m", "stages.evaluate", *csv_files(tmp_path), shell=shell)
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    assert (tmp_path / "out.json").stat().st_size > 0


@pytest.mark.fault("F24")
def test_nobody_reads_errors_either(tmp_path: Path) -> None:
    done = command("-m", "stages.evaluate", *csv_files(tmp_path), shell="2>&1 | true")
    assert (tmp_path / "out.json").stat().st_size > 0
    assert done.returncode == 0, os.strerror(done.returncode)

"""Bad checkpoints: one paragraph that names file and mend, exit code 2, nothing written and nothing run."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch

from stages.checkpoint.__main__ import main
from tests.unit.checkpoint.drawn import PROJECTION, pyslowfast, torch_file


def run(*argv: object) -> int:
    return main([str(word) for word in argv])


class Wicked:
    """Asks its reader to make a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.folder),)


def bad_file(kind: str, folder: Path) -> Path:
    """One of the bad checkpoints that users have."""
    path = folder / "bad.pth"
    state: dict[str, Any] = {"model_state": pyslowfast()}
    match kind:
        case "code in a torch file":
            state["optimizer_state"] = Wicked(folder / "made")
        case "left over":
            state["model_state"]["s9.extra.weight"] = torch.ones(1)
        case "missing":
            del state["model_state"]["s3.pathway1_res0.branch2.b.weight"]
        case "another shape":
            state["model_state"]["s2_fuse.bn.bias"] = torch.zeros(3)
        case "another class count":
            state["model_state"] |= {PROJECTION[0]: torch.zeros(24, 320), PROJECTION[1]: torch.zeros(24)}
        case "not a number":
            state["model_state"]["s1_fuse.bn.running_mean"][0] = float("nan")
        case "another network":
            state = {
                "state_dict": {"conv1.weight": torch.ones(64, 3, 7, 7), "fc.weight": torch.ones(10, 512)}
            }
        case "tensors elsewhere":
            state["ema_state"] = pyslowfast()
    torch_file(path, state)
    if kind == "truncated":
        path.write_bytes(path.read_bytes()[:-5000])
    if kind == "code in a pickle":
        path.write_bytes(pickle.dumps({"blobs": {"a": Wicked(folder / "made")}}, protocol=2))
    if kind == "no checkpoint":
        path.write_text("<html>Not found</html>")
    return path


@pytest.mark.fault("F18", "S")
@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("truncated", "breaks off or is damaged"),
        ("code in a torch file", "asks for posix.mkdir; nothing was run"),
        ("code in a pickle", "asks for posix.mkdir; nothing was run"),
        ("left over", "1 left over: s9.extra.weight"),
        ("missing", "1 missing: s3.pathway1_res0.branch2.b.weight"),
        ("another shape", "s2_fuse.bn.bias ([3] instead of [32])"),
        ("another class count", "the head has 24 outputs"),
        ("not a number", "NaN or infinity, the first is s1_fuse.bn.running_mean"),
        ("another network", "not the names of a network that can be imported"),
        ("tensors elsewhere", "ema_state (230 tensors)"),
        ("no checkpoint", "neither a torch file nor a pickle nor safetensors"),
    ],
)
def test_a_bad_file_is_one_paragraph_and_leaves_nothing(
    kind: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = bad_file(kind, tmp_path)
    for action in (("show", path), ("import", path, tmp_path / "out")):
        assert run(*action) == 2
        errors = [line for line in capsys.readouterr().err.splitlines() if line]
        assert len(errors) == 1
        assert errors[0].startswith(f"ERROR: {path}: ")
        assert message in errors[0]
        assert "Mend it: " in errors[0]
    assert [entry.name for entry in tmp_path.iterdir()] == ["bad.pth"]

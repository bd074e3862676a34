"""Checkpoints: nothing in them runs, and a misfit is told clearly."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer

from stages.lib.config.detectors import DetectorConfig
from stages.lib.detectors.checkpoint import (
    class_count,
    export_state,
    load_safely,
    load_state,
    read_checkpoint,
)
from stages.lib.detectors.faster_rcnn import build_faster_rcnn
from stages.lib.errors import StageError

CFG = DetectorConfig(architecture="playground", weights="given")


class _Wicked:
    """Asks the reader to create a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.folder),)


class _Sly:
    """Asks the reader to look something up with getattr."""

    def __reduce__(self) -> tuple[object, tuple[object, str]]:
        return getattr, (np.dtype, "newbyteorder")


@pytest.mark.fault("F18", "S")
def test_code_in_a_checkpoint_does_not_run(tmp_path: Path) -> None:
    target, path = tmp_path / "made", tmp_path / "wicked.pth"
    torch.save({"state_dict": {"a": torch.ones(1)}, "meta": _Wicked(target)}, path)
    with pytest.raises(StageError, match=r"wicked\.pth: refused, .*run code"):
        read_checkpoint(path)
    assert not target.exists()


@pytest.mark.fault("F18", "S")
def test_getattr_in_a_checkpoint_does_not_run(tmp_path: Path) -> None:
    path = tmp_path / "sly.pth"
    torch.save({"x": _Sly()}, path)
    assert load_safely(path) == {"x": None}


def test_a_public_checkpoint_with_history_buffers_and_numpy_scalars_is_read(tmp_path: Path) -> None:
    path = tmp_path / "epoch_12.pth"
    hub = {
        "log_scalars": {"train/loss": HistoryBuffer([1.0, 2.0], [1, 1])},
        "runtime_info": {"lr": np.float64(0.1)},
    }
    torch.save(
        {
            "state_dict": {"module.a": torch.ones(2)},
            "meta": {"epoch": 12, "x": np.ones(3)},
            "message_hub": hub,
        },
        path,
    )
    found = read_checkpoint(path)
    assert list(found.state) == ["a"]
    assert found.meta == {"epoch": 12}


@pytest.mark.fault("F18")
@pytest.mark.parametrize(
    ("content", "message"),
    [(b"not a torch file", "no readable torch file|refused"), (b"", "no readable torch file")],
)
def test_a_broken_file_is_a_stage_error(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "x.pth"
    path.write_bytes(content)
    with pytest.raises(StageError, match=message):
        read_checkpoint(path)
    with pytest.raises(StageError, match="no such file"):
        read_checkpoint(tmp_path / "absent.pth")


def test_a_file_without_weights_is_a_stage_error(tmp_path: Path) -> None:
    path = tmp_path / "x.pth"
    torch.save({"state_dict": {"a": 3}}, path)
    with pytest.raises(StageError, match="no state_dict"):
        read_checkpoint(path)


def test_weights_survive_the_round_trip(tmp_path: Path) -> None:
    torch.manual_seed(1)
    first, second = build_faster_rcnn(CFG), build_faster_rcnn(CFG)
    path = tmp_path / "w.pth"
    torch.save({"state_dict": first.state_dict(), "meta": {}}, path)
    load_state(second, read_checkpoint(path).state, "w")
    for key, value in export_state(first).items():
        assert torch.equal(second.state_dict()[key], value), key


def test_another_architecture_is_told_by_its_first_keys() -> None:
    model = build_faster_rcnn(CFG)
    state = export_state(model)
    state.pop("rpn_head.rpn_conv.weight")
    state["backbone.extra"] = torch.zeros(1)
    state["neck.fpn_convs.0.conv.weight"] = torch.zeros(2)
    with pytest.raises(StageError) as caught:
        load_state(model, state, "mine.safetensors")
    text = str(caught.value)
    for part in (
        "mine.safetensors",
        "1 missing: rpn_head.rpn_conv.weight",
        "1 unexpected: backbone.extra",
        "(2,) instead of",
    ):
        assert part in text
    with pytest.raises(StageError, match="no Faster R-CNN"):
        class_count({"fc.weight": torch.zeros(1)}, "w")

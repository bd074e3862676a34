"""Small checkpoints of both kinds for the tests of the tool."""

from __future__ import annotations

from pathlib import Path

import torch

from stages.checkpoint.core import Choices, Given
from stages.lib.models.formats.identify import identify
from stages.lib.models.formats.reading import Source
from stages.lib.models.formats.settings import Settings
from tests.unit.lib.models.formats.upstream import (
    AcarNames,
    Caffe2Names,
    Net,
    PySlowFastNames,
    State,
    draw_backbone,
    draw_linear,
    draw_relation,
    tiny,
)

PROJECTION = ("head.projection.weight", "head.projection.bias")
CONFIG = "DATA:\n  NUM_FRAMES: 4\n  SAMPLING_RATE: 1\nDETECTION:\n  ALIGNED: true\nSLOWFAST:\n  ALPHA: 4\n"


def acar(*, head: State | None = None, prefix: bool = True) -> State:
    """A whole ACAR-Net model of the playground's size."""
    parts = {"backbone": draw_backbone(tiny(AcarNames(fusion_bn=True))), "head": head or relation()}
    return {
        (f"module.{part}.module." if prefix else "") + name: tensor
        for part, state in parts.items()
        for name, tensor in state.items()
    }


def relation(classes: int = 60) -> State:
    """A small relation head."""
    return draw_relation(320, classes, 2, 3, reduce=8, hidden=6)


def pyslowfast(classes: int = 80) -> State:
    """A whole PySlowFast model of the playground's size."""
    return draw_backbone(tiny(PySlowFastNames())) | draw_linear(320, classes, *PROJECTION)


def caffe2(classes: int = 80) -> State:
    """A whole Caffe2 model of the playground's size."""
    return draw_backbone(tiny(Caffe2Names())) | draw_linear(320, classes, "pred_w", "pred_b")


def given(state: State, settings: Settings = Settings(), **choices: object) -> Given:  # noqa: B008
    """A checkpoint as the work behind import gets it."""
    origin = {"format": "drawn", "sha256": "0" * 64, "epoch": None}
    return Given(identify(Source(state, "file.pth")), settings, Choices(**choices), origin, "file.pth")


def torch_file(path: Path, content: object) -> Path:
    """Any content as torch saves it."""
    torch.save(content, path)
    return path


def slim(names: AcarNames, **more: object) -> Net:
    """A network of R101's depth with few channels: variants matter in it, sizes do not."""
    mid = {"slow": (4, 4, 4, 4), "fast": (2, 2, 2, 2)}
    out = {"slow": (8, 8, 8, 8), "fast": (4, 4, 4, 4)}
    return Net(names, (3, 4, 23, 3), 5, mid=mid, out=out, stem={"slow": 4, "fast": 2}, **more)

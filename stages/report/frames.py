"""Stored keyframes for the report's pictures."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from stages.lib.artifacts.frames import FrameReader
from stages.lib.artifacts.reader import open_artifact
from stages.lib.artifacts.schemas import DECODE

Places = dict[tuple[str, int], tuple[FrameReader, int]]


def find_frames(paths: Sequence[Path], stack: ExitStack) -> Places:
    """Where each keyframe that could be decoded is stored; the files stay open as long as the stack."""
    found: Places = {}
    for path in paths:
        reader = FrameReader(stack.enter_context(open_artifact(path, DECODE)))
        found |= {key: (reader, k) for k, key in enumerate(reader.keyframes.keys()) if reader.has_key(k)}
    return found


def stored_frame(reader: FrameReader, keyframe: int) -> tuple[bytes, tuple[int, int]]:
    """JPEG bytes, and width and height in pixels, of one keyframe."""
    width, height = reader.key_size[reader.keyframes.video[keyframe]].tolist()
    return reader.key(keyframe), (width, height)

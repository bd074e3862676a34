"""The frames of a decode artifact while it is written: JPEG bytes go to disk in blocks, video by video.

V videos, F stored clip frames, K keyframes, B bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from stages.decode.core import VideoResult
from stages.lib.artifacts.tables import splits_of
from stages.lib.artifacts.writer import Stream, Writer

_BLOCK: Final = 1 << 22


class _Blobs:
    """Byte strings one after the other: a stream of bytes in large blocks, and where each string begins."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._waiting: list[bytes] = []
        self._bytes = 0
        self.sizes: list[int] = []

    def add(self, blob: bytes) -> None:
        self._waiting.append(blob)
        self._bytes += len(blob)
        self.sizes.append(len(blob))
        if self._bytes >= _BLOCK:
            self.flush()

    def flush(self) -> None:
        self._stream.append(np.frombuffer(b"".join(self._waiting), np.uint8))
        self._waiting, self._bytes = [], 0


class DecodeStore:
    """A Sink that writes into a decode artifact; what was not committed stays in memory."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._clip, self._key = _Blobs(writer.stream("clip/data", ())), _Blobs(writer.stream("key/data", ()))
        self._frames: list[int] = []
        self._per_video: list[int] = []
        self._new_clip: list[tuple[int, bytes]] = []
        self._new_key: list[bytes] = []

    @property
    def frames(self) -> int:
        """Clip frames kept so far."""
        return len(self._frames)

    @property
    def size(self) -> int:
        """Bytes kept so far."""
        return sum(self._clip.sizes) + sum(self._key.sizes)

    def clip(self, frame: int, jpeg: bytes) -> None:
        """See core.Sink."""
        self._new_clip.append((frame, jpeg))

    def key(self, jpeg: bytes) -> None:
        """See core.Sink."""
        self._new_key.append(jpeg)

    def commit(self) -> None:
        """See core.Sink."""
        for frame, jpeg in self._new_clip:
            self._frames.append(frame)
            self._clip.add(jpeg)
        for jpeg in self._new_key:
            self._key.add(jpeg)
        self.rollback()

    def rollback(self) -> None:
        """See core.Sink."""
        self._new_clip, self._new_key = [], []

    def end_video(self) -> None:
        """Everything committed since the last call belongs to the next video."""
        self._per_video.append(len(self._frames) - sum(self._per_video))

    def finish(self, results: Sequence[VideoResult]) -> None:
        """Write the offsets and what became of each video."""
        assert len(results) == len(self._per_video), "a result per video"
        for blobs, name in ((self._clip, "clip"), (self._key, "key")):
            blobs.flush()
            self._writer.put(f"{name}/offsets", splits_of(np.array(blobs.sizes, np.int64)))
        self._writer.put("clip/row_splits", splits_of(np.array(self._per_video, np.int64)))
        self._writer.put("clip/frame", np.array(self._frames, np.int64))
        self._writer.put("clip/size", np.array([r.clip_size for r in results], np.int32).reshape(-1, 2))
        self._writer.put("key/size", np.array([r.key_size for r in results], np.int32).reshape(-1, 2))
        self._writer.put("videos/status", np.array([r.status for r in results], dtype=object))
        self._writer.put("videos/reason", np.array([r.reason for r in results], dtype=object))
        self._writer.put("videos/state", np.array([r.state for r in results], dtype=object))
        self._writer.put("videos/size", np.array([r.size for r in results], np.int32).reshape(-1, 2))
        self._writer.put("videos/rate", np.array([r.rate for r in results], np.float64))
        self._writer.put("videos/claimed_rate", np.array([r.claimed for r in results], np.float64))
        self._writer.put("videos/duration", np.array([r.duration for r in results], np.float64))
        self._writer.put("videos/frames", np.array([r.frames for r in results], np.int64))

"""Frames of a decode artifact: the JPEG bytes of clip windows and of keyframes.

F stored frames, V videos.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stages.lib.artifacts.reader import Artifact
from stages.lib.artifacts.tables import Keyframes


class FrameReader:
    """Random access to the cached frames of one shard."""

    def __init__(self, artifact: Artifact) -> None:
        self.keyframes = Keyframes.read(artifact)
        self.status: tuple[str, ...] = tuple(artifact.read("videos/status").tolist())
        self.reason: tuple[str, ...] = tuple(artifact.read("videos/reason").tolist())
        self.clip_size: NDArray[np.int32] = artifact.read("clip/size")
        self.key_size: NDArray[np.int32] = artifact.read("key/size")
        self._splits: NDArray[np.int64] = artifact.read("clip/row_splits")
        self._frame: NDArray[np.int64] = artifact.read("clip/frame")
        self._clip_offsets: NDArray[np.int64] = artifact.read("clip/offsets")
        self._key_offsets: NDArray[np.int64] = artifact.read("key/offsets")
        self._clip = artifact.dataset("clip/data")
        self._key = artifact.dataset("key/data")

    def has_clip(self, video: int) -> bool:
        """Whether any clip frame of this video is cached."""
        return bool(self._splits[video + 1] > self._splits[video])

    def clip(self, video: int, frames: NDArray[np.int64]) -> list[bytes]:
        """JPEG bytes of frames (constant-rate numbers) of a video; numbers past an end give the end frame."""
        first, last = int(self._splits[video]), int(self._splits[video + 1])
        stored = self._frame[first:last]
        wanted = np.clip(frames, stored[0], stored[-1])
        rows = first + np.searchsorted(stored, wanted)
        if not np.array_equal(self._frame[rows], wanted):
            missing = sorted(set(wanted.tolist()) - set(stored.tolist()))
            raise AssertionError(f"frames {missing[:5]} of video {video} are not in the cache")
        low, high = int(self._clip_offsets[rows.min()]), int(self._clip_offsets[rows.max() + 1])
        block = self._clip[low:high]
        return [block[self._clip_offsets[r] - low : self._clip_offsets[r + 1] - low].tobytes() for r in rows]

    def has_key(self, keyframe: int) -> bool:
        """Whether this keyframe could be decoded."""
        return bool(self._key_offsets[keyframe + 1] > self._key_offsets[keyframe])

    def key(self, keyframe: int) -> bytes:
        """JPEG bytes of a keyframe at native size; empty where it could not be decoded."""
        return self._key[int(self._key_offsets[keyframe]) : int(self._key_offsets[keyframe + 1])].tobytes()

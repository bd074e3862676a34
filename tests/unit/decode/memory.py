"""A sink of decode that keeps everything in memory."""

from __future__ import annotations


class Memory:
    """Clip frames with their numbers, and keyframes, in the order in which they were kept."""

    def __init__(self) -> None:
        self.clips: list[tuple[int, bytes]] = []
        self.keys: list[bytes] = []
        self._new: tuple[list[tuple[int, bytes]], list[bytes]] = ([], [])

    def clip(self, frame: int, jpeg: bytes) -> None:
        self._new[0].append((frame, jpeg))

    def key(self, jpeg: bytes) -> None:
        self._new[1].append(jpeg)

    def commit(self) -> None:
        self.clips += self._new[0]
        self.keys += self._new[1]
        self.rollback()

    def rollback(self) -> None:
        self._new = ([], [])

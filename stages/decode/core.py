"""One video in one sequential pass: its clip frames at the constant rate, its keyframes, and its fate."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from stages.decode.faults import faults
from stages.decode.plan import VideoPlan, plan_video
from stages.lib.config.backbones import SamplingConfig
from stages.lib.config.decode import DecodeConfig
from stages.lib.video.jpeg import capped_size, clip_size, encode_jpeg
from stages.lib.video.picture import Picture
from stages.lib.video.source import BROKEN, OK, DamagedVideoError, Engine, FrameSource, VideoError

WAITING_BYTES: Final = 1 << 27
"""Decoded frames that may wait for their JPEG."""
Opener = Callable[[Engine], AbstractContextManager[FrameSource]]
Size = tuple[int, int]


class Sink(Protocol):
    """Takes the JPEGs of a video in order; what was given since the last `commit` can be dropped."""

    def clip(self, frame: int, jpeg: bytes) -> None:
        """The next clip frame and its number on the constant-rate grid."""
        ...

    def key(self, jpeg: bytes) -> None:
        """The next keyframe; empty where it is not usable."""
        ...

    def commit(self) -> None:
        """Keep everything given so far."""
        ...

    def rollback(self) -> None:
        """Drop everything given since the last commit."""
        ...


@dataclass(frozen=True)
class VideoResult:
    """What became of a video; `usable` of its keyframes have a whole window.

    `fault` is the gravest one of a video that is read all the same, `claimed` the rate in Hz by the container.
    """

    status: str
    reason: str
    size: Size = (0, 0)
    rate: float = 0.0
    duration: float = 0.0
    frames: int = 0
    clip_size: Size = (0, 0)
    key_size: Size = (0, 0)
    usable: int = 0
    fault: str = ""
    claimed: float = 0.0

    @property
    def state(self) -> str:
        """The status of a video that is not read, else its gravest fault, or ok."""
        return self.status if self.status != OK else self.fault or OK


def decode_video(
    opener: Opener,
    relative: NDArray[np.float64],
    cfg: DecodeConfig,
    samplings: Sequence[SamplingConfig],
    sink: Sink,
    pool: ThreadPoolExecutor,
) -> VideoResult:
    """Decode what the keyframes at `relative` (K,) seconds need; a fault of the file is a result, not an error.

    A file that decord gives up on is read again with PyAV, which stops at the same frame on every run; the keyframes whose
    windows were complete by then are kept. So is one that ends before a keyframe: PyAV knows the length that it claims.
    """
    try:
        with opener("decord") as source:
            result = _decode(source, relative, cfg, samplings, sink, pool)
        if result is None:
            with opener("pyav") as source:
                result = _decode(source, relative, cfg, samplings, sink, pool)
        assert result is not None, "only decord passes are repeated"
        return result
    except VideoError as fault:
        sink.rollback()
        for _ in relative:
            sink.key(b"")
        sink.commit()
        return VideoResult(fault.status, fault.reason)


def _decode(
    source: FrameSource,
    relative: NDArray[np.float64],
    cfg: DecodeConfig,
    samplings: Sequence[SamplingConfig],
    sink: Sink,
    pool: ThreadPoolExecutor,
) -> VideoResult | None:
    """One pass over an open video; None when decord met damage or an end before the last keyframe."""
    info = source.info
    plan = plan_video(info, relative, cfg.rate, samplings)
    if source.engine == "decord" and (plan.deadline < 0).any():
        return None
    sizes = (
        clip_size(info.width, info.height, cfg.short_side),
        capped_size(info.width, info.height, cfg.key_short_side, cfg.key_long_side),
    )
    run = _Pass(plan, sizes, cfg.jpeg_quality, sink, stream=source.engine != "decord")
    damage = run.over(source, pool)
    if damage is not None and source.engine == "decord":
        sink.rollback()
        return None
    inside = int((plan.deadline >= 0).sum())
    lost = damage is not None and inside > 0 and run.done == 0
    if lost:
        sink.rollback()
        run.done = 0
    for _ in range(len(relative) - run.done):
        sink.key(b"")
    sink.commit()
    found = faults(info, plan, relative, damage, run.done)
    reasons = [source.note, *(text for _, text in found)]
    return VideoResult(
        status=BROKEN if lost else OK,
        reason="; ".join(reason for reason in reasons if reason),
        size=(info.width, info.height),
        rate=round(info.rate, 3),
        duration=round(info.end, 3),
        frames=info.frames if damage is None else damage.frame,
        clip_size=sizes[0],
        key_size=sizes[1],
        usable=run.done,
        fault=found[0][0] if found else "",
        claimed=round(info.claimed or 0.0, 3),
    )


class _Pass:
    """The state of one pass: stored clip frames, and keyframes in the order in which their windows become complete."""

    def __init__(
        self, plan: VideoPlan, sizes: tuple[Size, Size], quality: int, sink: Sink, *, stream: bool
    ) -> None:
        self._plan, self._sizes, self._quality, self._sink, self._stream = plan, sizes, quality, sink, stream
        self._clip_sources, self._key_sources = set(plan.source.tolist()), set(plan.key_source.tolist())
        self._keys: dict[int, bytes] = {}
        self._frame = 0
        self.done = 0

    def over(self, source: FrameSource, pool: ThreadPoolExecutor) -> DamagedVideoError | None:
        """Read all wanted frames; returns where the file is damaged, if it is."""
        frame_bytes = max(1, source.info.width * source.info.height * 3)
        most = max(4, min(64, WAITING_BYTES // frame_bytes))
        waiting: deque[tuple[int, Future[tuple[bytes, bytes]]]] = deque()
        damage = None
        try:
            for number, picture in source.read(self._plan.wanted):
                waiting.append((number, pool.submit(self._encode, number, picture)))
                if len(waiting) > most:
                    self._store(*waiting.popleft())
        except DamagedVideoError as fault:
            damage = fault
        while waiting:
            self._store(*waiting.popleft())
        return damage

    def _encode(self, number: int, picture: Picture) -> tuple[bytes, bytes]:
        clip = key = b""
        if number in self._clip_sources:
            clip = encode_jpeg(picture.rgb(self._sizes[0]), self._quality)
        if number in self._key_sources:
            same = clip and self._sizes[0] == self._sizes[1]
            key = clip if same else encode_jpeg(picture.rgb(self._sizes[1]), self._quality)
        return clip, key

    def _store(self, number: int, job: Future[tuple[bytes, bytes]]) -> None:
        clip, key = job.result()
        plan = self._plan
        while self._frame < len(plan.source) and plan.source[self._frame] == number:
            self._sink.clip(int(plan.frames[self._frame]), clip)
            self._frame += 1
        if key:
            self._keys[number] = key
        while self.done < len(plan.deadline) and 0 <= plan.deadline[self.done] <= number:
            self._sink.key(self._keys[int(plan.key_source[self.done])])
            self.done += 1
        for passed in [
            n for n in self._keys if self.done < len(plan.key_source) and n < plan.key_source[self.done]
        ]:
            del self._keys[passed]
        if self._stream and self.done:
            self._sink.commit()

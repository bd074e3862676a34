"""What the frame cache takes on disk: measured bytes of a frame for each setting, times the frames that an hour needs."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np

from stages.decode.core import VideoResult, decode_video
from stages.decode.trees import open_source
from stages.lib.config.backbones import SamplingConfig
from stages.lib.config.decode import DecodeConfig
from tests.unit.decode.memory import Memory
from tests.unit.lib.video.drawn import MEDIA

SIDES, QUALITIES = (256, 340, 480), (75, 90, 95)
HOUR, RATE = 3600, 30
EVERY_SECOND = SamplingConfig(fast_frames=32, stride=2)


def filmed() -> dict[str, Path]:
    """The real films that lie beside the project, if they do."""
    if not MEDIA.exists():
        return {}
    return {
        f"filmed, {path.stem}": path for path in sorted(MEDIA.iterdir()) if path.suffix in (".mp4", ".avi")
    }


def disk_table(films: Mapping[str, Path], *, quick: bool) -> str:
    """The section of the page; `quick` measures one setting."""
    rows = []
    for title, path in films.items():
        seen: set[tuple[int, int]] = set()
        for side in SIDES[1:2] if quick else SIDES:
            for quality in QUALITIES[2:] if quick else QUALITIES:
                result, clip, key = _bytes(path, side, quality)
                if quality == (QUALITIES[2] if quick else QUALITIES[0]):
                    if result.clip_size in seen:
                        break
                    seen.add(result.clip_size)
                rows.append(_row(title, result, quality, clip, key))
    return f"""## Disk

Bytes of a cached frame, measured on up to nine seconds of each film, times the frames of an hour. Films are never upscaled:
small ones have one size. Both samplings (8x8 and 16x8) at whole seconds need every second frame, {HOUR * RATE // 2:,} an hour;
a stride of 1, or keyframes on odd frames as well, need every frame, {HOUR * RATE:,}. A ten-second Kinetics clip needs 32 frames
for 8x8, 64 for 16x8, and one keyframe. Keyframes (of at most 1333x800 pixels, {HOUR:,} an hour) are in the last four columns.

| film | cached at | quality | KB/frame | KB/keyframe | GB/h, every second | GB/h, every frame | MB/clip 8x8 | MB/clip 16x8 |
|---|---|---|---|---|---|---|---|---|
{chr(10).join(rows)}
"""


def _bytes(path: Path, side: int, quality: int) -> tuple[VideoResult, float, float]:
    """Mean bytes of a clip frame and of a keyframe of a film at one setting."""
    sink, cfg = Memory(), DecodeConfig(short_side=side, jpeg_quality=quality)
    with open_source(path, np.zeros(0), side, RATE, "decord") as source:
        seconds = np.arange(1.0, min(10.0, source.info.end))
    opener = partial(open_source, path, seconds, side, float(RATE))
    with ThreadPoolExecutor(2) as pool:
        result = decode_video(opener, seconds, cfg, (EVERY_SECOND,), sink, pool)
    clip = float(np.mean([len(jpeg) for _, jpeg in sink.clips]))
    return result, clip, float(np.mean([len(jpeg) for jpeg in sink.keys]))


def _row(title: str, result: VideoResult, quality: int, clip: float, key: float) -> str:
    keys = HOUR * key
    half, whole = (keys + HOUR * RATE // 2 * clip) / 1e9, (keys + HOUR * RATE * clip) / 1e9
    eight, sixteen = (key + 32 * clip) / 1e6, (key + 64 * clip) / 1e6
    return (
        f"| {title} | {result.clip_size[0]}x{result.clip_size[1]} | {quality} | {clip / 1e3:.1f} | {key / 1e3:.0f} "
        f"| {half:.2f} | {whole:.2f} | {eight:.2f} | {sixteen:.2f} |"
    )

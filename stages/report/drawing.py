"""One video drawn: every frame with the people of its keyframe, its sound, and a still of the busiest keyframe."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stages.lib.errors import StageError
from stages.lib.files import atomic_path
from stages.lib.video.picture import Picture
from stages.report.videos import Moments

STILL_WIDTH: Final = 640
Frame = NDArray[np.uint8]


@dataclass(frozen=True)
class Drawn:
    """What came of a video: what is unusual (or nothing), width, height, rate (Hz), seconds, sound, a JPEG of a keyframe."""

    note: str
    size: tuple[int, int]
    rate: float
    duration: float
    has_sound: bool
    still: bytes


def draw_video(source: Path, target: Path, moments: Moments) -> Drawn:
    """Draw the people into `source` and write it to `target` (mp4) with its frame times and its sound.

    Raises:
        StageError: the file cannot be read as a video.
    """
    from stages.lib.video.source import VideoError, open_video
    from stages.lib.video.writer import VideoWriter

    notes: list[str] = []
    try:
        with atomic_path(target) as temporary, open_video(source, prefer="pyav") as video:
            info, still = video.info, _Still(moments)
            frames = _until_damage(video.read(np.arange(info.frames)), notes)
            with VideoWriter(temporary, info.rate) as writer:
                for number, picture in frames:
                    seconds = float(info.starts[number])
                    drawn = _drawn(picture.rgb(), moments, seconds)
                    still.look(drawn, seconds)
                    writer.write(drawn, seconds)
            has_sound, fault = _with_sound(temporary, source)
            notes += [fault] if fault else []
    except VideoError as error:
        fix = "check the file, or remove it from the folder"
        raise StageError(f"cannot be read as a video ({error})", str(source), fix) from None
    size = (info.width, info.height)
    return Drawn(" ".join(notes), size, info.rate, info.end, has_sound, still.jpeg())


def _drawn(image: Frame, moments: Moments, seconds: float) -> Frame:
    from stages.report.draw import draw_actors

    return draw_actors(image, moments.at(seconds))


def _with_sound(path: Path, source: Path) -> tuple[bool, str]:
    """Put the sound of `source` into the video at `path`: whether it has any now, and what is wrong with it."""
    import av

    from stages.lib.video.sound import add_sound

    sounding = path.with_name(f"{path.name}.sound")
    try:
        note = add_sound(path, source, sounding)
        if note is not None:
            sounding.replace(path)
    except (av.FFmpegError, OSError, ValueError) as error:
        return (
            False,
            f"(without its sound, which cannot be read: {getattr(error, 'strerror', None) or error})",
        )
    else:
        return note is not None, note or ""
    finally:
        sounding.unlink(missing_ok=True)


class _Still:
    """Keeps the drawn frame nearest to the busiest keyframe; the first frame where there is none."""

    def __init__(self, moments: Moments) -> None:
        self._wanted = moments.busiest or 0.0
        self._gap = float("inf")
        self._frame: Frame | None = None

    def look(self, frame: Frame, seconds: float) -> None:
        gap = abs(seconds - self._wanted)
        if gap < self._gap:
            self._gap, self._frame = gap, frame

    def jpeg(self) -> bytes:
        from stages.lib.video.jpeg import encode_jpeg, resize_rgb

        assert self._frame is not None, "a video that was drawn has a frame"
        height, width = self._frame.shape[:2]
        share = min(1.0, STILL_WIDTH / width)
        return encode_jpeg(resize_rgb(self._frame, (round(width * share), max(1, round(height * share)))), 85)


def _until_damage(frames: Iterator[tuple[int, Picture]], notes: list[str]) -> Iterator[tuple[int, Picture]]:
    """The frames before the first damaged one, of which a note is taken; damage at the very start is an error."""
    from stages.lib.video.source import DamagedVideoError

    count = 0
    try:
        for item in frames:
            yield item
            count += 1
    except DamagedVideoError as fault:
        if count == 0:
            raise
        notes.append(f"(damaged: it ends after {count} frames: {fault})")

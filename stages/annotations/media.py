"""Sizes and frame rates of annotated videos: from the command line, or from the files themselves."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from stages.lib.config.sheets import EXTENSIONS
from stages.lib.errors import StageError


@dataclass
class Media:
    """Where videos lie (None: nowhere), and what is said of all of them instead: (width, height) in pixels, rate in Hz."""

    folder: Path | None = None
    given_size: tuple[int, int] | None = None
    given_rate: Fraction | None = None
    _read: dict[str, tuple[int, int, Fraction]] = field(default_factory=dict)

    def size(self, video: str, where: str) -> tuple[int, int]:
        """Width and height in pixels; StageError where nothing tells them."""
        return self.given_size or self._measured(video, where, "--size 1920x1080")[:2]

    def rate(self, video: str, where: str) -> Fraction:
        """Frames a second; StageError where nothing tells it."""
        return self.given_rate or self._measured(video, where, "--rate 30000/1001")[2]

    def path(self, video: str) -> Path | None:
        """The file called after a video, if there is one."""
        return files_by_stem(self.folder).get(video) if self.folder else None

    def _measured(self, video: str, where: str, flag: str) -> tuple[int, int, Fraction]:
        from stages.lib.video.source import VideoError, open_video

        if video not in self._read:
            path = self.path(video)
            if path is None:
                raise StageError(
                    f"frame size and rate of video {video} are not known",
                    where,
                    f"give {flag}, or the folder of its file: --videos DIR",
                )
            try:
                with open_video(path, prefer="pyav") as source:
                    rate = Fraction(source.info.rate).limit_denominator(1001)
                    self._read[video] = (source.info.width, source.info.height, rate)
            except VideoError as fault:
                raise StageError(fault.reason, str(path), f"mend the file, or give {flag}") from None
        return self._read[video]


def files_by_stem(folder: Path) -> dict[str, Path]:
    """The video files below a folder by their names without suffix; of equal names the first in order."""
    found: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in EXTENSIONS and not path.is_dir():
            found.setdefault(path.stem, path)
    return found

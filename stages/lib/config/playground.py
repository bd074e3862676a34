"""The list of drawn videos: a pure function of the configuration, needed before anything is drawn."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

from stages.lib.config.synthesize import ClipsConfig, MoviesConfig, SynthesizeConfig

MOVIES: Final = "playground-movies"
CLIPS: Final = "playground-clips"
CLIP_SECONDS: Final = 10
_ID_LETTERS: Final = 11

Purpose = Literal["annotated", "classified"]
PlaygroundSplit = Literal["train", "val", "test"]


class PlaygroundVideo(NamedTuple):
    """One drawn video: annotation id, file name, split, start of its first frame in the original's time (s), purpose."""

    video: str
    file: str
    split: PlaygroundSplit
    start: float
    purpose: Purpose


def playground_videos(cfg: SynthesizeConfig, dataset: str) -> list[PlaygroundVideo]:
    """All videos of `dataset` (playground-movies or playground-clips), always in the same order; ids are unique."""
    if dataset == MOVIES:
        return list(_movies(cfg.movies))
    if dataset != CLIPS:
        raise ValueError(f"no such drawn data set: {dataset} (there are {MOVIES} and {CLIPS})")
    return list(_clips(cfg.seed, cfg.clips))


def _movies(cfg: MoviesConfig) -> Iterator[PlaygroundVideo]:
    for split, count in _counts(cfg.train, cfg.val, cfg.test):
        for number in range(count):
            video = f"movie-{split}-{number:02d}"
            yield PlaygroundVideo(video, f"{video}.mp4", split, 0.0, "annotated")


def _clips(seed: int, cfg: ClipsConfig) -> Iterator[PlaygroundVideo]:
    for split, count in _counts(cfg.train, cfg.val, cfg.test):
        yield from (_clip(seed, split, "annotated", number) for number in range(count))
    for split, count in _counts(cfg.classified_train, cfg.classified_val, 0):
        yield from (_clip(seed, split, "classified", number) for number in range(count))


def _counts(train: int, val: int, test: int) -> tuple[tuple[PlaygroundSplit, int], ...]:
    return ("train", train), ("val", val), ("test", test)


def _clip(seed: int, split: PlaygroundSplit, purpose: Purpose, number: int) -> PlaygroundVideo:
    """Id and start come from a hash; one id in 25 begins with a dash and one with an underscore, as real ones do."""
    digest = hashlib.sha256(f"{seed}/{split}/{purpose}/{number}".encode()).digest()
    name = base64.urlsafe_b64encode(digest).decode()[:_ID_LETTERS]
    if number % 25 in (7, 19):
        name = ("-" if number % 25 == 7 else "_") + name[1:]
    start = int.from_bytes(digest[-2:], "big") % 600
    file = f"{name}_{start:06d}_{start + CLIP_SECONDS:06d}.mp4"
    return PlaygroundVideo(name, file, split, float(start), purpose)

"""From a planned video to its file's frames and its truth: what `synthesize` does for each video."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from stages.lib.config.playground import CLIPS, MOVIES, PlaygroundVideo, playground_videos
from stages.lib.config.synthesize import SynthesizeConfig
from stages.synthesize.classified import class_of, classified_drawings, classified_format
from stages.synthesize.clips import plan_clip
from stages.synthesize.movies import plan_movie
from stages.synthesize.scenes import clip_programme
from stages.synthesize.shapes import Frame
from stages.synthesize.streams import stream
from stages.synthesize.timeline import Timeline, VideoFormat, drawings
from stages.synthesize.truth import KeyframeTruth, keyframe_truth


@dataclass(frozen=True)
class VideoTask:
    """One video to be made: its entry in the list and its number within its split and purpose."""

    dataset: str
    video: PlaygroundVideo
    number: int


def tasks(cfg: SynthesizeConfig, dataset: str) -> list[VideoTask]:
    """All videos of a data set, in the order of the list."""
    counts: dict[tuple[str, str], int] = {}
    result = []
    for video in playground_videos(cfg, dataset):
        key = video.split, video.purpose
        result.append(VideoTask(dataset, video, counts.get(key, 0)))
        counts[key] = counts.get(key, 0) + 1
    return result


def plan(cfg: SynthesizeConfig, task: VideoTask) -> tuple[Timeline, tuple[KeyframeTruth, ...]]:
    """Scenes and truth of an annotated video, without drawing it."""
    assert task.video.purpose == "annotated"
    rng = stream(cfg.seed, task.dataset, task.video.split, task.video.video)
    if task.dataset == MOVIES:
        timeline = plan_movie(cfg, rng, task.video.split, task.number)
        times = {scene: scene_.keyframes() for scene, scene_ in enumerate(timeline.scenes)}
    else:
        programme = clip_programme(cfg.seed, task.video.split, task.number)
        timeline, key = plan_clip(cfg, rng, task.video.start, programme)
        times = {
            scene: [key] for scene, scene_ in enumerate(timeline.scenes) if scene_.start <= key < scene_.end
        }
    truths: list[KeyframeTruth] = []
    people = 0
    for scene, moments in times.items():
        truths.extend(keyframe_truth(timeline, scene, moment, people) for moment in moments)
        people += len(timeline.scenes[scene].actors)
    return timeline, tuple(truths)


def video_drawings(
    cfg: SynthesizeConfig, task: VideoTask
) -> tuple[VideoFormat, Iterator[tuple[Frame, int]], tuple[KeyframeTruth, ...]]:
    """Format, drawings (with the number of frames each is held), and truth of any video; no truth if classified."""
    if task.video.purpose == "classified":
        assert task.dataset == CLIPS
        rng = stream(cfg.seed, task.dataset, task.video.split, task.video.video)
        form = classified_format(cfg, rng)
        return form, classified_drawings(cfg, rng, form, class_of(task.number)), ()
    timeline, truths = plan(cfg, task)
    return timeline.form, drawings(timeline), truths

"""Where cuts, toggles and keyframes lie; that the three worlds have nothing in common."""

from __future__ import annotations

import re
import time
from itertools import pairwise

import numpy as np
import pytest

from stages.lib.config.playground import CLIPS, MOVIES, playground_videos
from stages.lib.config.synthesize import ClipsConfig, MoviesConfig, SynthesizeConfig
from stages.lib.video.sampling import centre_frames, clamp, clip_windows, frame_count, nearest_source
from stages.synthesize.core import plan, tasks
from stages.synthesize.world import KEY_PLACE

CONFIG = SynthesizeConfig(
    movies=MoviesConfig(train=3, val=2, test=2),
    clips=ClipsConfig(train=60, val=30, test=30, classified_train=40, classified_val=4),
)


def test_cuts_of_movies_lie_between_keyframes() -> None:
    for task in tasks(CONFIG, MOVIES):
        timeline, truths = plan(CONFIG, task)
        assert [truth.time for truth in truths] == [float(second) for second in range(len(truths))]
        assert timeline.scenes[0].start == 0.0
        for scene, following in pairwise(timeline.scenes):
            assert scene.end == following.start
            assert scene.end % 1.0 == 1.0 - KEY_PLACE
            assert scene.origin % 1.0 == 1.0 - KEY_PLACE
        assert CONFIG.movies.seconds <= timeline.scenes[-1].end < CONFIG.movies.seconds + 12


def test_the_memory_window_around_a_long_scene_meets_no_other_one() -> None:
    for task in tasks(CONFIG, MOVIES):
        timeline, _ = plan(CONFIG, task)
        long = [scene for scene in timeline.scenes if scene.type == "long"]
        assert len(long) >= 6
        assert all(11 <= scene.slots <= 12 for scene in long)
        for scene, following in pairwise(long):
            assert following.keyframes()[0] - scene.keyframes()[-1] > CONFIG.memory_window
        assert all(2 <= scene.slots <= 3 for scene in timeline.scenes if scene.type == "short")


def test_the_keyframe_of_a_clip_is_far_from_cuts_and_ends() -> None:
    fractional = 0
    for task in tasks(CONFIG, CLIPS):
        if task.video.purpose != "annotated":
            continue
        timeline, (truth,) = plan(CONFIG, task)
        relative = truth.time - task.video.start
        assert 0.9 <= relative <= 9.1
        assert min(truth.since_cut, truth.until_cut) >= 0.8
        assert (truth.time - timeline.scenes[truth.scene].origin) % 1.0 == pytest.approx(KEY_PLACE)
        assert timeline.scenes[0].start == task.video.start
        assert timeline.scenes[-1].end == task.video.start + 10
        fractional += relative % 1.0 != 0.0
    assert fractional >= 115


def test_the_clip_around_a_keyframe_shows_nothing_of_the_slots_before_and_after() -> None:
    """The frames of an 8 x 2 clip at 15 Hz, through resampling and drawings held on twos."""
    foreign_F, keyframes = np.zeros(8, np.int64), 0
    for task in tasks(CONFIG, MOVIES) + [t for t in tasks(CONFIG, CLIPS) if t.video.purpose == "annotated"]:
        timeline, truths = plan(CONFIG, task)
        times = np.array([truth.time - task.video.start for truth in truths])
        inside = times > 0.6
        starts = np.arange(timeline.frame_count) / float(timeline.form.rate)
        grid = nearest_source(
            starts, frame_count(timeline.frame_count / float(timeline.form.rate), 15.0), 15.0
        )
        frames_KF = grid[clamp(clip_windows(centre_frames(times, 15.0), 8, 2), len(grid))]
        drawn_KF = task.video.start + starts[frames_KF - frames_KF % timeline.form.hold]
        for truth, drawn_F in zip(np.array(truths, object)[inside], drawn_KF[inside], strict=True):
            scene = timeline.scenes[truth.scene]
            slot_start = scene.origin + scene.slot(truth.time)
            foreign_F += (drawn_F < slot_start) | (drawn_F >= slot_start + 1.0)
            keyframes += 1
    assert keyframes > 1000
    assert foreign_F[[0, 4]].max() < 0.03 * keyframes, "the slow pathway's frames"
    assert foreign_F[1:7].max() < 0.01 * keyframes
    assert foreign_F[7] < 0.03 * keyframes


def test_people_keep_their_number_through_a_scene_and_never_share_it() -> None:
    timeline, truths = plan(CONFIG, tasks(CONFIG, MOVIES)[0])
    scenes_of: dict[int, set[int]] = {}
    for truth in truths:
        for person in truth.people:
            scenes_of.setdefault(person.person, set()).add(truth.scene)
    assert all(len(scenes) == 1 for scenes in scenes_of.values())
    assert len(scenes_of) >= len(timeline.scenes)


@pytest.mark.parametrize("dataset", [MOVIES, CLIPS])
def test_the_three_worlds_share_nothing(dataset: str) -> None:
    seen: dict[str, set[object]] = {}
    for task in tasks(CONFIG, dataset):
        if task.video.purpose == "annotated":
            scenes = plan(CONFIG, task)[0].scenes
            mine = seen.setdefault(task.video.split, set())
            mine.update(scene.backdrop_seed for scene in scenes)
            mine.update(actor.look for scene in scenes for actor in scene.actors)
    assert len(seen) == 3
    assert not seen["train"] & seen["val"]
    assert not seen["train"] & seen["test"]
    assert not seen["val"] & seen["test"]


def test_boxes_lie_inside_the_frame() -> None:
    for dataset in (MOVIES, CLIPS):
        for task in tasks(CONFIG, dataset):
            if task.video.purpose == "annotated":
                for truth in plan(CONFIG, task)[1]:
                    for person in truth.people:
                        x1, y1, x2, y2 = person.box
                        assert 0.0 <= x1 < x2 <= 1.0
                        assert 0.0 <= y1 < y2 <= 1.0


def test_the_list_of_videos() -> None:
    large = SynthesizeConfig(clips=ClipsConfig(train=2000))
    times = []
    for _ in range(3):
        start = time.process_time()
        videos = playground_videos(large, CLIPS)
        times.append(time.process_time() - start)
    assert min(times) < 0.1
    assert videos == playground_videos(large, CLIPS)
    assert len({video.video for video in videos}) == len(videos) == 2000 + 80 + 160 + 480 + 48
    assert {video.video[0] for video in videos} >= {"-", "_"}
    for video in videos:
        assert re.fullmatch(r"[A-Za-z0-9_-]{11}", video.video)
        assert video.file == f"{video.video}_{int(video.start):06d}_{int(video.start) + 10:06d}.mp4"
    assert {video.video for video in videos}.isdisjoint(
        video.video for video in playground_videos(SynthesizeConfig(seed=1), CLIPS)
    )
    with pytest.raises(ValueError, match="no such drawn data set"):
        playground_videos(large, "ava")

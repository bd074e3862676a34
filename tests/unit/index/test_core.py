from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stages.index.core import Annotations, build_index, own_index, own_keyframes
from stages.index.keyframes import OutsideError
from stages.lib.annotations.ava_csv import read_truth
from stages.lib.artifacts.tables import ROLE_BANK, ROLE_EVAL, ROLE_EXCLUDED, ROLE_TRAIN, Classes, Index
from stages.lib.config.sheets import Video
from stages.lib.metrics.tables import Truth

CLASSES = Classes((3, 12, 80), ("crouch", "stand", "watch"))
EVERY = ROLE_BANK | ROLE_EVAL


def truth(folder: Path, rows: str) -> Truth:
    path = folder / "rows.csv"
    path.write_text(rows)
    return read_truth(path)[0]


def video(name: str, split: str, start: float = 0.0) -> Video:
    return Video(name, f"{name}.mp4", split, start, name)


def build(
    videos: list[Video],
    parts: dict[str, Annotations],
    dialect: str = "ava",
    included: list[int] | None = None,
) -> Index:
    return build_index(videos, parts, CLASSES, dialect, included)[0]


MOVIE = """m,0902,0.1,0.2,0.3,0.4,12,7
m,0902,0.1,0.2,0.3,0.4,80,7
m,0902,0.5,0.2,0.7,0.4,12,8
m,0905,0.1,0.2,0.3,0.4,3,7
m,0904
other,0902,0.1,0.2,0.3,0.4,12,1
"""


def test_rows_of_one_person_are_one_box_with_several_labels(tmp_path: Path) -> None:
    index = build([video("m", "train")], {"train": Annotations(truth(tmp_path, MOVIE))})
    assert index.keyframes.timestamp_ms.tolist() == [902000, 903000, 904000, 905000]
    assert index.truth_splits.tolist() == [0, 2, 2, 2, 3]
    np.testing.assert_allclose(
        index.truth_boxes, [[0.1, 0.2, 0.3, 0.4], [0.5, 0.2, 0.7, 0.4], [0.1, 0.2, 0.3, 0.4]], rtol=1e-6
    )
    assert index.truth_labels.tolist() == [[0, 1, 1], [0, 1, 0], [1, 0, 0]]
    assert index.truth_person.tolist() == [7, 8, 7]


def test_roles_of_train_and_val_and_of_seconds_nobody_labelled(tmp_path: Path) -> None:
    rows = truth(tmp_path, MOVIE)
    trained = build([video("m", "train")], {"train": Annotations(rows)})
    both = ROLE_BANK | ROLE_TRAIN
    assert trained.roles.tolist() == [both, ROLE_BANK, both, both]
    evaluated = build([video("m", "val")], {"val": Annotations(rows)})
    assert evaluated.roles.tolist() == [EVERY | ROLE_TRAIN, EVERY, EVERY | ROLE_TRAIN, EVERY | ROLE_TRAIN]
    assert evaluated.in_splits(["train"]).tolist() == [False] * 4
    assert evaluated.in_splits(["train", "val"]).tolist() == [True] * 4


@pytest.mark.parametrize("split", ["train", "val"])
def test_an_excluded_keyframe_neither_trains_nor_counts(tmp_path: Path, split: str) -> None:
    gone = frozenset({("m", 902000), ("m", 903000), ("x", 905000)})
    index = build([video("m", split)], {split: Annotations(truth(tmp_path, MOVIE), gone)})
    assert index.roles.tolist()[:2] == [ROLE_BANK | ROLE_EXCLUDED] * 2
    assert not index.roles[2] & ROLE_EXCLUDED
    assert index.truth_splits.tolist() == [0, 2, 2, 2, 3]


def test_included_seconds_are_the_keyframes_of_every_movie(tmp_path: Path) -> None:
    """901 and 906 are annotated though no row says so; 904 has a row and does not count."""
    included = [1000 * second for second in (901, 902, 903, 905, 906)]
    parts = {"val": Annotations(truth(tmp_path, MOVIE), frozenset({("m", 903000)}))}
    index = build([video("m", "val")], parts, included=included)
    assert index.keyframes.timestamp_ms.tolist() == [1000 * second for second in range(901, 907)]
    out = ROLE_BANK | ROLE_EXCLUDED
    labelled = EVERY | ROLE_TRAIN
    assert index.roles.tolist() == [EVERY, labelled, out, out, labelled, EVERY]
    assert index.truth_splits.tolist() == [0, 0, 2, 2, 2, 3, 3]
    with pytest.raises(OutsideError, match="included second 901 lies before the file of m starts, at 902 s"):
        build([video("m", "val", 902.0)], parts, included=included)


def test_keyframes_off_the_whole_seconds_keep_their_own_grid(tmp_path: Path) -> None:
    rows = truth(tmp_path, "m,902.25,0.1,0.2,0.3,0.4,12,7\nm,904.25,0.1,0.2,0.3,0.4,12,7\n")
    index = build([video("m", "val")], {"val": Annotations(rows)})
    assert index.keyframes.timestamp_ms.tolist() == [902250, 903250, 904250]
    assert index.truth_splits.tolist() == [0, 1, 1, 2]


def test_keyframes_with_nobody_and_with_two_hundred_people(tmp_path: Path) -> None:
    crowd = [
        f"m,903,{x / 20:.2f},{y / 10:.1f},{x / 20 + 0.04:.2f},{y / 10 + 0.09:.2f}"
        for x in range(20)
        for y in range(10)
    ]
    rows = [f"{row},{action},{person}" for person, row in enumerate(crowd) for action in (12, 80)]
    index = build([video("m", "val")], {"val": Annotations(truth(tmp_path, "m,902\n" + "\n".join(rows)))})
    assert index.truth_splits.tolist() == [0, 0, 200]
    assert index.truth_person.tolist() == list(range(200))
    assert index.truth_labels.tolist() == [[0, 1, 1]] * 200


def test_a_keyframe_that_stands_twice_is_one(tmp_path: Path) -> None:
    rows = "m,0902\nm,902.0,0.1,0.2,0.3,0.4,12,7\nm,902.0001,0.1,0.2,0.3,0.4,80,7\nm,902\n"
    index = build([video("m", "val")], {"val": Annotations(truth(tmp_path, rows))})
    assert index.keyframes.timestamp_ms.tolist() == [902000]
    assert index.truth_labels.tolist() == [[0, 1, 1]]


CLIPS = """c,105.25,0.1,0.2,0.3,0.4,12
c,105.25,0.1,0.2,0.3,0.4,80
c,105.25,0.1,0.2,0.3,0.5,12
c,213.006
d,5.016949,0.5,0.5,0.6,0.6,3
"""


def test_a_keyframe_belongs_to_the_clip_that_holds_it_nearest_to_the_middle(tmp_path: Path) -> None:
    videos = [
        video("c", "val", 96.0),
        video("c", "val", 100.0),
        video("c", "val", 208.0),
        video("d", "val", 0.0),
    ]
    index = build(videos, {"val": Annotations(truth(tmp_path, CLIPS))}, "ava-kinetics")
    assert index.keyframes.video.tolist() == [1, 2, 3]
    assert index.keyframes.timestamp_ms.tolist() == [105250, 213006, 5017]
    np.testing.assert_allclose(index.relative_seconds(), [5.25, 5.006, 5.017])
    assert index.truth_splits.tolist() == [0, 2, 2, 3]
    assert index.truth_labels.tolist() == [[0, 1, 1], [0, 1, 0], [1, 0, 0]]
    assert index.truth_person.tolist() == [-1, -1, -1]
    assert index.roles.tolist() == [EVERY | ROLE_TRAIN] * 3


def test_seconds_around_a_clips_keyframe_are_for_banks_alone(tmp_path: Path) -> None:
    """Twin: every moment of the clip in milliseconds, kept where it lies whole seconds from the keyframe and half one inside."""
    videos = [video("c", "val", 100.0), video("c", "val", 208.0), video("d", "val", 0.0)]
    parts = {"val": Annotations(truth(tmp_path, CLIPS))}
    plain = build(videos, parts, "ava-kinetics")
    index, _ = build_index(videos, parts, CLASSES, "ava-kinetics", bank_seconds=True)
    rows = index.roles == ROLE_BANK
    for row, ms in zip(plain.keyframes.video.tolist(), plain.keyframes.timestamp_ms.tolist(), strict=True):
        start = round(1000 * plain.start[row])
        inside = range(start + 500, start + 9501)
        expected = [moment for moment in inside if (moment - ms) % 1000 == 0 and moment != ms]
        own = index.keyframes.timestamp_ms[rows & (index.keyframes.video == row)].tolist()
        assert own == expected and len(own) in (8, 9)
    assert index.keyframes.take(np.flatnonzero(~rows)).keys() == plain.keyframes.keys()
    assert index.roles[~rows].tolist() == plain.roles.tolist()
    assert index.truth().boxes.tolist() == plain.truth().boxes.tolist()


def test_a_moment_of_two_clips_is_archived_once(tmp_path: Path) -> None:
    """Clips of one film that overlap: what is a keyframe of one is no bank second of the other."""
    rows = "c,102.000000,0.1,0.2,0.3,0.4,12\nc,106.000000,0.1,0.2,0.3,0.4,12\n"
    clips = [video("c", "val", 96.5), video("c", "val", 101.5)]
    parts = {"val": Annotations(truth(tmp_path, rows))}
    index, _ = build_index(clips, parts, CLASSES, "ava-kinetics", bank_seconds=True)
    keys = index.keyframes.keys()
    assert len(set(keys)) == len(keys) == 15 and [ms for _, ms in sorted(keys)] == list(
        range(97000, 112000, 1000)
    )
    assert np.count_nonzero(index.roles & ROLE_EVAL) == 2


def test_a_keyframe_that_no_clip_holds_is_refused(tmp_path: Path) -> None:
    rows = truth(tmp_path, CLIPS)
    with pytest.raises(OutsideError, match=r"213\.006 s of c lies outside.*100") as caught:
        build([video("c", "val", 100.0)], {"val": Annotations(rows)}, "ava-kinetics")
    assert (caught.value.video, caught.value.ms) == ("c", 213006)
    with pytest.raises(OutsideError, match="its file starts at 903 s"):
        build([video("m", "val", 903.0)], {"val": Annotations(truth(tmp_path, MOVIE))})


def test_videos_of_other_shards_and_splits_are_counted(tmp_path: Path) -> None:
    rows = truth(tmp_path, MOVIE)
    index, counts = build_index(
        [video("m", "train"), video("other", "val")], {"train": Annotations(rows)}, CLASSES, "ava"
    )
    assert counts.elsewhere == 1
    assert set(index.keyframes.video.tolist()) == {0}


def test_one_person_with_two_boxes_keeps_the_first_and_is_counted(tmp_path: Path) -> None:
    rows = truth(tmp_path, "m,1,0.1,0.2,0.3,0.4,12,7\nm,1,0.1,0.2,0.3,0.5,80,7\n")
    index, counts = build_index([video("m", "val")], {"val": Annotations(rows)}, CLASSES, "ava")
    assert counts.conflicting == 1
    np.testing.assert_allclose(index.truth_boxes, [[0.1, 0.2, 0.3, 0.4]], rtol=1e-6)
    assert index.truth_labels.tolist() == [[0, 1, 1]]


def test_unlisted_actions_leave_the_box_without_that_label(tmp_path: Path) -> None:
    index = build([video("m", "val")], {"val": Annotations(truth(tmp_path, "m,1,0.1,0.2,0.3,0.4,2,7\n"))})
    assert index.truth_labels.tolist() == [[0, 0, 0]]


def test_random_tables_agree_with_a_plain_grouping(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    boxes = rng.integers(1, 40, (6, 2)) / 100
    lines = [
        f"v{rng.integers(4)},{rng.integers(1, 6)},{boxes[k][0]},{boxes[k][1]},0.9,0.9,{rng.choice([3, 12, 80])},{k}"
        for k in rng.integers(0, 6, 300)
    ]
    videos = [video(f"v{k}", "val") for k in range(3)]
    index = build(videos, {"val": Annotations(truth(tmp_path, "\n".join(lines) + "\n"))})
    expected: dict[tuple[str, int, int], set[int]] = {}
    for line in lines:
        name, time, *_, action, person = line.split(",")
        if name != "v3":
            expected.setdefault((name, int(time) * 1000, int(person)), set()).add(int(action))
    keys = index.keyframes.keys()
    owner = index.truth().keyframe_of()
    found = {
        (*keys[owner[row]], int(index.truth_person[row])): {
            CLASSES.ids[k] for k in np.flatnonzero(index.truth_labels[row])
        }
        for row in range(len(owner))
    }
    assert found == expected
    assert len(owner) == len(expected)


def test_no_videos_give_an_empty_index(tmp_path: Path) -> None:
    index = build([], {"val": Annotations(truth(tmp_path, MOVIE))})
    assert (len(index.keyframes), index.truth_labels.shape, index.truth_splits.tolist()) == (0, (0, 3), [0])


@pytest.mark.parametrize(
    ("duration", "every", "expected"),
    [
        (10.0, 1.0, list(range(1000, 10000, 1000))),
        (9.5, 1.0, list(range(1000, 10000, 1000))),
        (1.4, 1.0, [700]),
        (3.0, 0.5, [500, 1000, 1500, 2000, 2500]),
        (60.0, 25.0, [25000, 50000]),
        (0.04, 1.0, [20]),
        (None, 1.0, []),
    ],
)
def test_keyframes_of_own_videos(duration: float | None, every: float, expected: list[int]) -> None:
    assert own_keyframes(duration, every).tolist() == expected


def test_own_videos_have_keyframes_without_truth() -> None:
    index = own_index(
        [video("a", ""), video("b", ""), video("c", "")], [2.6, None, 1.0], 1.0, Classes((), ())
    )
    assert index.keyframes.keys() == [("a", 1000), ("a", 2000), ("c", 500)]
    assert index.roles.tolist() == [EVERY] * 3
    assert index.truth_labels.shape == (0, 0)

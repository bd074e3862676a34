"""What is lost: unlisted videos, labels by class and state, the index of lost keyframes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.index.core import Annotations
from stages.index.coverage import class_losses, lost_index, unlisted_fates, unlisted_index
from stages.lib.annotations.ava_csv import read_truth
from stages.lib.annotations.labelmap import read_label_map
from stages.lib.artifacts.shards import take_index
from stages.lib.artifacts.tables import ROLE_BANK, ROLE_EVAL, ROLE_EXCLUDED, ROLE_TRAIN, Classes
from tests.integration.small_run import CLASSES, draw_world

REAL = Path(__file__).resolve().parents[3].parent / "shared" / "data"
STATES = ("ok", "missing", "broken", "cut off", "too short")


def annotations(folder: Path, rows: str, excluded: frozenset[tuple[str, int]] = frozenset()) -> Annotations:
    (folder / "a.csv").write_text(rows)
    return Annotations(read_truth(folder / "a.csv")[0], excluded)


def test_unlisted_movies_and_clips_are_whole_as_if_a_sheet_listed_them_without_files(tmp_path: Path) -> None:
    rows = "v,0902,0.1,0.1,0.5,0.9,12,0\nv,0904\nlisted,0903,0.1,0.1,0.5,0.9,12,0\n"
    classes = Classes((12,), ("stand",))
    gone = frozenset({("v", 904000)})
    index = unlisted_index({"val": annotations(tmp_path, rows, gone)}, {"listed"}, classes, "ava")
    assert index.keyframes.keys() == [("v", 902000), ("v", 903000), ("v", 904000)]
    assert index.roles.tolist() == [
        ROLE_TRAIN | ROLE_EVAL | ROLE_BANK,
        ROLE_EVAL | ROLE_BANK,
        ROLE_BANK | ROLE_EXCLUDED,
    ]
    assert [(fate.video, fate.state, fate.keyframes, fate.lost) for fate in unlisted_fates(index)] == [
        ("v", "missing", 3, 3)
    ]
    rows = "k,2.5\nk,104.417,0.1,0.1,0.5,0.9,12\nk,105.0,0.1,0.1,0.5,0.9,12\nlisted,7.0\n"
    index = unlisted_index({"train": annotations(tmp_path, rows)}, {"listed"}, classes, "ava-kinetics")
    assert index.keyframes.keys() == [("k", 2500), ("k", 104417), ("k", 105000)]
    assert len(index.truth_boxes) == 2 and set(index.split) == {"train"}
    (fate,) = unlisted_fates(index)
    assert (fate.keyframes, fate.reason) == (3, "not in the sheet")
    assert len(unlisted_index({}, set(), classes, "ava").keyframes) == 0


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32), share=st.sampled_from([0.0, 0.3, 1.0]))
def test_losses_agree_with_a_count_box_by_box(seed: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    shards = [
        draw_world(int(rng.integers(99)), [("a", "train"), ("b", "val"), ("c", "val")], 5).index,
        draw_world(int(rng.integers(99)), [("d", "val"), ("e", "train")], 4).index,
    ]
    lost = [rng.random(len(shard.keyframes)) < share for shard in shards]
    states = [[str(rng.choice(STATES)) for _ in shard.split] for shard in shards]
    unlisted = draw_world(int(rng.integers(99)), [("x", "val")], 2).index
    counts: Counter[tuple[str, int, str]] = Counter()
    for shard, gone, named in [
        *zip(shards, lost, states, strict=True),
        (unlisted, np.ones(2, bool), ["missing"]),
    ]:
        for k in range(len(shard.keyframes)):
            video = shard.keyframes.video[k]
            for box in range(shard.truth_splits[k], shard.truth_splits[k + 1]):
                for column, number in enumerate(CLASSES.ids):
                    if shard.truth_labels[box, column] and not shard.roles[k] & ROLE_EXCLUDED:
                        counts[shard.split[video], number, "boxes"] += 1
                        if gone[k]:
                            counts[shard.split[video], number, "lost"] += 1
                            counts[shard.split[video], number, named[video].replace(" ", "_")] += 1
    rows = class_losses(shards, lost, states, unlisted)
    assert [(row.split, row.id) for row in rows] == [
        (split, number) for split in ("train", "val") for number in CLASSES.ids
    ]
    for row in rows:
        for name in ("boxes", "lost", "missing", "broken", "cut_off", "too_short"):
            assert getattr(row, name) == counts[row.split, row.id, name], (row, name)
    merged = lost_index(shards, lost, unlisted)
    expected = [
        key
        for shard, gone in zip(shards, lost, strict=True)
        for key, g in zip(shard.keyframes.keys(), gone, strict=True)
        if g
    ]
    assert merged.keyframes.keys() == sorted([*expected, *unlisted.keyframes.keys()])


@pytest.mark.parametrize("rows", [[], [0], [1, 4, 13], list(range(24))])
def test_taken_keyframes_keep_their_truth_and_their_video(rows: list[int]) -> None:
    index = draw_world(8, [("a", "val"), ("b", "train")]).index
    part = take_index(index, np.array(rows, np.int64))
    assert part.keyframes.keys() == [index.keyframes.keys()[row] for row in rows]
    for place, row in enumerate(rows):
        mine = slice(part.truth_splits[place], part.truth_splits[place + 1])
        theirs = slice(index.truth_splits[row], index.truth_splits[row + 1])
        np.testing.assert_array_equal(part.truth_boxes[mine], index.truth_boxes[theirs])
        np.testing.assert_array_equal(part.truth_labels[mine], index.truth_labels[theirs])
        video, old = part.keyframes.video[place], index.keyframes.video[row]
        assert (part.split[video], part.name[video], part.start[video]) == (
            index.split[old],
            index.name[old],
            index.start[old],
        )
    assert set(part.keyframes.video.tolist()) == set(range(len(part.split)))


def test_of_the_real_validation_file_nothing_gets_lost_on_the_way() -> None:
    """Nobody has a clip of it: all 31,272 keyframes are missing, with every label that the list of 60 classes knows."""
    if not (REAL / "kinetics_val_v1.0.csv").exists():
        pytest.skip("the official file is not here")
    labels = read_label_map(REAL / "ava_action_list_60.pbtxt")
    truth, counts = read_truth(REAL / "kinetics_val_v1.0.csv", labels)
    parts = {"val": Annotations(truth)}
    index = unlisted_index(parts, set(), Classes(labels.ids, labels.names), "ava-kinetics")
    assert len(index.keyframes) == sum(fate.lost for fate in unlisted_fates(index)) == 31272
    rows = class_losses([], [], [], index)
    assert sum(row.boxes for row in rows) == counts.rows - counts.unlisted == 64497
    assert all(row.boxes == row.lost == row.missing for row in rows)
    assert sum(row.boxes > 0 for row in rows) == 59, "of the 60 classes one has no box there"

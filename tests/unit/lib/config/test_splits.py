from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from stages.lib.config.shards import shard_of
from stages.lib.config.splits import FOLDS, fold_of, is_in

ids = st.text("abcXYZ019_-", min_size=1, max_size=20)


@given(ids, st.sampled_from(["train", "val", "test"]))
@settings(deadline=None)
def test_folds_are_disjoint_and_cover_val_alone(video: str, split: str) -> None:
    held = [fold for fold in FOLDS if is_in(split, video, [fold])]
    assert len(held) == (1 if split == "val" else 0)
    assert is_in(split, video, FOLDS) == is_in(split, video, ["val"])
    assert is_in(split, video, [split]) and not is_in(split, video, [])


def test_folds_are_halves_in_every_shard() -> None:
    """The hash that makes folds is not the one that makes shards."""
    videos = [f"video{number}" for number in range(4000)]
    for shard in range(4):
        own = [video for video in videos if shard_of(video, 4) == shard]
        first = sum(fold_of(video) == FOLDS[0] for video in own)
        assert abs(first - len(own) / 2) < 4 * (len(own) / 4) ** 0.5, "four standard deviations of fair coins"


def test_a_fold_never_changes() -> None:
    assert [fold_of(video) for video in ("1j20qq1JyX4", "-5KQ66BBWC4", "__x")] == ["val-a", "val-b", "val-a"]

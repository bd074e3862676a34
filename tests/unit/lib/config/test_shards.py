"""Shards of a data set's splits, and which shards hold which videos."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.lib.config.datasets import DatasetConfig
from stages.lib.config.load import load_config
from stages.lib.config.shards import allowed_shards, evaluated_shards, shard_count, shards_with
from stages.lib.config.sheets import dataset_shards
from stages.lib.errors import StageError

SPLITS = ("train", "val", "test")
COUNTS = st.dictionaries(st.sampled_from(SPLITS), st.integers(1, 9), min_size=1)


def data(**keys: Any) -> DatasetConfig:
    whole = {"format": "ava", "sheet": "sheet.tsv", "labelmap": "l.pbtxt", "boxes": "b.csv", **keys}
    return DatasetConfig.model_validate(whole)


@given(COUNTS)
@settings(deadline=None)
def test_each_shard_is_of_one_split(counts: dict[str, int]) -> None:
    """Twin: the list of the shards' splits, written out in the order train, val, test."""
    found = data(split_shards=counts)
    listed = [split for split in SPLITS for _ in range(counts.get(split, 0))]
    assert shard_count(found) == len(listed)
    names = shards_with(found)
    for split in SPLITS:
        own = [k for k, other in enumerate(listed) if other == split]
        assert list(allowed_shards(found, split)) == own
        assert shards_with(found, [split]) == [names[k] for k in own]
    answered = [name for name, split in zip(names, listed, strict=True) if split != "train"]
    assert evaluated_shards(found) == (answered or names)


def test_mixed_shards_may_hold_any_split() -> None:
    mixed = data(shards=3)
    assert shards_with(mixed, ["val"]) == evaluated_shards(mixed) == shards_with(mixed)
    assert allowed_shards(mixed, "test") == range(3)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"shards": 4, "split_shards": {"train": 3}}, "either shards or split_shards"),
        ({"split_shards": {"train": 399, "val": 2}}, "more than 400"),
        ({"split_shards": {"val": 2}, "annotations": {"train": "a.csv"}}, "lacks train"),
    ],
)
def test_refused(keys: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        data(**keys)


def test_videos_stay_in_the_shards_of_their_split(tmp_path: Path) -> None:
    """A new video of train moves none of val, wherever the sheet lists it."""
    rows = [f"{split}-{k}\tx.mp4\t{split}\t0" for split in ("val", "train") for k in range(40)]
    before, after = (
        placed(tmp_path, rows, {"train": 5, "val": 3}),
        placed(tmp_path, ["new\tx.mp4\ttrain\t0", *rows], {"val": 3, "train": 5}),
    )
    assert {video: shard for video, shard in after.items() if video != "new"} == before
    assert {shard for video, shard in before.items() if video.startswith("val")} == {5, 6, 7}
    assert {shard for video, shard in before.items() if video.startswith("train")} <= set(range(5))


def test_what_does_not_fit_is_named(tmp_path: Path) -> None:
    with pytest.raises(StageError, match=r"video t is of split test, which has no shards") as refused:
        placed(tmp_path, ["t\tx.mp4\ttest\t0"], {"train": 5})
    assert "datasets.films.split_shards" in str(refused.value)
    with pytest.raises(StageError, match=r"shard 1 of video v is not one of split val: 5 to 7"):
        placed(tmp_path, ["v\tx.mp4\tval\t0\t1"], {"train": 5, "val": 3}, "\tshard")


def placed(folder: Path, rows: list[str], counts: dict[str, int], column: str = "") -> dict[str, int]:
    """The shard of each video."""
    sheet = folder / "sheet.tsv"
    sheet.write_text("\n".join([f"video\tpath\tsplit\tstart{column}", *rows]) + "\n")
    films = {"format": "ava", "sheet": str(sheet), "labelmap": "l", "boxes": "b", "split_shards": counts}
    config = load_config(
        {
            "run": "x",
            "datasets": {"films": films},
            "backbones": {"b": {"architecture": "playground", "weights": "w"}},
            "heads": {"h": {"kind": "linear", "backbone": "b"}},
        }
    )
    shards = dataset_shards(config, "films").values()
    return {video.video: k for k, videos in enumerate(shards) for video in videos}

from __future__ import annotations

import os
from base64 import urlsafe_b64encode
from pathlib import Path

import pytest

from stages.lib.config.given import check_given, check_records, given_paths, with_shortcuts
from stages.lib.config.load import load_config
from stages.lib.errors import StageError
from tests.unit.lib.config.raw import small

FILES = ("films.tsv", "labels.pbtxt", "train.csv", "val.csv", "boxes.csv", "backbone.safetensors")


@pytest.fixture
def complete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with everything that the small configuration names."""
    monkeypatch.chdir(tmp_path)
    for name in FILES:
        (tmp_path / name).touch()
    for name in ("films", "own"):
        (tmp_path / name).mkdir()
    return tmp_path


def test_everything_is_there(complete: Path) -> None:
    config = load_config(small())
    check_given(config)
    assert {path for _, path, _ in given_paths(config)} == {*FILES, "films", "own"}


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named_with_its_key(complete: Path, name: str) -> None:
    (complete / name).unlink()
    with pytest.raises(StageError, match=name) as caught:
        check_given(load_config(small()))
    assert caught.value.where.startswith(("datasets.", "backbones."))


def test_a_folder_is_no_file_and_a_file_no_folder(complete: Path) -> None:
    (complete / "train.csv").unlink()
    (complete / "train.csv").mkdir()
    with pytest.raises(StageError, match="no such file"):
        check_given(load_config(small()))
    (complete / "train.csv").rmdir()
    (complete / "train.csv").touch()
    (complete / "own").rmdir()
    (complete / "own").touch()
    with pytest.raises(StageError, match="no such folder"):
        check_given(load_config(small()))


def test_weights_of_a_network_that_nothing_uses_may_be_missing(complete: Path) -> None:
    check_given(load_config(small(detectors__spare={"architecture": "playground", "weights": "none.pth"})))


def test_the_demo_is_named_where_its_weights_are_missing(complete: Path) -> None:
    raw = small(backbones__small__weights="results/playground/pretrain/small/weights.safetensors")
    with pytest.raises(StageError, match="make demo"):
        check_given(load_config(raw))


def test_the_common_folder_of_videos_counts_for_own_videos_only(complete: Path) -> None:
    raw = small(videos="clips", datasets__own__videos=None)
    with pytest.raises(StageError) as caught:
        check_given(load_config(raw))
    assert caught.value.where == "videos"


def test_boxes_take_the_place_of_the_detector() -> None:
    raw = small(boxes="people.csv", datasets__own={"format": "videos", "detector": "person"})
    config = load_config(with_shortcuts(raw))
    assert config.datasets["own"].boxes == "people.csv" and config.datasets["own"].detector is None
    assert config.datasets["films"].detector == "person"
    assert raw["datasets"]["own"]["detector"] == "person", "the given mapping stays as it was"


def test_no_boxes_change_nothing() -> None:
    assert with_shortcuts(small(boxes=None)) == small()


def test_the_distance_of_keyframes_reaches_own_videos_only() -> None:
    raw = small(every=0.25, datasets__own={"format": "videos", "detector": "person"})
    config = load_config(with_shortcuts(raw))
    assert (config.datasets["own"].keyframes_every, config.datasets["own"].detector) == (0.25, "person")
    assert config.datasets["films"].keyframes_every == 1.0
    with pytest.raises(StageError, match="greater than 0"):
        load_config(with_shortcuts(raw | {"every": 0}))
    with pytest.raises(StageError, match="every is given, but no data set is of format videos"):
        with_shortcuts({"every": 1, "datasets": {"films": {"format": "ava"}}})


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with one settings file and Snakemake's record of it."""
    monkeypatch.chdir(tmp_path)
    path = Path("results/small/config/train/linear.json")
    path.parent.mkdir(parents=True)
    path.write_text("old\n")
    record = Path(".snakemake/metadata") / urlsafe_b64encode(os.fsencode(path)).decode()
    record.parent.mkdir(parents=True)
    record.touch()
    return record


def test_recorded_settings_may_change(run: Path) -> None:
    check_records(Path("results/small"), Path(".snakemake"), lambda stage, variant: "new")


def test_unrecorded_settings_may_not(run: Path) -> None:
    run.unlink()
    check_records(Path("results/small"), Path(".snakemake"), lambda stage, variant: "old")
    check_records(Path("results/small"), Path(".snakemake"), lambda stage, variant: None)
    with pytest.raises(StageError, match=r"rm results/small/config/train/linear\.json"):
        check_records(Path("results/small"), Path(".snakemake"), lambda stage, variant: "new")


def test_records_in_a_database_are_left_to_snakemake(run: Path) -> None:
    run.unlink()
    Path(".snakemake/metadata.db").touch()
    check_records(Path("results/small"), Path(".snakemake"), lambda stage, variant: "new")

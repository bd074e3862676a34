"""A configuration from videos, a csv and a class list."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from stages.annotations.__main__ import main
from stages.lib.annotations.ava_csv import read_exclusions
from stages.lib.annotations.labelmap import read_label_map
from stages.lib.config.load import load_config
from stages.lib.config.payloads import payload
from stages.lib.config.sheets import dataset_shards
from stages.lib.models.builders import build_backbone
from stages.lib.models.weights import save_weights

ROWS = "".join(f"v{n},0001,0.1,0.2,0.3,0.4,{1 + n % 3},0\nv{n},0004\n" for n in range(10))
NAMES = "stir\npour\n\nidle\n"


def files(folder: Path, rows: str = ROWS, names: str = NAMES, missing: int = 9) -> list[str]:
    (folder / "films/deep").mkdir(parents=True)
    for n in range(10):
        if n != missing:
            (folder / f"films/deep/v{n}.mp4").touch()
    (folder / "films/extra.mkv").touch()
    (folder / "a.csv").write_text(rows)
    (folder / "names.txt").write_text(names)
    words = ["scaffold", "--videos", "films", "--classes", "names.txt", "--out", "my-data.yaml"]
    return [*words, "--annotations"]


def test_one_csv_is_shared_out_by_video(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    words = [*files(tmp_path), "a.csv", "--exclusive", "stir", "idle", "--val-share", "0.3"]
    assert main(words) == 0
    config = load_config(yaml.safe_load(Path("my-data.yaml").read_text()))
    data = config.datasets["my-data"]
    assert data.exclusive == ((1, 3),)
    assert payload(config, "index", "my-data").model_dump()["exclusive"] == ((1, 3),)
    assert data.annotations == {"train": "a.csv", "val": "a.csv"}
    videos = [video for shard in dataset_shards(config, "my-data").values() for video in shard]
    assert sorted(video.split for video in videos) == ["train"] * 7 + ["val"] * 3
    assert {video.video: video.path for video in videos}["v0"] == "films/deep/v0.mp4"
    assert {video.video: video.path for video in videos}["v9"] == ""
    gone = read_exclusions(Path("my-data.train.excluded.csv")) | read_exclusions(
        Path("my-data.val.excluded.csv")
    )
    assert gone == {(f"v{n}", us) for n in range(10) for us in (2_000_000, 3_000_000)}
    assert read_label_map(Path("my-data.pbtxt")).names == ("stir", "pour", "idle")
    said = capsys.readouterr().out
    assert "annotated videos without a file (left out of training, listed as missing): 1" in said
    assert "video files without annotations (left out): 1" in said


def test_a_csv_per_split_and_no_group_by_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = files(tmp_path)
    Path("b.csv").write_text("w,0001\nw,0002\n")
    assert main([*words, "train=a.csv", "test=b.csv", "--boxes", "boxes.csv"]) == 0
    config = load_config(yaml.safe_load(Path("my-data.yaml").read_text()))
    data = config.datasets["my-data"]
    assert (data.exclusive, data.boxes, data.detector) == ((), "boxes.csv", None)
    assert data.annotations == {"train": "a.csv", "test": "b.csv"}
    assert set(data.excluded) == {"train"}


def test_given_weights_say_how_they_are_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = files(tmp_path)
    facts = {"family": "backbone", "architecture": "playground", "rate": 25.0, "mean": [0.1, 0.2, 0.3]}
    facts["sampling"] = {"fast_frames": 16, "stride": 1, "slow_rule": "full-span"}
    save_weights(Path("b.safetensors"), build_backbone("playground").state_dict(), facts)
    assert main([*words, "a.csv", "--backbone", "b.safetensors"]) == 0
    config = load_config(yaml.safe_load(Path("my-data.yaml").read_text()))
    assert config.backbones["main"].mean == (0.1, 0.2, 0.3)
    assert (config.backbones["main"].sampling.fast_frames, config.decode.rate) == (16, 25.0)


@pytest.mark.parametrize(
    ("rows", "names", "flags", "message"),
    [
        (ROWS, "stir\npour\n", [], 'a.csv:5: unknown action id "3"'),
        (ROWS, "a\nb\na\n", [], "two classes are called 'a'"),
        (ROWS, "\n", [], "no class in the list"),
        (ROWS, 'a {b}\n"c\nd', [], "a pbtxt cannot hold the class name 'a {b}'"),
        (ROWS, NAMES, ["--exclusive", "stir", "sleep"], "--exclusive names 'sleep', which is no class"),
        (ROWS, NAMES, ["--exclusive", "stir", "idle", "--exclusive", "idle", "pour"], "names class 3 twice"),
        (ROWS, NAMES, ["--videos", "nowhere"], "nowhere: there is no such folder"),
        (ROWS, NAMES, ["--out", "My Data.yaml"], "My Data.yaml is no name for a run"),
        (ROWS + "../x,0001\n", NAMES, [], "a.csv:21: the video id '../x' is not made of 1 to 64 letters"),
    ],
)
def test_refusals(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    rows: str,
    names: str,
    flags: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([*files(tmp_path, rows, names), "a.csv", *flags]) == 2
    assert message in capsys.readouterr().err
    assert not Path("my-data.yaml").exists()


def test_a_video_has_one_split(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    words = files(tmp_path)
    Path("b.csv").write_text("v3,0001\n")
    assert main([*words, "train=a.csv", "val=b.csv"]) == 2
    assert "video v3 is annotated in train and in val" in capsys.readouterr().err

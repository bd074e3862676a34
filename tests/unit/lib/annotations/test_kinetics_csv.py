from __future__ import annotations

from pathlib import Path

import pytest

from stages.lib.annotations.kinetics_csv import (
    Clip,
    LabelledClip,
    choose_clip,
    parse_clip_name,
    read_clip_list,
)
from stages.lib.errors import StageError

HEADER = "label,youtube_id,time_start,time_end,split\n"


def test_clip_names_with_underscores_and_dashes() -> None:
    clip = parse_clip_name("-a_b__000123_000133.mp4")
    assert clip == Clip("-a_b_", 123.0, 133.0)
    assert clip.file_name == "-a_b__000123_000133.mp4"
    assert parse_clip_name("00_77WAvZ_o_000012_000022") == Clip("00_77WAvZ_o", 12.0, 22.0)


@pytest.mark.parametrize(
    "name", ["abc.mp4", "abc_12_22.mp4", "abc_000022_000012.mp4", "a b_000001_000011.mp4", ""]
)
def test_other_names_are_no_clips(name: str) -> None:
    assert parse_clip_name(name) is None


def test_the_clip_that_contains_the_keyframe_with_the_nearest_middle() -> None:
    early, middle, late = Clip("v", 10, 20), Clip("v", 14, 24), Clip("v", 40, 50)
    assert choose_clip([early, middle, late], 15.2) == early
    assert choose_clip([early, middle, late], 18.4) == middle
    assert choose_clip([early, middle, late], 45.5) == late
    assert choose_clip([early, middle, late], 30.0) is None
    assert choose_clip([], 5.0) is None
    assert choose_clip([Clip("v", 0, 60)], 50.0) is None  # 20 s from the middle


def test_a_clip_list_with_quotes_and_line_ends_of_other_systems(tmp_path: Path) -> None:
    rows = [
        LabelledClip(Clip("-x_1", 5.0, 15.0), "riding, a bike", "train"),
        LabelledClip(Clip("b", 0.0, 10.0), "yoga", "val"),
    ]
    path = tmp_path / "clips.csv"
    lines = '"riding, a bike",-x_1,5,15,train\nyoga,b,0,10,val\n'
    path.write_text("\ufeff" + (HEADER + lines).replace("\n", "\r\n"))
    assert read_clip_list(path) == rows


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("yoga,v,0,10", "4 columns"),
        ("yoga,v v,0,10,train", "bad video id"),
        ("yoga,../x,0,10,train", "bad video id '../x'"),
        (f"yoga,{'x' * 200},0,10,train", "bad video id"),
        ("yoga,v,zero,10,train", "not a number"),
        ("yoga,v,10,10,train", "runs from"),
        ("yoga,v,nan,10,train", "runs from"),
        (",v,0,10,train", "label is empty"),
    ],
)
def test_broken_rows_name_their_line(tmp_path: Path, row: str, message: str) -> None:
    path = tmp_path / "clips.csv"
    path.write_text(HEADER + "yoga,v,0,10,train\n" + row + "\n")
    with pytest.raises(StageError, match=message) as caught:
        read_clip_list(path)
    assert caught.value.where == f"{path}:3"


def test_the_list_of_the_test_split_has_no_labels(tmp_path: Path) -> None:
    path = tmp_path / "test.csv"
    path.write_text("youtube_id,time_start,time_end,split\n-x,5,15,test\n")
    assert read_clip_list(path, with_labels=False) == [LabelledClip(Clip("-x", 5.0, 15.0), "", "test")]
    with pytest.raises(StageError, match="header is missing"):
        read_clip_list(path)
    path.write_text("youtube_id,time_start,time_end,split\nyoga,-x,5,15,test\n")
    with pytest.raises(StageError, match=r"test\.csv:2: 5 columns where 4"):
        read_clip_list(path, with_labels=False)


def test_the_header_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "clips.csv"
    path.write_text("yoga,v,0,10,train\n")
    with pytest.raises(StageError, match="header is missing"):
        read_clip_list(path)
    with pytest.raises(StageError, match="cannot be read"):
        read_clip_list(tmp_path / "nowhere.csv")

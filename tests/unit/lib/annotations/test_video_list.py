"""Lists of videos and of included timestamps, as AVA gives them."""

from __future__ import annotations

from pathlib import Path

import pytest

from stages.lib.annotations.video_list import read_annotations, read_included
from stages.lib.errors import StageError


def write(folder: Path, text: str) -> Path:
    path = folder / "list.txt"
    path.write_text(text, encoding="utf-8", newline="")
    return path


def test_included_timestamps_in_the_official_form(tmp_path: Path) -> None:
    official = "".join(f"{second:04d}\n" for second in range(902, 1799))
    for text in (official, "\ufeff" + official.replace("\n", "\r\n") + "\r\n", official.rstrip("\n")):
        assert read_included(write(tmp_path, text)) == tuple(range(902_000, 1_799_000, 1000))
    assert read_included(write(tmp_path, "3.5\n1\n")) == (1000, 3500)


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("0902\nsoon\n", ":2", "'soon' is no time in seconds"),
        ("0902\n\n-1\n", ":3", "'-1' is no time"),
        ("0902\n0903,1\n", ":2", "'0903,1' is no time"),
        ("nan\n", ":1", "'nan' is no time"),
        ("0902\n903\n902.0\n", ":3", "the time 902.0 stands in line 1 already"),
        ("\n", "", "lists no times"),
    ],
)
def test_broken_lists_of_times(tmp_path: Path, text: str, place: str, message: str) -> None:
    with pytest.raises(StageError, match=message) as caught:
        read_included(write(tmp_path, text))
    assert caught.value.where == f"{tmp_path / 'list.txt'}{place}"
    with pytest.raises(StageError, match="cannot be read"):
        read_included(tmp_path / "nowhere.txt")


@pytest.mark.parametrize(
    "name", ["../x", "/etc/passwd", "a\0b", "$(touch x)", "x" * 200, "käse", ".hidden", "a b", '"a"']
)
def test_ids_of_a_list_of_videos(tmp_path: Path, name: str) -> None:
    with pytest.raises(StageError, match="is no video id") as caught:
        read_annotations(write(tmp_path, f"-5KQ66BBWC4\n__x\n{name}\n"))
    assert caught.value.where == f"{tmp_path / 'list.txt'}:3"
    assert read_annotations(write(tmp_path, "-5KQ66BBWC4\n__x\n"))[0].videos == ("-5KQ66BBWC4", "__x")

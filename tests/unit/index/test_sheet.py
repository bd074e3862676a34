from __future__ import annotations

import random
from pathlib import Path

import pytest

from stages.index.__main__ import main
from stages.index.clips import find_clips
from stages.index.sheet import kinetics_sheet
from stages.lib.annotations.ava_csv import read_truth
from stages.lib.annotations.kinetics_csv import Clip, LabelledClip
from stages.lib.config.sheets import SHEET_COLUMNS


def sheet(folder: Path, kind: str, files: list[str], rows: str, *more: str) -> list[tuple[str, ...]]:
    for file in files:
        (folder / "videos" / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / "videos" / file).touch()
    (folder / "val.csv").write_text(rows)
    out = folder / "sheet.tsv"
    words = [
        "sheet",
        "--format",
        kind,
        "--videos",
        str(folder / "videos"),
        "--annotations",
        f"val={folder / 'val.csv'}",
    ]
    assert main([*words, *more, "--out", str(out)]) == 0
    lines = [tuple(line.split("\t")) for line in out.read_text().splitlines()]
    assert lines[0] == SHEET_COLUMNS
    return lines[1:]


def test_ava_files_are_found_by_id_and_absent_ones_listed(tmp_path: Path) -> None:
    rows = "-5KQ66BBWC4,0902,0.1,0.1,0.2,0.2,12,1\n__x,0902\ngone,0903\n"
    found = sheet(
        tmp_path, "ava", ["-5KQ66BBWC4.mkv", "sub/__x.webm", "unrelated.mp4"], rows, "--start", "900"
    )
    assert found == [
        ("-5KQ66BBWC4", "-5KQ66BBWC4.mkv", "val", "900.0"),
        ("__x", "sub/__x.webm", "val", "900.0"),
        ("gone", "", "val", "900.0"),
    ]


def test_kinetics_clips_are_found_flat_and_per_class(tmp_path: Path) -> None:
    files = [
        "a_b_000100_000110.mp4",
        "dancing/a_b_000300_000310.mp4",
        "-x_000000_000010.mp4",
        "a_b_000500_000510.mp4",
    ]
    rows = "a_b,105.5\na_b,304.25\n-x,5.016949\na_b,700.5\n"
    assert sheet(tmp_path, "ava-kinetics", files, rows) == [
        ("-x", "-x_000000_000010.mp4", "val", "0.0"),
        ("a_b", "a_b_000100_000110.mp4", "val", "100.0"),
        ("a_b", "dancing/a_b_000300_000310.mp4", "val", "300.0"),
        ("a_b", "", "val", "695.5"),
    ]


LISTS = """label,youtube_id,time_start,time_end,split
"playing, well",a_b,100,110,val
yoga,a_b,300,310,val
yoga,-x,0,10,val
"""


def test_kinetics_clips_without_times_in_their_names_need_the_lists(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = ["playing_well/a_b.mp4", "yoga/a_b.mkv", "-x.mp4", "stray/a_b.mp4", "c.mp4"]
    rows = "a_b,105.5\na_b,304.25\n-x,5.016949\nc,7\nd,8\n"
    (tmp_path / "val.list").write_text(LISTS)
    (tmp_path / "test.list").write_text("youtube_id,time_start,time_end,split\nd,3,13,test\n")
    lists = ["--clips", str(tmp_path / "val.list"), str(tmp_path / "test.list")]
    found = sheet(tmp_path, "ava-kinetics", [*files, "d.mp4", "other/d_000003_000013.mp4"], rows, *lists)
    assert found == [
        ("-x", "-x.mp4", "val", "0.0"),
        ("a_b", "playing_well/a_b.mp4", "val", "100.0"),
        ("a_b", "yoga/a_b.mkv", "val", "300.0"),
        ("c", "", "val", "2.0"),
        ("d", "d.mp4", "val", "3.0"),
    ]
    told = capsys.readouterr().err
    for count in ("1 files called after an id that has several clips", "1 files called after an id without"):
        assert count in told
    assert "1 files of a clip that another file holds already" in told
    without = sheet(tmp_path, "ava-kinetics", files, rows)
    assert [path for _, path, _, _ in without] == ["", "", "", "", "other/d_000003_000013.mp4"]


def test_of_several_clips_the_one_whose_middle_is_nearest(tmp_path: Path) -> None:
    files = [f"v_{start:06d}_{start + 10:06d}.mp4" for start in (10, 14, 18)]
    rows = "".join(f"v,{seconds}\n" for seconds in (10, 16.9, 17.1, 28))
    assert sheet(tmp_path, "ava-kinetics", files, rows) == [
        ("v", files[0], "val", "10.0"),
        ("v", files[1], "val", "14.0"),
        ("v", files[2], "val", "18.0"),
    ]


def test_a_clip_that_two_splits_annotate_stays_with_the_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "train.csv").write_text("v,15.5\nw,3\n")
    files = ["v_000010_000020.mp4", "w_000000_000010.mp4"]
    train = f"train={tmp_path / 'train.csv'}"
    found = sheet(
        tmp_path,
        "ava-kinetics",
        files,
        "v,14.25\nv,15.5\n",
        "--annotations",
        train,
        f"val={tmp_path}/val.csv",
    )
    assert [(video, split) for video, _, split, _ in found] == [("v", "train"), ("w", "train")]
    assert "v at 10 s is annotated in train and val; kept in train" in capsys.readouterr().err


def test_two_files_of_one_movie_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = sheet(tmp_path, "ava", ["m.mkv", "m.mp4"], "m,0902\n")
    assert found == [("m", "m.mkv", "val", "0.0")]
    assert "m.mkv and m.mp4 are one video by their names; the first is used" in capsys.readouterr().err


REAL = Path(__file__).resolve().parents[3].parent / "shared" / "data" / "kinetics_val_v1.0.csv"


@pytest.mark.skipif(not REAL.exists(), reason="the real validation file of AVA-Kinetics is not here")
@pytest.mark.parametrize("layout", ["flat", "class", "id"])
def test_every_real_keyframe_finds_its_clip_in_every_layout(layout: str) -> None:
    """Clips of whole seconds around the real keyframes, as Kinetics cuts them, and other clips of the same ids."""
    truth, _ = read_truth(REAL)
    rng = random.Random(1)
    starts = {
        (truth.videos[video], max(0, int(seconds - rng.uniform(1, 9))))
        for video, seconds in zip(truth.key_video, truth.key_seconds, strict=True)
    }
    starts |= {(video, start + 60) for video, start in rng.sample(sorted(starts), 5000)}
    clips = [Clip(video, float(start), start + 10.0) for video, start in sorted(starts)]
    listed = [LabelledClip(clip, f"class {k}", "val") for k, clip in enumerate(clips)]
    files = {
        "flat": [clip.file_name for clip in clips],
        "class": [f"class_{k}/{clip.file_name}" for k, clip in enumerate(clips)],
        "id": [f"class_{k}/{clip.video}.mp4" for k, clip in enumerate(clips)],
    }[layout]
    found, left = find_clips(files, listed if layout == "id" else ())
    assert not left
    rows = kinetics_sheet(found, {"val": truth})
    file_of = dict(zip(files, clips, strict=True))
    assert len(rows) > 31_000
    assert {row.video for row in rows} == set(truth.videos)
    for row in rows:
        assert (file_of[row.path].video, file_of[row.path].start) == (row.video, row.start)
    held = {(row.video, row.start) for row in rows}
    for video, seconds in zip(truth.key_video.tolist(), truth.key_seconds.tolist(), strict=True):
        name = truth.videos[video]
        own = [clip for clip in found[name] if clip.start <= seconds <= clip.end]
        nearest = min(own, key=lambda clip: abs((clip.start + clip.end) / 2 - seconds))
        assert (name, nearest.start) in held


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    words = [
        "sheet",
        "--format",
        "ava",
        "--videos",
        str(tmp_path / "no"),
        "--annotations",
        "val=x.csv",
        "--out",
        "o.tsv",
    ]
    assert main(words) == 2

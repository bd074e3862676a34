"""The index, decode and coverage commands on a shard of good and bad files."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stages.decode.__main__ import main
from stages.index.__main__ import main as index_main
from stages.lib.artifacts.frames import FrameReader
from stages.lib.artifacts.reader import open_artifact
from stages.lib.artifacts.schemas import DECODE, INDEX
from stages.lib.artifacts.tables import Index
from stages.lib.config.sheets import Video, manifest_text
from stages.lib.config.versions import VERSIONS
from stages.lib.video.sampling import centre_frames, clip_windows
from stages.report.coverage import coverage_html, read_coverage
from tests.unit.lib.video.drawn import MEDIA, all_frames, fast_start, write_sound, write_video

ROOT = Path(__file__).resolve().parents[2]
MAP = 'item {\n  name: "stand"\n  id: 12\n}\n'


def settings(folder: Path, *, own: bool = False, limit: float = 0.2, rate: float = 25.0) -> Path:
    """The configuration files of index and decode; returns decode's."""
    kind = "videos" if own else "ava"
    index = {"version": VERSIONS["index"], "format": kind, "keyframes_every": 1.0}
    decode = {
        "version": VERSIONS["decode"],
        "decode": {"rate": rate, "short_side": 340, "max_bad_fraction": limit},
        "samplings": [{"fast_frames": 8, "stride": 2}],
        "keyframes_every": 1.0 if own else None,
    }
    (folder / "index.json").write_text(json.dumps(index))
    (folder / "decode.json").write_text(json.dumps(decode))
    return folder / "decode.json"


def make_index(folder: Path, videos: list[Video], rows: str | None) -> None:
    videos.sort(key=lambda video: (video.video, video.start))
    (folder / "manifest.tsv").write_text(manifest_text(videos))
    words = [
        "--config",
        str(folder / "index.json"),
        "--manifest",
        str(folder / "manifest.tsv"),
        "--out",
        str(folder / "index.h5"),
    ]
    if rows is not None:
        (folder / "val.csv").write_text(rows)
        (folder / "map.pbtxt").write_text(MAP)
        words += ["--labelmap", str(folder / "map.pbtxt"), "--annotations", f"val={folder / 'val.csv'}"]
    assert index_main(words) == 0


def arguments(folder: Path, out: str = "decode.h5") -> list[str]:
    names = {"config": "decode.json", "manifest": "manifest.tsv", "index": "index.h5", "out": out}
    return [word for flag, name in names.items() for word in (f"--{flag}", str(folder / name))]


def mixed_shard(folder: Path) -> list[Video]:
    good = write_video(folder / "good.mp4", range(100), bf="2")
    whole = fast_start(write_video(folder / "v.mp4", range(250), size=(96, 64), g="25"), folder / "whole.mp4")
    (folder / "cut.mp4").write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    (folder / "text.mp4").write_text("not a video\n")
    (folder / "empty.mp4").touch()
    write_sound(folder / "sound.mp4")
    paths = {"-5KQ66BBWC4": good, "__cut": folder / "cut.mp4", "absent": folder / "absent.mp4", "zz": whole}
    paths.update({name: folder / f"{name}.mp4" for name in ("text", "empty", "sound")})
    videos = [Video(name, str(path), "val", 0.0, path.name) for name, path in paths.items()]
    return [*videos, Video("unlisted", "", "val", 0.0, "unlisted")]


def rows_for(videos: list[Video], seconds: int) -> str:
    return "".join(f"{v.video},{t:04d},0.1,0.1,0.5,0.9,12,0\n" for v in videos for t in range(1, seconds + 1))


def test_bad_files_among_good_ones_are_recorded_and_stop_nobody(tmp_path: Path) -> None:
    settings(tmp_path, limit=0.8)
    videos = mixed_shard(tmp_path)
    make_index(tmp_path, videos, rows_for(videos, 3))
    assert main(arguments(tmp_path)) == 0
    assert main(arguments(tmp_path, "again.h5")) == 0
    assert (tmp_path / "again.h5").read_bytes() == (tmp_path / "decode.h5").read_bytes()
    with open_artifact(tmp_path / "decode.h5", DECODE) as artifact:
        artifact.verify()
        frames = FrameReader(artifact)
        state = dict(
            zip(frames.keyframes.video_ids, zip(frames.status, frames.reason, strict=True), strict=True)
        )
        row = frames.keyframes.video_ids.index("-5KQ66BBWC4")
        direct = all_frames(tmp_path / "good.mp4")[1]
        for time_s in (1, 2, 3):
            window = clip_windows(centre_frames(float(time_s), 25.0), 8, 2)
            for number, jpeg in zip(window, frames.clip(row, window), strict=True):
                pixels = np.asarray(Image.open(io.BytesIO(jpeg))).astype(int)
                assert np.abs(pixels - direct[number]).mean() < 6, "close to the frame up to JPEG"
        keys = frames.keyframes.keys()
        assert frames.key(keys.index(("-5KQ66BBWC4", 1000)))
        assert not frames.key(keys.index(("text", 1000)))
        assert not frames.has_clip(frames.keyframes.video_ids.index("sound"))
    assert {name: status for name, (status, _) in state.items()} == {
        "-5KQ66BBWC4": "ok",
        "__cut": "ok",
        "absent": "missing",
        "empty": "broken",
        "sound": "broken",
        "text": "broken",
        "unlisted": "missing",
        "zz": "ok",
    }
    assert state["absent"][1] == "file not found"
    assert state["zz"][1] == ""
    check_coverage(tmp_path)


@pytest.mark.fault("F10")
def test_keyframes_after_the_end_are_counted_and_listed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The video is sound, so its status is ok; four of its seven keyframes are lost all the same."""
    settings(tmp_path, limit=0.0)
    videos = [Video("short", str(write_video(tmp_path / "short.mp4", range(75))), "val", 0.0, "short.mp4")]
    make_index(tmp_path, videos, "".join(f"short,{t},0.1,0.1,0.5,0.9,12,0\n" for t in range(1, 8)))
    assert main(arguments(tmp_path)) == 0
    said = "4 keyframes from 4.0 s on lie after the end (3.0 s)"
    log = capsys.readouterr().err
    assert f"short.mp4: ok: {said}" in log
    assert "with a reason 1, keyframes 7, of them unusable 4" in log
    table = coverage(tmp_path)
    log = capsys.readouterr().err
    assert f"short.mp4: 4 of 7 keyframes lost (too short: {said})" in log
    assert "keyframes 7, of them lost 4" in log
    assert table["short"]["state"] == "too short"
    page = coverage_html({"d": read_coverage(tmp_path / "videos.csv")}, {})
    assert said in page and "read whole" not in page


def coverage(folder: Path, **annotations: str) -> dict[str, dict[str, str]]:
    """Rows by video id of what index coverage says about the shard in a folder, with csv files of this text."""
    words = ["coverage", "--config", str(folder / "index.json"), "--out-dir", str(folder)]
    words += ["--decode", str(folder / "decode.h5"), "--index", str(folder / "index.h5")]
    if annotations:
        for split, text in annotations.items():
            (folder / f"{split}-coverage.csv").write_text(text)
        files = [f"{split}={folder / f'{split}-coverage.csv'}" for split in annotations]
        words += ["--labelmap", str(folder / "map.pbtxt"), "--annotations", *files]
    assert index_main(words) == 0
    with (folder / "videos.csv").open(newline="") as handle:
        return {row["video"]: row for row in csv.DictReader(handle)}


def check_coverage(folder: Path) -> None:
    more = "nowhere,0003\nnowhere,0004,0.1,0.1,0.5,0.9,12,0\n"
    table = coverage(folder, val=(folder / "val.csv").read_text() + more, test="")
    assert {video: row["state"] for video, row in table.items()} == {
        "-5KQ66BBWC4": "ok",
        "__cut": "ok",
        "absent": "missing",
        "empty": "broken",
        "nowhere": "missing",
        "sound": "broken",
        "text": "broken",
        "unlisted": "missing",
        "zz": "ok",
    }
    good = table["-5KQ66BBWC4"]
    fields = ["name", "split", "width", "rate", "claimed_rate", "duration", "keyframes", "usable"]
    assert [good[key] for key in fields] == ["good.mp4", "val", "64", "25.000", "25.000", "4.000", "3", "3"]
    assert table["text"]["usable"] == "0"
    assert table["nowhere"]["reason"] == "not in the sheet"
    with (folder / "classes.csv").open(newline="") as handle:
        (stand,) = csv.DictReader(handle)
    assert stand == {
        "split": "val", "id": "12", "name": "stand", "boxes": "25", "lost": "16",
        "missing": "7", "broken": "9", "cut_off": "0", "too_short": "0",
    }  # fmt: skip
    with open_artifact(folder / "lost.h5", INDEX) as artifact:
        artifact.verify()
        lost = Index.read(artifact)
    bad = ("absent", "empty", "sound", "text", "unlisted")
    expected = [(video, 1000 * second) for video in bad for second in (1, 2, 3)]
    assert lost.keyframes.keys() == sorted([*expected, ("nowhere", 3000), ("nowhere", 4000)])
    assert len(lost.truth_boxes) == 16 and set(lost.split) == {"val"}
    assert (folder / "lost.csv").read_text().splitlines()[0] == "absent,1.000"
    assert len(coverage(folder)) == 8


def test_too_many_bad_files_are_refused_with_their_names(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings(tmp_path, limit=0.5)
    videos = mixed_shard(tmp_path)
    make_index(tmp_path, videos, rows_for(videos, 1))
    assert main(arguments(tmp_path)) == 2
    told = capsys.readouterr().err
    assert "4 of 7 videos are broken or missing" in told
    assert "text.mp4 (it cannot be opened as a video" in told
    assert "unlisted" not in told.split("ERROR")[1]
    assert not (tmp_path / "decode.h5").exists()


def test_own_videos_are_never_refused_for_their_share_of_bad_files(tmp_path: Path) -> None:
    settings(tmp_path, own=True, limit=0.0)
    (tmp_path / "bad.mp4").write_text("no")
    make_index(tmp_path, [Video("bad-1", str(tmp_path / "bad.mp4"), "", 0.0, "bad.mp4")], None)
    assert main(arguments(tmp_path)) == 0


def test_an_empty_shard(tmp_path: Path) -> None:
    settings(tmp_path)
    make_index(tmp_path, [], "other,0001\n")
    assert main(arguments(tmp_path)) == 0


def test_an_index_of_other_videos_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings(tmp_path)
    make_index(tmp_path, [Video("a", "", "val", 0.0, "a")], "a,0001\n")
    (tmp_path / "manifest.tsv").write_text(manifest_text([Video("a", "", "val", 5.0, "a")]))
    assert main(arguments(tmp_path)) == 2
    assert "another list of videos" in capsys.readouterr().err


def test_two_clips_of_one_id_keep_their_own_frames(tmp_path: Path) -> None:
    settings(tmp_path)
    first = write_video(tmp_path / "first.mp4", range(250))
    second = write_video(tmp_path / "second.mp4", range(250), size=(80, 48))
    videos = [Video("x", str(first), "val", 100.0, "f"), Video("x", str(second), "val", 300.0, "s")]
    (tmp_path / "index.json").write_text(
        (tmp_path / "index.json").read_text().replace('"ava"', '"ava-kinetics"')
    )
    make_index(tmp_path, videos, "x,104.5,0.1,0.1,0.2,0.2,12\nx,305.0\n")
    assert main(arguments(tmp_path)) == 0
    with open_artifact(tmp_path / "decode.h5", DECODE) as artifact:
        frames = FrameReader(artifact)
        sizes = [Image.open(io.BytesIO(frames.key(k))).size for k in range(2)]
    assert sizes == [(64, 48), (80, 48)]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


POLLING = """
import sys, threading, time
threading.Thread(target=lambda: [time.sleep(0.02) for _ in range(100000)], daemon=True).start()
from stages.decode.__main__ import main
code = main(sys.argv[1:])
loaded = {"cv2", "torch"} & set(sys.modules)
sys.exit(code or (3 if loaded else 0))
"""


@pytest.mark.fault("F24")
def test_the_command_ends_with_0_while_a_thread_polls_and_loads_neither_cv2_nor_torch(tmp_path: Path) -> None:
    settings(tmp_path)
    good = write_video(tmp_path / "good.mp4", range(50))
    make_index(tmp_path, [Video("a", str(good), "val", 0.0, "a")], "a,0001\n")
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, "-c", POLLING, *arguments(tmp_path)], env=environment(), capture_output=True
        )
        assert done.returncode == 0, done.stderr.decode()


@pytest.mark.fault("F02")
def test_killed_while_writing_it_leaves_no_final_file(tmp_path: Path) -> None:
    settings(tmp_path, rate=30.0)
    long = write_video(tmp_path / "long.mp4", range(900))
    make_index(
        tmp_path, [Video("a", str(long), "val", 0.0, "a")], rows_for([Video("a", "", "val", 0.0, "a")], 35)
    )
    command = [sys.executable, "-m", "stages.decode", *arguments(tmp_path)]
    process = subprocess.Popen(command, env=environment(), stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 30
    while not list(tmp_path.glob(".decode.h5.tmp.*")) and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not (tmp_path / "decode.h5").exists()


def test_the_sample_videos(tmp_path: Path) -> None:
    if not MEDIA.exists():
        pytest.skip("the sample videos are not here")
    settings(tmp_path, own=True, rate=30.0)
    files = [path for path in sorted(MEDIA.iterdir()) if path.suffix in (".mp4", ".avi")]
    make_index(tmp_path, [Video(path.stem, str(path), "", 0.0, path.name) for path in files], None)
    assert main(arguments(tmp_path)) == 0
    with open_artifact(tmp_path / "decode.h5", DECODE) as artifact:
        frames = FrameReader(artifact)
        assert set(frames.status) == {"ok"}
        assert np.bincount(frames.keyframes.video).tolist() == [9, 9, 2, 6]
        assert frames.clip_size.tolist() == [[340, 256], [340, 256], [604, 340], [320, 240]]
        assert frames.key_size.tolist() == [[340, 256], [340, 256], [1333, 749], [320, 240]]
        assert all(frames.key(k)[:2] == b"\xff\xd8" for k in range(len(frames.keyframes)))

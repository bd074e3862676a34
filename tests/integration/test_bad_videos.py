"""Faults F04, F05, F06 and F08 of videos: one shard of all kinds of bad files among good ones, from sheet to coverage."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from stages.decode.__main__ import main
from stages.lib.artifacts.frames import FrameReader
from stages.lib.artifacts.reader import open_artifact
from stages.lib.artifacts.schemas import DECODE
from stages.lib.config.sheets import Video
from tests.integration.test_decode import arguments, coverage, make_index, rows_for, settings
from tests.unit.lib.video.drawn import fast_start, write_sound, write_video

SECONDS = 9
INVALID = "it cannot be opened as a video (Invalid data found when processing input)"
EXPECTED = {
    "good": ("ok", "", 9),
    "same-content": ("ok", "", 9),
    "no-moov": ("broken", INVALID, 0),
    "cut-in-half": ("cut off", "keyframes from 6.0 s on lie after the end (5.0 s of the claimed 10.0 s)", 4),
    "cut-matroska": ("cut off", " s of the claimed 10.0 s)", 6),
    "garbage": ("cut off", "damaged or cut off after 4.9 s of 10.0 s", 4),
    "flipped-byte": ("ok", "", 9),
    "empty": ("broken", "the file is empty (0 bytes)", 0),
    "text": ("broken", INVALID, 0),
    "sound": ("broken", "no video stream in it (sound only?)", 0),
    "one-frame": ("too short", "9 keyframes from 1.0 s on lie after the end (0.0 s)", 0),
    "two-frames": ("too short", "9 keyframes from 1.0 s on lie after the end (0.1 s)", 0),
    "no-duration": ("ok", "", 9),
    "no-times": ("too short", "7 keyframes from 3.0 s on lie after the end (2.0 s)", 2),
    "short": ("too short", "6 keyframes from 4.0 s on lie after the end (3.0 s)", 3),
    "other-rate": ("other rate", "from where the claimed 25.00 Hz puts them (12.5", 9),
    "absent": ("missing", "file not found", 0),
    "no-path": ("missing", "the sheet names no file for it", 0),
    "folder": ("broken", "it is a folder", 0),
    "loop": ("broken", "a link that leads to itself", 0),
}
"""State, part of the reason, and usable keyframes of nine, by id."""


def spoil(folder: Path) -> dict[str, Path]:
    """The files by id; all of ten seconds come from one that has its index in front."""
    rng = np.random.default_rng(0)
    good = fast_start(write_video(folder / "plain.mp4", range(250), size=(96, 64), g="25"), folder / "g.mp4")
    data, half = good.read_bytes(), good.stat().st_size // 2
    files = {name: folder / f"{name}.mp4" for name in EXPECTED}
    files |= {name: folder / f"{name}.mkv" for name in ("cut-matroska", "other-rate")}
    garbage, flipped, timeless = bytearray(data), bytearray(data), bytearray(data)
    garbage[half : half + 400] = rng.bytes(400)
    flipped[half] ^= 0xFF
    for box, place in ((b"mvhd", 20), (b"mdhd", 20), (b"tkhd", 24)):
        start = data.index(box) + place
        timeless[start : start + 4] = bytes(4)
    matroska = write_video(folder / "whole.mkv", range(250), size=(96, 64), g="25")
    contents = {
        "good": data, "same-content": data, "cut-in-half": data[:half], "garbage": bytes(garbage),
        "flipped-byte": bytes(flipped), "no-duration": bytes(timeless), "empty": b"", "text": b"a list\n" * 99,
        "no-moov": (folder / "plain.mp4").read_bytes()[:half],
        "cut-matroska": matroska.read_bytes()[: matroska.stat().st_size // 2],
    }  # fmt: skip
    for name, content in contents.items():
        files[name].write_bytes(content)
    write_sound(files["sound"])
    write_video(files["one-frame"], range(1))
    write_video(files["two-frames"], range(2))
    write_video(files["short"], range(75))
    write_video(files["other-rate"], range(0, 500, 2))
    write_untimed(files["no-times"])
    files["folder"].mkdir()
    files["loop"].symlink_to(files["loop"])
    return files


def write_untimed(path: Path) -> None:
    """A bare H.264 stream of two seconds, without a container that could tell times: its nominal rate counts."""
    with av.open(str(path), "w", format="h264") as file:
        stream: Any = file.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(50):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), number, np.uint8), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            file.mux(stream.encode(frame))
        file.mux(stream.encode())


@pytest.fixture(scope="module")
def shard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bad")
    settings(folder, limit=1.0)
    files = spoil(folder)
    videos = [
        Video(name, "" if name == "no-path" else str(path), "val", 0.0, path.name)
        for name, path in files.items()
    ]
    make_index(folder, videos, rows_for(videos, SECONDS))
    assert main(arguments(folder)) == 0
    return folder


def test_each_is_listed_with_its_state_and_reason_and_costs_only_itself(shard: Path) -> None:
    table = coverage(shard, val=(shard / "val.csv").read_text())
    assert list(table) == sorted(EXPECTED)
    found = {name: (row["state"], row["reason"], int(row["usable"])) for name, row in table.items()}
    for name, (state, reason, usable) in EXPECTED.items():
        assert found[name][0] == state, (name, found[name])
        assert (reason in found[name][1]) if reason else (found[name][1] == ""), (name, found[name])
        assert found[name][2] == usable, (name, found[name])
    assert (table["other-rate"]["claimed_rate"], table["other-rate"]["rate"][:4]) == ("25.000", "12.5")


def test_good_files_give_the_same_frames_beside_bad_ones(shard: Path) -> None:
    with open_artifact(shard / "decode.h5", DECODE) as artifact:
        artifact.verify()
        frames = FrameReader(artifact)
        keys = frames.keyframes.keys()
        pictures = {
            name: [frames.key(keys.index((name, 1000 * second))) for second in range(1, SECONDS + 1)]
            for name in ("good", "same-content", "no-duration", "flipped-byte", "cut-in-half", "garbage")
        }
    assert len(set(pictures["good"])) == SECONDS
    assert pictures["good"] == pictures["same-content"] == pictures["no-duration"]
    assert pictures["cut-in-half"] == pictures["garbage"] == pictures["good"][:4] + [b""] * 5
    same = [a == b for a, b in zip(pictures["flipped-byte"], pictures["good"], strict=True)]
    assert sum(same) >= SECONDS - 1, "at most one group of pictures is spoilt"


def test_decoding_them_again_gives_the_same_bytes(shard: Path) -> None:
    assert main(arguments(shard, "again.h5")) == 0
    assert (shard / "again.h5").read_bytes() == (shard / "decode.h5").read_bytes()


def test_a_file_without_permission(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may read anything")
    path = write_video(tmp_path / "v.mp4", range(50))
    path.chmod(0)
    settings(tmp_path, limit=1.0)
    make_index(tmp_path, [Video("v", str(path), "val", 0.0, "v.mp4")], "v,0001\n")
    assert main(arguments(tmp_path)) == 0
    row = coverage(tmp_path)["v"]
    assert (row["state"], row["reason"]) == ("broken", "no permission to read it")

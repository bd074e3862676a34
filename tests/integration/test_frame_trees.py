"""Frame trees instead of videos, from the sheet to the frame cache: the same frames as from the video, up to JPEG."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from stages.decode.__main__ import main
from stages.index.__main__ import main as index_main
from stages.lib.artifacts.frames import FrameReader
from stages.lib.artifacts.reader import open_artifact
from stages.lib.artifacts.schemas import DECODE
from stages.lib.config.sheets import Video, manifest_text
from stages.lib.config.versions import VERSIONS
from tests.unit.lib.video.drawn import number_of, numbered_frame, write_tree, write_video

WINDOW = np.arange(52, 68, 2)
"""Grid frames of the clip around second 2, of eight frames with stride 2."""
MAP = 'item {\n  name: "stand"\n  id: 12\n}\n'


@dataclass(frozen=True)
class Cached:
    """Of each video the pictures of WINDOW, if there are any, and its status with the reason."""

    clips: dict[str, list[np.ndarray]]
    states: dict[str, tuple[str, str]]


def extract(video: Path, folder: Path, pattern: str) -> None:
    """Every frame of a video that has 30 a second, as `ffmpeg -r 30` would write them."""
    folder.mkdir(parents=True)
    with av.open(str(video)) as file:
        for number, frame in enumerate(file.decode(video=0), start=1):
            frame.to_image().save(folder / (pattern % number), quality=98, subsampling=0)


def run(
    folder: Path, videos: Path, rows: str, *, kind: str = "ava", rate: float = 30.0, start: str = "900"
) -> Cached:
    """sheet, index and decode; returns what was cached."""
    (folder / "val.csv").write_text(rows)
    (folder / "map.pbtxt").write_text(MAP)
    words = ["--format", kind, "--videos", str(videos), "--start", start, "--out", str(folder / "sheet.tsv")]
    assert index_main(["sheet", *words, "--annotations", f"val={folder / 'val.csv'}"]) == 0
    cells = [line.split("\t") for line in (folder / "sheet.tsv").read_text().splitlines()[1:]]
    listed = [Video(v, str(videos / path) if path else "", split, float(s), v) for v, path, split, s in cells]
    (folder / "manifest.tsv").write_text(manifest_text(listed))
    index = {"version": VERSIONS["index"], "format": kind, "keyframes_every": 1.0}
    decode = {
        "version": VERSIONS["decode"],
        "decode": {"short_side": 340, "max_bad_fraction": 1.0},
        "samplings": [{"fast_frames": 8, "stride": 2}],
        "keyframes_every": None,
        "tree_rate": rate,
    }
    for name, payload in (("index", index), ("decode", decode)):
        (folder / f"{name}.json").write_text(json.dumps(payload))
    shared = ["--manifest", str(folder / "manifest.tsv")]
    words = ["--config", str(folder / "index.json"), "--labelmap", str(folder / "map.pbtxt"), *shared]
    words += ["--annotations", f"val={folder / 'val.csv'}", "--out", str(folder / "index.h5")]
    assert index_main(words) == 0
    words = ["--config", str(folder / "decode.json"), "--index", str(folder / "index.h5"), *shared]
    assert main([*words, "--out", str(folder / "decode.h5")]) == 0
    with open_artifact(folder / "decode.h5", DECODE) as artifact:
        frames, clips = FrameReader(artifact), {}
        for row, video in enumerate(frames.keyframes.video_ids):
            if frames.has_clip(row):
                clips[video] = [pixels(jpeg) for jpeg in frames.clip(row, WINDOW)]
    ids = frames.keyframes.video_ids
    return Cached(clips, dict(zip(ids, zip(frames.status, frames.reason, strict=True), strict=True)))


def pixels(jpeg: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(jpeg))).astype(int)


ROWS = "".join(
    f"{v},{t:04d},0.1,0.1,0.5,0.9,12,1\n" for v in ("-acar", "__psf", "film") for t in (901, 902, 903)
)


def test_trees_of_both_conventions_give_the_frames_of_the_video(tmp_path: Path) -> None:
    videos = tmp_path / "videos"
    videos.mkdir()
    film = write_video(videos / "film.mp4", range(120), Fraction(1, 30), draw=numbered_frame)
    extract(film, videos / "-acar", "image_%06d.jpg")
    extract(film, videos / "val" / "__psf", "__psf_%06d.jpg")
    frames = run(tmp_path, videos, ROWS)
    assert frames.states == {"-acar": ("ok", ""), "__psf": ("ok", ""), "film": ("ok", "")}
    for name in ("-acar", "__psf"):
        for tree, direct in zip(frames.clips[name], frames.clips["film"], strict=True):
            assert number_of(tree) == number_of(direct)
            assert np.abs(tree - direct).mean() < 1.5


def test_a_tree_is_read_at_the_rate_that_is_set(tmp_path: Path) -> None:
    write_tree(tmp_path / "videos" / "film", range(100))
    frames = run(tmp_path, tmp_path / "videos", "film,0901\nfilm,0902\nfilm,0903\n", rate=25.0)
    numbers = [number_of(frame) for frame in frames.clips["film"]]
    assert numbers == [round(k * 25 / 30) for k in WINDOW.tolist()]


def test_trees_of_another_rate_or_with_gaps_are_broken_and_say_why(tmp_path: Path) -> None:
    videos = tmp_path / "videos"
    write_tree(videos / "slow", range(40))
    write_tree(videos / "short", range(95))
    gap = write_tree(videos / "gap", range(95))
    (gap / "image_000050.jpg").unlink()
    rows = "".join(f"{v},{t}\n" for v in ("gap", "short", "slow") for t in (901, 902, 903))
    frames = run(tmp_path, videos, rows)
    said = frames.states
    assert said["short"] == ("ok", "")
    assert said["gap"] == ("broken", "1 frame is missing among its 94, the first behind image_000049.jpg")
    assert said["slow"] == (
        "broken",
        "40 images are 1.3 s at 30 Hz, but there is a keyframe at 3.0 s: "
        "extracted at another rate (datasets.<key>.tree_rate), or cut off",
    )


@pytest.mark.parametrize(("count", "status"), [(300, "ok"), (285, "ok"), (250, "broken"), (600, "broken")])
def test_a_kinetics_tree_has_the_length_that_its_name_tells(tmp_path: Path, count: int, status: str) -> None:
    name = "a_b_000010_000020"
    write_tree(
        tmp_path / "videos" / "dancing" / name, range(count), pattern=f"{name}_%06d.jpg", size=(16, 12)
    )
    frames = run(tmp_path, tmp_path / "videos", "a_b,12.000000\n", kind="ava-kinetics")
    found, reason = frames.states["a_b"]
    assert (found, "its name says 10 s" in reason) == (status, status == "broken")

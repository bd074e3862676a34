from __future__ import annotations

import hashlib
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.lib.config.load import load_config
from stages.lib.config.root import Config
from stages.lib.config.shards import shard_name, shard_of
from stages.lib.config.sheets import (
    Video,
    dataset_shards,
    manifest_text,
    own_id,
    read_manifest,
    sheet_text,
)
from stages.lib.errors import StageError


def dataset_videos(cfg: Config, key: str) -> list[Video]:
    """All videos of a data set, by (id, start)."""
    videos = [video for part in dataset_shards(cfg, key).values() for video in part]
    return sorted(videos, key=lambda video: (video.video, video.start))


def config(**dataset: Any) -> Config:
    key = dataset.pop("key", "data")
    raw = {
        "run": "test",
        "datasets": {key: {"boxes": "boxes.csv", **dataset}},
        "backbones": {"tiny": {"architecture": "playground", "weights": "w.safetensors"}},
        "heads": {"linear": {"kind": "linear", "backbone": "tiny"}},
    }
    return load_config(raw)


def sheet_config(path: Path, text: str, **more: Any) -> Config:
    path.write_text(text)
    return config(format="ava", sheet=str(path), labelmap="map.pbtxt", videos="/movies", **more)


HEADER = "video\tpath\tsplit\tstart\n"


def test_shard_names_and_places() -> None:
    assert shard_name(7, 64) == "007-of-064"
    assert shard_of("-5KQ66BBWC4", 64) == int(hashlib.sha256(b"-5KQ66BBWC4").hexdigest(), 16) % 64
    counts = Counter(shard_of(f"video{k}", 4) for k in range(400))
    assert set(counts) == set(range(4))
    assert min(counts.values()) > 60


def test_a_sheet_is_read_resolved_and_sorted(tmp_path: Path) -> None:
    rows = "zz\tb/z.mp4\tval\t900\n-5KQ66BBWC4\t\ttrain\t0\n__x\t/abs/x.mkv\ttest\t12.5\n"
    found = dataset_videos(sheet_config(tmp_path / "s.tsv", HEADER + rows), "data")
    assert found == [
        Video("-5KQ66BBWC4", "", "train", 0.0, "-5KQ66BBWC4"),
        Video("__x", "/abs/x.mkv", "test", 12.5, "/abs/x.mkv"),
        Video("zz", "/movies/b/z.mp4", "val", 900.0, "b/z.mp4"),
    ]


def test_two_clips_of_one_id_stay_apart_in_the_order_of_their_starts(tmp_path: Path) -> None:
    rows = "a\ta_000100_000110.mp4\tval\t100\na\t\tval\t20\n"
    found = dataset_videos(sheet_config(tmp_path / "s.tsv", HEADER + rows), "data")
    assert [(video.video, video.start) for video in found] == [("a", 20.0), ("a", 100.0)]


@pytest.mark.parametrize(
    ("text", "line", "fault"),
    [
        ("video,path,split,start\n", 1, "header"),
        (HEADER + "a\ta.mp4\ttrain\n", 2, "3 columns"),
        (HEADER + "\n../x\ta.mp4\ttrain\t0\n", 3, "bad video id '../x'"),
        (HEADER + f"{'a' * 65}\ta.mp4\ttrain\t0\n", 2, "bad video id"),
        (HEADER + "é\ta.mp4\ttrain\t0\n", 2, "bad video id"),
        (HEADER + f"{'a' * 200}\ta.mp4\ttrain\t0\n", 2, "bad video id"),
        (HEADER + ".hidden\ta.mp4\ttrain\t0\n", 2, "bad video id '.hidden'"),
        (HEADER + "/etc/passwd\ta.mp4\ttrain\t0\n", 2, "bad video id '/etc/passwd'"),
        (HEADER + "$(touch x)\ta.mp4\ttrain\t0\n", 2, "bad video id '$(touch x)'"),
        (HEADER + "a\0b\ta.mp4\ttrain\t0\n", 2, "bad video id"),
        (HEADER + "a\ta.mp4\tdev\t0\n", 2, "unknown split 'dev'"),
        (HEADER + "a\ta.mp4\tval\tnan\n", 2, "start 'nan'"),
        (HEADER + "a\ta.mp4\tval\t-1\n", 2, "start '-1'"),
        (HEADER + "a\ta.mp4\tval\t0\na\tb.mp4\ttrain\t0\n", 3, "stands in line 2 already"),
        ("video\tpath\tsplit\tstart\tshard\na\ta.mp4\tval\t0\t2\n", 2, "shard '2' is not one of 0 to 1"),
    ],
)
def test_faults_of_a_sheet_name_their_line(tmp_path: Path, text: str, line: int, fault: str) -> None:
    path = tmp_path / "s.tsv"
    with pytest.raises(StageError, match=re.escape(fault)) as caught:
        dataset_videos(sheet_config(path, text, shards=2), "data")
    assert caught.value.where == f"{path}:{line}"


def test_an_empty_or_absent_sheet_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StageError, match="lists no videos"):
        dataset_videos(sheet_config(tmp_path / "s.tsv", HEADER), "data")
    (tmp_path / "s.tsv").unlink()
    absent = config(format="ava", sheet=str(tmp_path / "s.tsv"), labelmap="m")
    with pytest.raises(StageError, match="cannot be read"):
        dataset_videos(absent, "data")


def test_shards_partition_the_videos_by_hash_or_by_the_sheet(tmp_path: Path) -> None:
    rows = "".join(f"v{k:03d}\tv{k}.mp4\tval\t0\n" for k in range(100))
    cfg = sheet_config(tmp_path / "s.tsv", HEADER + rows, shards=7)
    shards = dataset_shards(cfg, "data")
    assert list(shards) == [shard_name(k, 7) for k in range(7)]
    assert sorted(video for part in shards.values() for video in part) == dataset_videos(cfg, "data")
    for k, part in enumerate(shards.values()):
        assert {shard_of(video.video, 7) for video in part} == {k}
    chosen = "video\tpath\tsplit\tstart\tshard\na\ta.mp4\tval\t0\t1\nb\tb.mp4\tval\t0\t1\n"
    assert [
        len(part)
        for part in dataset_shards(sheet_config(tmp_path / "t.tsv", chosen, shards=2), "data").values()
    ] == [0, 2]


NAMES = [
    "a b.mp4",
    "sub/Ünï“quote”.MKV",
    "$(touch x).mp4",
    'it\'s "q".webm',
    "-dash.avi",
    "sub/a b.mp4",
    "日本.mov",
]


def test_own_videos_of_any_name_get_distinct_safe_ids(tmp_path: Path) -> None:
    for name in [*NAMES, "notes.txt", ".hidden.mp4"]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = dataset_videos(config(format="videos", videos=str(tmp_path)), "data")
    assert sorted(video.name for video in found) == sorted(NAMES)
    assert len({video.video for video in found}) == len(NAMES)
    assert found == sorted(found)
    for video in found:
        assert re.fullmatch(r"[a-z0-9-]{1,40}-[0-9a-f]{8}", video.video)
        assert Path(video.path).is_file()


def test_own_ids_are_the_slug_and_the_hash_of_the_relative_path() -> None:
    digest = hashlib.sha256(b"sub/My Film (1).mp4").hexdigest()[:8]
    assert own_id("sub/My Film (1).mp4") == f"my-film-1-{digest}"
    assert own_id("日本.mov").startswith("video-")
    assert len(own_id("x" * 200 + ".mp4")) == 49


def test_a_missing_or_empty_folder_of_own_videos_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StageError, match="is not a folder"):
        dataset_videos(config(format="videos", videos=str(tmp_path / "no")), "data")
    with pytest.raises(StageError, match="no video files"):
        dataset_videos(config(format="videos", videos=str(tmp_path)), "data")
    with pytest.raises(StageError, match="no folder of videos"):
        dataset_videos(config(format="videos"), "data")


def test_drawn_data_sets_list_their_annotated_videos_below_the_run() -> None:
    found = dataset_videos(
        config(key="playground-clips", format="ava-kinetics", synthesized=True), "playground-clips"
    )
    assert {video.split for video in found} == {"train", "val", "test"}
    assert len({video.video for video in found}) == len(found)
    for video in found:
        assert video.path == f"results/test/synthesize/playground-clips/videos/{video.name}"
        assert video.name == f"{video.video}_{video.start:06.0f}_{video.start + 10:06.0f}.mp4"


texts = st.text(st.characters(blacklist_categories=["Cs"]), max_size=12) | st.sampled_from(
    ["a\tb", "a\nb\r", "\\t", "\udcff\\x41"]
)
videos = st.builds(
    Video,
    st.from_regex(r"\A[A-Za-z0-9_-]{1,10}\Z"),
    texts,
    st.sampled_from(["", "val"]),
    st.floats(0, 1e6),
    texts,
)


@given(st.lists(videos, max_size=5))
def test_a_manifest_round_trips_whatever_the_names_are(rows: list[Video]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m.tsv"
        path.write_bytes(manifest_text(rows).encode())
        assert read_manifest(path) == rows


def test_a_sheet_round_trips(tmp_path: Path) -> None:
    rows = [Video("a", "with\ttab.mp4", "val", 2.5, ""), Video("b", "", "test", 0.0, "")]
    found = dataset_videos(sheet_config(tmp_path / "s.tsv", sheet_text(rows)), "data")
    assert [(v.video, v.path, v.split, v.start) for v in found] == [
        ("a", "/movies/with\ttab.mp4", "val", 2.5),
        ("b", "", "test", 0.0),
    ]


def test_a_file_that_is_no_manifest_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m.tsv").write_text("video\tpath\n")
    with pytest.raises(StageError, match="not a manifest"):
        read_manifest(tmp_path / "m.tsv")
    (tmp_path / "m.tsv").write_text(manifest_text([]) + "a\tb\n")
    with pytest.raises(StageError, match="2 columns instead of 5"):
        read_manifest(tmp_path / "m.tsv")

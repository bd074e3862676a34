"""The index command on tiny official files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from stages.index.__main__ import main
from stages.lib.artifacts.reader import open_artifact
from stages.lib.artifacts.schemas import INDEX
from stages.lib.artifacts.tables import ROLE_EVAL, ROLE_EXCLUDED, Index
from stages.lib.config.sheets import Video, manifest_text
from stages.lib.config.versions import VERSIONS
from tests.unit.lib.video.drawn import write_video

MAP = 'item {\n  name: "stand"\n  id: 12\n}\nitem {\n  name: "watch (a person)"\n  id: 80\n}\n'
REAL = Path(__file__).resolve().parents[2].parent / "shared" / "data"


def arguments(folder: Path, kind: str, videos: list[Video], out: str = "index.h5", **csv: str) -> list[str]:
    (folder / "config.json").write_text(
        json.dumps({"version": VERSIONS["index"], "format": kind, "keyframes_every": 1.0})
    )
    (folder / "manifest.tsv").write_text(manifest_text(videos))
    (folder / "map.pbtxt").write_text(MAP)
    words = [
        "--config",
        str(folder / "config.json"),
        "--manifest",
        str(folder / "manifest.tsv"),
        "--out",
        str(folder / out),
    ]
    if kind != "videos":
        words += ["--labelmap", str(folder / "map.pbtxt"), "--annotations"]
        for split, rows in csv.items():
            (folder / f"{split}.csv").write_text(rows)
            words.append(f"{split}={folder / f'{split}.csv'}")
    return words


def read(path: Path) -> Index:
    with open_artifact(path, INDEX) as artifact:
        artifact.verify()
        return Index.read(artifact)


def test_a_list_of_videos_stands_for_all_their_seconds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """AVA's test split: labels are withheld, and 902 to 1798 are the keyframes."""
    videos = [Video("-5KQ66BBWC4", "a.mp4", "test", 900.0, "a"), Video("__x", "", "test", 900.0, "__x")]
    words = arguments(tmp_path, "ava", videos, test="-5KQ66BBWC4\r\nelsewhere\n\n__x\n")
    assert main(words) == 0
    index = read(tmp_path / "index.h5")
    assert index.keyframes.keys() == [
        (video, 1000 * second) for video in ("-5KQ66BBWC4", "__x") for second in range(902, 1799)
    ]
    assert len(index.rows_with(ROLE_EVAL)) == 2 * 897
    assert not len(index.truth_boxes)
    for rows, told in (
        ("a\nb,0902\n", "test.csv:2: 'b,0902' is no video id"),
        ("a\na\n", "test.csv:2: video a"),
    ):
        assert main(arguments(tmp_path, "ava", videos, test=rows)) == 2
        assert told in capsys.readouterr().err


MOVIES = [Video("-5KQ66BBWC4", "a.mp4", "train", 900.0, "a.mp4"), Video("__x", "", "val", 900.0, "__x")]
TRAIN = "-5KQ66BBWC4,0902,0.077,0.151,0.283,0.811,80,1\n-5KQ66BBWC4,0902,0.077,0.151,0.283,0.811,12,1\n"
VAL = "__x,0903,0.1,0.2,0.3,0.4,12,1\n__x,0905\nelsewhere,0902\n"


def test_movies_twice_the_same_bytes(tmp_path: Path) -> None:
    words = arguments(tmp_path, "ava", MOVIES, train=TRAIN, val=VAL)
    (tmp_path / "gone.csv").write_text("__x,0905\n")
    words += ["--excluded", f"val={tmp_path / 'gone.csv'}"]
    assert main(words) == 0
    first = (tmp_path / "index.h5").read_bytes()
    assert main(words) == 0
    assert (tmp_path / "index.h5").read_bytes() == first
    index = read(tmp_path / "index.h5")
    assert index.keyframes.keys() == [
        ("-5KQ66BBWC4", 902000),
        ("__x", 903000),
        ("__x", 904000),
        ("__x", 905000),
    ]
    assert index.truth_labels.tolist() == [[1, 1], [1, 0]]
    assert index.rows_with(ROLE_EXCLUDED).tolist() == [3]
    assert index.relative_seconds().tolist() == [2.0, 3.0, 4.0, 5.0]
    assert index.classes.names == ("stand", "watch (a person)")


def test_included_timestamps_are_read_and_recorded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = arguments(tmp_path, "ava", MOVIES, train=TRAIN, val=VAL)
    times = tmp_path / "included.txt"
    times.write_text("".join(f"{second:04d}\r\n" for second in range(902, 905)))
    assert main([*words, "--included", str(times)]) == 0
    index = read(tmp_path / "index.h5")
    keys = index.keyframes.keys()
    seconds = [(video, ms // 1000) for video, ms in keys]
    assert seconds == [("-5KQ66BBWC4", 902), ("-5KQ66BBWC4", 903), ("-5KQ66BBWC4", 904)] + [
        ("__x", second) for second in range(902, 906)
    ]
    assert index.rows_with(ROLE_EXCLUDED).tolist() == [6]
    with open_artifact(tmp_path / "index.h5", INDEX) as artifact:
        assert "included" in artifact.provenance.inputs
    times.write_text("0902\n\n0902.0\n")
    assert main([*words, "--included", str(times)]) == 2
    assert "included.txt:3: the time 0902.0 stands in line 1 already" in capsys.readouterr().err


def test_groups_of_exclusive_classes_are_kept_by_place_and_foreign_ids_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = arguments(tmp_path, "ava", MOVIES, train=TRAIN)
    assert main(words) == 0
    assert read(tmp_path / "index.h5").classes.exclusive is None
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"exclusive": [[80, 12]]}))
    assert main(words) == 0
    assert read(tmp_path / "index.h5").classes.groups() == ((0, 1),)
    (tmp_path / "config.json").write_text(json.dumps(config | {"exclusive": []}))
    assert main(words) == 0
    assert read(tmp_path / "index.h5").classes.groups() == ()
    (tmp_path / "config.json").write_text(json.dumps(config | {"exclusive": [[12, 13]]}))
    assert main(words) == 2
    assert "exclusive names class 13, which the class list lacks" in capsys.readouterr().err


def test_an_empty_csv_and_an_empty_shard_are_fine(tmp_path: Path) -> None:
    assert main(arguments(tmp_path, "ava", [], train=TRAIN, test="")) == 0
    assert len(read(tmp_path / "index.h5").keyframes) == 0


@pytest.mark.parametrize(
    ("kind", "rows", "message"),
    [
        (
            "ava",
            "__x,0899,0.1,0.2,0.3,0.4,12,1\n",
            "val.csv:1: the keyframe at 899.000 s of __x lies outside",
        ),
        (
            "ava-kinetics",
            "y,3\n__x,905.2\n__x,912.25,0.1,0.2,0.3,0.4,12\n",
            "val.csv:3: the keyframe at 912.250 s of __x",
        ),
        ("ava", "__x,0903,0.1,0.2,0.3,0.4,7,1\n", 'val.csv:1: unknown action id "7"'),
        ("ava", "__x,0903,0.1,0.2,0.3\n", "val.csv:1: 5 comma-separated columns"),
        ("ava", "__x,0903,0.3,0.2,0.1,0.4,12,1\n", "val.csv:1: the box is inverted"),
        ("ava", "../x,0903\n", "val.csv:1: "),
    ],
)
def test_faults_name_file_and_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str, rows: str, message: str
) -> None:
    assert main(arguments(tmp_path, kind, MOVIES, val=rows)) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "index.h5").exists()


def test_flags_are_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = arguments(tmp_path, "ava", MOVIES, val=VAL)
    assert main([*words, "--excluded", "val=nowhere.csv"]) == 2
    assert "nowhere.csv: file not found" in capsys.readouterr().err
    assert main([*words, "--excluded", "dev=val.csv"]) == 2
    assert "cannot use 'dev=val.csv'" in capsys.readouterr().err
    assert main([word for word in words if "map.pbtxt" not in word and word != "--labelmap"]) == 2
    assert "no class list" in capsys.readouterr().err


def test_own_videos_get_a_keyframe_every_second_and_broken_ones_none(tmp_path: Path) -> None:
    good = write_video(tmp_path / "good one.mp4", range(80))
    (tmp_path / "bad.mp4").write_text("no video")
    videos = [
        Video("bad-1", str(tmp_path / "bad.mp4"), "", 0.0, "bad.mp4"),
        Video("good-1", str(good), "", 0.0, "good one.mp4"),
    ]
    assert main(arguments(tmp_path, "videos", videos)) == 0
    index = read(tmp_path / "index.h5")
    assert index.keyframes.keys() == [("good-1", 1000), ("good-1", 2000)]
    assert index.name == ("bad.mp4", "good one.mp4")


def test_the_real_kinetics_validation_file(tmp_path: Path) -> None:
    if not (REAL / "kinetics_val_v1.0.csv").exists():
        pytest.skip("the official file is not here")
    rows = (REAL / "kinetics_val_v1.0.csv").read_text().splitlines()
    ids = sorted({row.split(",")[0] for row in rows})[:500]
    chosen = set(ids)
    mine = [row.split(",") for row in rows if row.split(",")[0] in chosen]
    times = {(row[0], float(row[1])) for row in mine}
    videos = sorted(
        {Video(name, "", "val", max(0.0, time - 5.0), name) for name, time in times},
        key=lambda v: (v.video, v.start),
    )
    words = arguments(tmp_path, "ava-kinetics", videos)
    words[words.index("--labelmap") + 1] = str(REAL / "ava_action_list_60.pbtxt")
    assert main([*words, f"val={REAL / 'kinetics_val_v1.0.csv'}"]) == 0
    index = read(tmp_path / "index.h5")
    keys = {(name, int(np.floor(time * 1000 + 0.5))) for name, time in times}
    assert sorted(index.keyframes.keys()) == sorted(keys)
    boxes = {(row[0], float(row[1]), *map(float, row[2:6])) for row in mine if len(row) == 7}
    assert len(index.truth_boxes) == len(boxes)
    labelled = {
        (row[0], float(row[1]), *row[2:7])
        for row in mine
        if len(row) == 7 and int(row[6]) in index.classes.ids
    }
    assert int(index.truth_labels.sum()) == len(labelled)

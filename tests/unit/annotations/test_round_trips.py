"""csv to CVAT, ACAR-Net and AVA and back: the same rows to the last bit. FiftyOne's json against the csv."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.annotations.__main__ import main
from stages.lib.annotations.ava_csv import read_truth
from stages.lib.errors import StageError
from stages.lib.metrics.tables import Truth

NAMES = ["stir", 'say "hi"', "a < b & c", "gehen, über", "it's"]
sides = st.tuples(st.floats(0, 1), st.floats(0, 1)).filter(lambda pair: pair[0] < pair[1])
boxes = st.tuples(sides, sides).map(lambda xy: (xy[0][0], xy[1][0], xy[0][1], xy[1][1]))
people = st.lists(
    st.tuples(boxes, st.integers(-1, 3), st.sets(st.integers(1, len(NAMES)), min_size=1)), max_size=3
)
# Keyframes are in different frames: at 25 a second, multiples of 0.04 s with up to 5 ms more.
times = st.tuples(st.integers(0, 200), st.integers(0, 5)).map(lambda pair: (40 * pair[0] + pair[1]) / 1000)
videos = st.dictionaries(
    st.sampled_from(["-5KQ66BBWC4", "__x", "a"]),
    st.dictionaries(times, people, min_size=1, max_size=5).filter(
        lambda moments: len({round(t * 25) for t in moments}) == len(moments)
    ),
    min_size=1,
)


def csv_of(
    content: dict[str, dict[float, list[tuple[tuple[float, ...], int, set[int]]]]], start: float
) -> str:
    lines = []
    for video, moments in content.items():
        for second, persons in moments.items():
            time = format(start + second, ".3f")
            lines += [] if persons else [f"{video},{time}"]
            for box, person, classes in persons:
                coordinates = ",".join(format(side, ".17f") for side in box)
                lines += [f"{video},{time},{coordinates},{number},{person}" for number in classes]
    return "\n".join(lines)


def content_of(truth: Truth) -> tuple[set[tuple[object, ...]], set[tuple[object, ...]]]:
    keys = zip(truth.key_video.tolist(), truth.key_seconds.tolist(), strict=True)
    rows = zip(
        truth.video.tolist(), truth.timestamp_ms.tolist(), map(tuple, truth.boxes.tolist()),
        truth.class_id.tolist(), truth.person_id.tolist(), strict=True,
    )  # fmt: skip
    return {(truth.videos[v], s) for v, s in keys}, {(truth.videos[v], *rest) for v, *rest in rows}


@pytest.mark.parametrize("target", ["cvat", "acar", "ava"])
@given(content=videos, start=st.sampled_from([0.0, 900.0]))
@settings(deadline=None, max_examples=40)
def test_there_and_back(target: str, content: object, start: float) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "names.txt").write_text("\n".join(NAMES))
        (folder / "a.csv").write_text(csv_of(content, start))  # type: ignore[arg-type]
        before = read_or_none(folder / "a.csv")
        if before is None:  # boxes thinner than their decimals
            return
        out = folder / "out" if target == "cvat" else folder / f"out.{target}"
        words = ["--classes", str(folder / "names.txt"), "--start", str(start)]
        size = ["--size", "1920x1080", "--rate", "25"]
        assert main(["export", str(folder / "a.csv"), "--to", target, "--out", str(out), *words, *size]) == 0
        if target == "ava":
            back = read_truth(out)[0]
        else:
            assert main(["import", str(out), "--out", str(folder / "back"), *words, *size]) == 0
            back = read_truth(folder / "back" / "train.csv")[0]
        assert content_of(back) == content_of(before)


def read_or_none(path: Path) -> Truth | None:
    try:
        return read_truth(path)[0]
    except StageError as error:
        if "inverted, or empty" not in str(error):
            raise
        return None


def test_fiftyone_lists_a_detection_per_box_and_class(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("\n".join(NAMES))
    (tmp_path / "a.csv").write_text("a,0902,0.1,0.2,0.4,0.3,1,7\na,0902,0.1,0.2,0.4,0.3,4,7\na,903.5\n")
    words = ["--classes", str(tmp_path / "names.txt"), "--start", "900", "--rate", "30000/1001"]
    out = tmp_path / "a.json"
    assert main(["export", str(tmp_path / "a.csv"), "--to", "fiftyone", "--out", str(out), *words]) == 0
    (sample,) = json.loads(out.read_text())["samples"]
    assert list(sample["frames"]) == ["61", "106"]  # 2 s and 3.5 s at 29.97 a second, from 1
    first = sample["frames"]["61"]["detections"]["detections"]
    assert [one["label"] for one in first] == ["stir", "gehen, über"]
    assert first[0]["bounding_box"] == [0.1, 0.2, 0.3, 0.1]
    assert first[0]["index"] == 7
    assert sample["frames"]["106"] == {
        "frame_number": 106, "seconds": 903.5, "detections": {"_cls": "Detections", "detections": []},
    }  # fmt: skip


def test_sizes_are_asked_for_where_nothing_tells_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.csv").write_text("a,0902,0.1,0.2,0.4,0.3,12,7\n")
    assert main(["export", str(tmp_path / "a.csv"), "--to", "cvat", "--out", str(tmp_path / "out")]) == 2
    assert "give --size 1920x1080, or the folder of its file: --videos DIR" in capsys.readouterr().err


def test_two_keyframes_in_one_frame_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.csv").write_text("a,1.00\na,1.01\n")
    words = ["--to", "cvat", "--out", str(tmp_path / "out"), "--size", "64x64", "--rate", "25"]
    assert main(["export", str(tmp_path / "a.csv"), *words]) == 2
    assert "no frame of its own for the keyframe at 1.01 s" in capsys.readouterr().err

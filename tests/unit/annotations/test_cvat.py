"""CVAT-video xml as CVAT writes it, with what lies between keyframes worked out by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from stages.annotations.__main__ import main
from stages.lib.annotations.labelmap import read_label_map

META = """<meta><task><name>kitchen</name><mode>interpolation</mode><subset>{subset}</subset><start_frame>0</start_frame>
<stop_frame>100</stop_frame><frame_filter>step=5</frame_filter>
<labels><label><name>person</name><attributes><attribute><name>walk</name></attribute></attributes></label>
<label><name>excluded</name><attributes></attributes></label></labels>
<original_size><width>200</width><height>100</height></original_size><source>{source}</source></task></meta>"""


def box(frame: int, corners: tuple[float, ...], outside: int = 0, key: int = 1, **attributes: str) -> str:
    sides = " ".join(f'{n}="{v}"' for n, v in zip(("xtl", "ytl", "xbr", "ybr"), corners, strict=True))
    inner = "".join(f'<attribute name="{name}">{value}</attribute>' for name, value in attributes.items())
    return f'<box frame="{frame}" keyframe="{key}" outside="{outside}" occluded="0" {sides}>{inner}</box>'


def track(number: int, *boxes: str, label: str = "person") -> str:
    return f'<track id="{number}" label="{label}" source="manual">{"".join(boxes)}</track>'


def write(path: Path, *tracks: str, subset: str = "", source: str = "my-film.mp4", meta: str = META) -> Path:
    head = meta.format(subset=subset, source=source)
    path.write_text(
        f"<?xml version='1.0'?><annotations><version>1.1</version>{head}{''.join(tracks)}</annotations>"
    )
    return path


def rows(path: Path) -> list[str]:
    return path.read_text().splitlines()


def run(folder: Path, *words: object, code: int = 0) -> Path:
    out = folder / "out"
    flags = ["--rate", "25", "--out", str(out)]
    assert main(["import", *map(str, words), *flags]) == code
    return out


A, B = (20, 10, 60, 90), (70, 10, 110, 90)


def test_between_keyframes_corners_move_in_a_straight_line_and_outside_hides(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """25 fps, a keyframe a second: frames 0, 25, 50, 75, 100."""
    person = track(
        7,
        box(10, A, walk="true", hands="__undefined__"),
        box(60, B, walk="true", hands="waving"),
        box(80, B, outside=1),
        box(90, A, walk="false"),
    )
    out = run(tmp_path, write(tmp_path / "a.xml", person))
    assert read_label_map(out / "classes.pbtxt").names == ("walk", "waving")
    assert (
        rows(out / "train.csv")
        == [
            "my-film,0000",
            "my-film,0001,0.175,0.1,0.375,0.9,1,7",  # 15 of 50 frames from A (20) to B (70): 35 / 200
            "my-film,0002,0.3,0.1,0.5,0.9,1,7",
            "my-film,0003,0.35,0.1,0.55,0.9,1,7",
            "my-film,0003,0.35,0.1,0.55,0.9,2,7",
            "my-film,0004,0.1,0.1,0.3,0.9,2,7",  # held to the end of the job; hands still waving, no longer walking
        ]
    )
    assert "left out: nothing" in capsys.readouterr().out


def test_a_full_dump_gives_the_same_as_its_keyframes(tmp_path: Path) -> None:
    few = track(0, box(0, A, walk="true"), box(50, B, walk="true"), box(51, B, 1))
    every = [tuple(a + (b - a) * f / 50 for a, b in zip(A, B, strict=True)) for f in range(51)]
    many = [box(f, corners, key=int(f in (0, 50)), walk="true") for f, corners in enumerate(every)]
    first = run(tmp_path / "x", write(tmp_path / "a.xml", few))
    second = run(tmp_path / "y", write(tmp_path / "b.xml", track(0, *many, box(51, B, 1))))
    assert rows(first / "train.csv") == rows(second / "train.csv")
    assert rows(first / "train.csv")[-2:] == ["my-film,0003", "my-film,0004"]


def test_labels_without_attributes_are_actions_and_the_list_decides(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = tmp_path / "names.txt"
    names.write_text("run\njump\n")
    path = write(
        tmp_path / "a.xml",
        track(1, box(25, A), box(26, A, 1), label="jump"),
        track(2, box(25, B), box(26, B, 1), label="crawl"),
        track(3, box(25, A), box(26, A, 1)),
        track(4, box(50, A), box(51, A, 1), label="excluded"),
        "<track id='5' label='jump'><polygon frame='25' points='1,1;2,2'/></track><tag label='x' frame='1'/>",
        subset="Validation",
    )
    out = run(tmp_path, path, "--classes", names)
    assert not (out / "train.csv").exists(), "the task names its subset"
    assert rows(out / "val.csv")[1:3] == ["my-film,0001,0.1,0.1,0.3,0.9,2,1", "my-film,0002"]
    assert rows(out / "val.excluded.csv") == ["my-film,0002"]
    said = capsys.readouterr().out
    for what in (
        "boxes without an action (ground truth has no row for them): 1",
        "labels of action 'crawl', which the class list lacks: 1",
        "shapes of tracks that are no boxes: 1",
        "tags of whole frames: 1",
        "val.csv (1 rows, 5 keyframes, 4 of them without rows, 1 videos)",
    ):
        assert what in said


def test_boxes_are_clipped_and_empty_ones_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(
        tmp_path / "a.xml",
        track(1, box(25, (-20, 0, 100, 50), walk="true"), box(26, A, 1)),
        track(2, box(25, (210, 0, 260, 50), walk="true"), box(26, A, 1)),
    )
    out = run(tmp_path, path, "--start", "900", "--every", "1/2")
    assert "my-film,0901,0,0,0.5,0.5,1,1" in rows(out / "train.csv")[2].replace("0.0,", "0,")
    assert rows(out / "train.csv")[1] == "my-film,900.5"
    said = capsys.readouterr().out
    assert "boxes without area inside the frame: 1" in said
    assert "parts of boxes outside the frame (clipped): 1" in said


@pytest.mark.parametrize(
    ("tracks", "options", "message"),
    [
        ([track(3, box(5, A), box(5, B))], {}, "track 3, frame 5: two boxes of one track at one frame"),
        (
            [track(3, box(5, (1, 2, 3, float("nan"))))],
            {},
            "track 3, frame 5: ybr='nan' of a box is no number",
        ),
        ([track(3, box(5, A))], {"source": "my film.mp4"}, "'my film' does not make an id"),
        ([track(3, box(5, A))], {"source": "é.mp4"}, "'é' does not make an id"),
        ([track(3, box(5, A))], {"source": "a" * 200 + ".mp4"}, "does not make an id of 1 to 64"),
        ([track(3, box(5, A))], {"meta": "<meta><project/></meta>"}, "a whole project"),
        ([track(3, box(5, A))], {"meta": ""}, "frame size and rate of video a are not known"),
        (["<image id='0'/>"], {}, "annotations of single images"),
        (["<track"], {}, "a.xml:"),
        ([track(3, box(5, A))], {}, "there is no action in any of the files"),
    ],
)
def test_refusals_say_where(
    tmp_path: Path,
    tracks: list[str],
    options: dict[str, str],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = run(tmp_path, write(tmp_path / "a.xml", *tracks, **options), code=2)
    assert message in capsys.readouterr().err
    assert not (out / "train.csv").exists()


def test_an_id_may_be_given(tmp_path: Path) -> None:
    path = write(tmp_path / "a.xml", track(3, box(25, A, walk="true")), source="mein Film.mp4")
    out = run(tmp_path, path, "--video=-film_1")
    assert rows(out / "train.csv")[1] == "-film_1,0001,0.1,0.1,0.3,0.9,1,3"

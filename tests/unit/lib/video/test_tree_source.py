from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stages.lib.video.source import DamagedVideoError, VideoError, open_video
from stages.lib.video.tree_source import is_tree, numbered
from tests.unit.lib.video.drawn import number_of, numbered_frame, write_tree


@pytest.mark.parametrize(
    ("pattern", "first"),
    [
        ("image_%06d.jpg", 1),
        ("v_1_%06d.jpg", 1),
        ("v_1_%06d.jpg", 0),
        ("img_%05d.jpg", 1),
        ("image_%06d.png", 1),
    ],
)
def test_every_convention_starts_at_time_zero(tmp_path: Path, pattern: str, first: int) -> None:
    folder = write_tree(tmp_path / "v_1", range(20), pattern=pattern, first=first)
    (folder / "notes.txt").touch()
    with open_video(folder, tree_rate=25.0) as source:
        assert (source.engine, source.info.frames, source.info.rate, source.info.end) == (
            "images",
            20,
            25.0,
            0.8,
        )
        np.testing.assert_allclose(source.info.starts, np.arange(20) / 25)
        read = {number: number_of(picture.rgb()) for number, picture in source.read(np.array([0, 3, 19]))}
    assert read == {0: 0, 3: 3, 19: 19}
    assert is_tree([path.name for path in folder.iterdir()], "v_1")


def test_ids_with_digits_are_not_taken_for_numbers() -> None:
    assert numbered("-5KQ66BBWC4_000902_000912_000017.jpg") == ("-5KQ66BBWC4_000902_000912_", 17, ".jpg")
    assert numbered("000017.jpg") is None
    assert numbered("image_17.jpg") is None
    assert not is_tree(["photo_000001.jpg", "a.txt"], "holiday")


def reason(folder: Path) -> str:
    with pytest.raises(VideoError) as caught, open_video(folder):
        pass
    return caught.value.reason


def test_what_is_no_tree_is_told(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert (
        reason(tmp_path / "empty") == "it is a folder without frames (image_000001.jpg or <video>_000001.jpg)"
    )
    gap = write_tree(tmp_path / "gap", range(30))
    for number in (11, 12, 20):
        (gap / f"image_{number:06d}.jpg").unlink()
    assert reason(gap) == "3 frames are missing among its 27, the first behind image_000010.jpg"
    late = write_tree(tmp_path / "late", range(5), first=901)
    assert reason(late) == "its first frame is image_000901.jpg: frames 1 to 900 are missing"
    twice = write_tree(tmp_path / "twice", range(5))
    (twice / "image_00003.jpg").touch()
    assert reason(twice) == "frame 3 is there twice"
    mixed = write_tree(tmp_path / "mixed", range(5))
    (mixed / "mixed_000006.jpg").touch()
    assert reason(mixed) == "the folder holds images of several names: image_*.jpg, mixed_*.jpg"
    text = write_tree(tmp_path / "text", range(5))
    (text / "image_000001.jpg").write_text("no picture")
    assert reason(text) == "its first frame image_000001.jpg cannot be read (no image)"


def test_an_image_of_another_size_and_one_that_is_cut_off_are_damage(tmp_path: Path) -> None:
    folder = write_tree(tmp_path / "v", range(10))
    Image.fromarray(numbered_frame(7, 80, 60)).save(folder / "image_000008.jpg")
    cut = folder / "image_000004.jpg"
    cut.write_bytes(cut.read_bytes()[:300])
    with open_video(folder) as source, pytest.raises(DamagedVideoError) as caught:
        list(source.read(np.arange(5, 10)))
    assert (caught.value.frame, caught.value.reason) == (
        7,
        "image_000008.jpg is 80x60, image_000001.jpg 64x48",
    )
    with (
        open_video(folder) as source,
        pytest.raises(DamagedVideoError, match=r"image_000004\.jpg cannot be read") as caught,
    ):
        list(source.read(np.arange(10)))
    assert caught.value.frame == 3

"""The command pretrain on drawn mp4 files, some of them missing or broken."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from stages.extract.weights import load_backbone
from stages.lib.annotations.kinetics_csv import Clip
from stages.lib.config.backbones import BackboneConfig, PretrainConfig, SamplingConfig
from stages.lib.config.load import canonical_json
from stages.lib.config.payloads import PretrainPayload
from stages.lib.errors import StageError
from stages.lib.files import write_text
from stages.lib.models.runtime import keep_threads
from stages.pretrain.__main__ import main
from stages.pretrain.reading import Skipped, VideoFile, read_videos

RECIPE = PretrainConfig(
    dataset="d", short_side=(40, 48), crop=32, batch=4, epochs=2, lr=0.05, clips_per_video=2
)
SAMPLING = SamplingConfig(fast_frames=4, stride=2)
PAYLOAD = PretrainPayload(
    version=1,
    threads=1,
    rate=10.0,
    backbone=BackboneConfig(architecture="playground", sampling=SAMPLING, pretrain=RECIPE),
)


def write_mp4(path: Path, label: int, seed: int, frames: int = 25) -> None:
    """A bar in one of two colours that moves over noise, 25 frames a second."""
    import av

    rng = np.random.default_rng(seed)
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(frames):
            picture = rng.integers(80, 120, (48, 64, 3)).astype(np.uint8)
            picture[10:40, 2 * number % 50 : 2 * number % 50 + 12] = (230, 30, 30) if label else (30, 30, 230)
            for packet in stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")):
                file.mux(packet)
        for packet in stream.encode():
            file.mux(packet)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Eight clips for training (one missing, one cut off, one no video), two for validation."""
    folder = tmp_path_factory.mktemp("clips")
    header = "label,youtube_id,time_start,time_end,split\n"
    lists = {"train": header, "val": header}
    for number in range(10):
        split = "train" if number < 8 else "val"
        clip = Clip(f"v-{number}", 3.0 * number, 3.0 * number + 1)
        label = ("blue", "red")[number % 2]
        lists[split] += f"{label},{clip.video},{3 * number},{3 * number + 1},{split}\n"
        if number != 2:
            write_mp4(folder / clip.file_name, number % 2, number)
        if number == 3:
            (folder / clip.file_name).write_text("no video")
    for split, text in lists.items():
        (folder / f"{split}.csv").write_text(text)
    write_text(folder / "config.json", canonical_json(PAYLOAD.model_dump(mode="json")) + "\n")
    with keep_threads():
        yield folder


def run(folder: Path, out: Path, train: str = "train.csv") -> int:
    argv = ["--config", folder / "config.json", "--device", "cpu", "--videos", folder]
    argv += ["--classes", f"train={folder / train}", f"val={folder / 'val.csv'}"]
    return main(
        [
            str(part)
            for part in [*argv, "--out-weights", out / "w.safetensors", "--out-history", out / "h.json"]
        ]
    )


def test_twice_the_same_bytes_and_skipped_videos(folder: Path, tmp_path: Path) -> None:
    assert run(folder, tmp_path / "a") == run(folder, tmp_path / "b") == 0
    for name in ("w.safetensors", "h.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    history = json.loads((tmp_path / "a/h.json").read_text())
    assert history["videos"] == {"train": 6, "val": 2}
    assert [(item["name"], item["status"]) for item in history["skipped"]["train"]] == [
        ("v-2_000006_000007.mp4", "missing"),
        ("v-3_000009_000010.mp4", "broken"),
    ]
    assert history["classes"] == ["blue", "red"]
    assert len(history["epochs"]) == 2
    backbone = load_backbone(tmp_path / "a/w.safetensors", PAYLOAD.backbone, PAYLOAD.rate)
    assert not backbone.network.training
    other = PAYLOAD.backbone.model_copy(update={"sampling": SamplingConfig(fast_frames=8, stride=2)})
    with pytest.raises(StageError, match="sampling"):
        load_backbone(tmp_path / "a/w.safetensors", other, PAYLOAD.rate)
    with pytest.raises(
        StageError, match=f"made with frames at {PAYLOAD.rate:g} Hz, the configuration says 30"
    ):
        load_backbone(tmp_path / "a/w.safetensors", PAYLOAD.backbone, 30.0)


def test_videos_beyond_the_memory_are_read_again(folder: Path) -> None:
    files = [VideoFile(path, 5.0, 40) for path in sorted(folder.glob("v-*.mp4"))]
    labels = np.arange(len(files))
    held, skipped = read_videos(files, labels)
    fetched, again = read_videos(files, labels, held_bytes=0)
    assert held.labels.tolist() == fetched.labels.tolist() == [0, 1, 3, 4, 5, 6, 7, 8]
    assert skipped[0].name == again[0].name
    assert isinstance(skipped[0], Skipped)
    for one, two in zip(held.videos, fetched.videos, strict=True):
        numbers = np.array([0, 2, one.count - 1, one.count - 1])
        assert one.count == two.count == 5
        assert one.take(numbers).shape == (4, 40, 53, 3)
        assert np.array_equal(one.take(numbers), two.take(numbers))


def test_class_lists_that_do_not_fit(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = (folder / "train.csv").read_text().splitlines()
    (folder / "one.csv").write_text(
        "\n".join([lines[0], *(line for line in lines[1:] if line.startswith("red"))]) + "\n"
    )
    assert run(folder, tmp_path, "one.csv") == 2
    assert "only one class" in capsys.readouterr().err
    (folder / "other.csv").write_text("\n".join(line.replace("blue", "green") for line in lines) + "\n")
    assert run(folder, tmp_path, "other.csv") == 2
    assert "'blue'" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())

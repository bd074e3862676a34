"""The commands train_detector and detect on a tiny drawn world."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from stages.detect.__main__ import main as detect
from stages.lib.artifacts.reader import open_artifact
from stages.lib.artifacts.schemas import DETECT
from stages.lib.artifacts.tables import Boxes
from stages.lib.config.detectors import DetectorConfig, DetectorTrainConfig
from stages.lib.config.payloads import DetectPayload, TrainDetectorPayload
from stages.lib.config.sheets import Video, manifest_text
from stages.lib.models.runtime import keep_threads
from stages.lib.models.weights import load_weights
from stages.train_detector.__main__ import main as train_detector
from tests.integration import learning_world as lw

CONFIG = DetectorConfig(
    architecture="playground",
    dataset="d",
    short_side=64,
    max_long_side=128,
    min_score=0.01,
    train=DetectorTrainConfig(epochs=None, iterations=4, batch=2, lr=0.002),
)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[lw.World]:
    """One shard with a broken video, one empty shard, and a detector fine-tuned for a few steps."""
    folder = tmp_path_factory.mktemp("detectors")
    videos = [lw.Video("a", seconds=3), lw.Video("b", "val", 2), lw.Video("c", seconds=2, broken=True)]
    made = lw.World(folder, (lw.write_shard(folder, "movies", videos), lw.write_shard(folder, "empty", [])))
    with keep_threads():
        assert run_training(made, folder / "one") == 0
        yield made


def run_training(world: lw.World, out: Path, extra: Sequence[object] = ()) -> int:
    argv = world.config("train_detector", TrainDetectorPayload(version=1, threads=1, detector=CONFIG))
    argv += ["--index", *(str(shard.index) for shard in world.shards)]
    argv += ["--decode", *(str(shard.decode) for shard in world.shards), *map(str, extra)]
    return train_detector(
        [*argv, "--out-weights", str(out / "w.safetensors"), "--out-history", str(out / "h.json")]
    )


def run_detect(
    world: lw.World, shard: lw.Shard, out: Path, origin: Sequence[object], given: bool = False
) -> int:
    payload = DetectPayload(version=1, threads=1, detector=None if given else CONFIG.inference_only())
    argv = [*world.config("detect", payload), "--index", str(shard.index), "--decode", str(shard.decode)]
    return detect([*argv, *map(str, origin), "--out", str(out)])


def test_training_twice_gives_the_same_bytes(world: lw.World, tmp_path: Path) -> None:
    assert run_training(world, tmp_path) == 0
    for name in ("w.safetensors", "h.json"):
        assert (tmp_path / name).read_bytes() == (world.folder / "one" / name).read_bytes()
    history = json.loads((tmp_path / "h.json").read_text())
    assert (history["keyframes"], history["val_keyframes"]) == (3, 1), (
        "a keyframe without people, a broken video"
    )
    assert len(history["steps"]) == 4
    assert 0 <= history["ap50"] <= 1
    assert load_weights(tmp_path / "w.safetensors").metadata["family"] == "detector"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["h.json", "w.safetensors"], (
        "work files are removed"
    )
    assert run_training(world, tmp_path / "next", ["--init", tmp_path / "w.safetensors"]) == 0


def test_training_shows_its_progress(
    world: lw.World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_training(world, tmp_path) == 0
    log = capsys.readouterr().err
    assert "train detector: 4 of 4 (100 %)" in log
    assert "validation AP@50" in log


def test_detection_of_all_keyframes(world: lw.World, tmp_path: Path) -> None:
    origin = ["--weights", world.folder / "one/w.safetensors"]
    for name in ("a.h5", "b.h5"):
        assert run_detect(world, world.shards[0], tmp_path / name, origin) == 0
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()
    with open_artifact(tmp_path / "a.h5", DETECT) as file:
        boxes = Boxes.read(file)
        assert (
            file.provenance.inputs["weights"] == load_weights(world.folder / "one/w.safetensors").fingerprint
        )
    assert len(boxes.row_splits) == 8
    assert np.diff(boxes.row_splits)[5:].tolist() == [0, 0], "the broken video"
    assert ((boxes.boxes >= 0) & (boxes.boxes <= 1)).all()
    assert run_detect(world, world.shards[1], tmp_path / "empty.h5", origin) == 0


def given_boxes(world: lw.World, folder: Path, rows: Sequence[str]) -> tuple[int, Path]:
    """Exit code and artifact of detect with a csv, in a data set with one more video in another shard."""
    csv, manifest = folder / "boxes.csv", folder / "manifest.tsv"
    csv.write_text("\n".join(rows) + "\n")
    manifest.write_text(manifest_text([Video("elsewhere", "elsewhere.mp4", "val", 0.0, "elsewhere.mp4")]))
    origin = ["--boxes", csv, "--manifest", manifest]
    return run_detect(world, world.shards[0], folder / "x.h5", origin, given=True), folder / "x.h5"


def test_boxes_from_a_csv(world: lw.World, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        "a,0001,0.1,0.2,0.3,0.9,,0.8",
        "b.mp4,1,0.2,0.2,0.5,0.9,,0.7",
        "elsewhere,1,0,0,1,1,,1",
        "a,9,0,0,1,1,,1",
        "elsewhere,99,0,0,1,1,,1",
    ]
    code, out = given_boxes(world, tmp_path, rows)
    assert code == 0
    with open_artifact(out, DETECT) as file:
        boxes = Boxes.read(file)
    assert np.diff(boxes.row_splits).tolist() == [1, 0, 0, 1, 0, 0, 0]
    assert boxes.scores.tolist() == [np.float32(0.8), np.float32(0.7)]
    assert "1 boxes lie on no keyframe and are not used: line 4\n" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["elsewhere,1,0,0,1,1,,1", "aa,1,0,0,1,1,,1"], "boxes.csv:2: unknown video 'aa'"),
        (["elsewhere,1,0,0,1,1,,1", "elsewhere,1,0,0,1"], "boxes.csv:2: 5 comma-separated columns"),
        (["nobody,1,0,0,1,1,,1"], "boxes.csv:1: unknown video 'nobody'"),
        (["a;1;0;0;1;1;;1"], "boxes.csv:1: 1 comma-separated columns"),
    ],
    ids=["mistyped", "of another shard", "all mistyped", "wrong separator"],
)
def test_bad_lines_of_a_csv(
    world: lw.World, tmp_path: Path, rows: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every job reads the whole csv: a line is refused, whichever shard its video belongs to."""
    code, out = given_boxes(world, tmp_path, rows)
    assert (code, out.exists()) == (2, False)
    assert message in capsys.readouterr().err


def test_other_weights_are_refused(
    world: lw.World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = lw.backbone_file(tmp_path / "backbone.safetensors")
    assert run_detect(world, world.shards[0], tmp_path / "x.h5", ["--weights", path]) == 2
    assert "not a detector" in capsys.readouterr().err

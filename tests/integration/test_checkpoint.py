"""The command `checkpoint`: import, use, export and show; bad files have tests of their own."""

from __future__ import annotations

import json
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from torchvision.ops import roi_align

from stages.checkpoint.__main__ import main
from stages.extract.__main__ import main as extract
from stages.extract.weights import load_backbone
from stages.lib.annotations.labelmap import AVA_EVALUATED
from stages.lib.artifacts.loading import load_predictions
from stages.lib.artifacts.predictions import DETECTED
from stages.lib.artifacts.reader import open_artifact
from stages.lib.config.backbones import BackboneConfig
from stages.lib.config.heads import HeadConfig
from stages.lib.models.headfile import load_head
from stages.lib.models.runtime import keep_threads
from stages.lib.models.weights import load_weights, save_weights
from stages.predict.__main__ import main as predict
from tests.integration import learning_world as lw
from tests.unit.checkpoint.drawn import CONFIG, PROJECTION, acar, caffe2, pyslowfast, relation, torch_file
from tests.unit.lib.models.formats.upstream import R50, AcarNames, Net, State, draw_backbone, draw_relation


def run(*argv: object) -> int:
    return main([str(word) for word in argv])


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A checkpoint of every family, of the playground's size, as upstream writes them."""
    folder = tmp_path_factory.mktemp("files")
    optimizer = {"state": {0: {"momentum_buffer": torch.ones(2)}}, "param_groups": [{"lr": 0.1}]}
    full = {"epoch": 5, "state_dict": acar(), "optimizer": optimizer, "scheduler": {"last_epoch": 5}}
    psf = {"epoch": 20, "model_state": pyslowfast(), "optimizer_state": optimizer, "cfg": CONFIG}
    blobs = {name: tensor.numpy() for name, tensor in caffe2().items()}
    blobs |= {"conv1_w_momentum": np.zeros(3, np.float32), "lr": np.float32(0.1)}
    (folder / "caffe2.pkl").write_bytes(pickle.dumps({"blobs": blobs}, protocol=2))
    return {
        "acar": torch_file(folder / "acar.pth", full),
        "acar-bare": torch_file(folder / "bare.pth", acar(prefix=False)),
        "pyslowfast": torch_file(folder / "model.pyth", psf),
        "caffe2": folder / "caffe2.pkl",
    }


def printed_config(text: str) -> dict[str, Any]:
    """The entries that import prints for a configuration."""
    return yaml.safe_load(text.partition("to use it:")[2])


def pbtxt(ids: Sequence[int], names: Sequence[str]) -> str:
    """A label map in the official form."""
    items = (
        f'item {{\n  name: "{name}"\n  id: {number}\n}}\n' for number, name in zip(ids, names, strict=True)
    )
    return "".join(items)


@pytest.mark.parametrize("family", ["acar", "acar-bare", "pyslowfast", "caffe2"])
def test_imported_files_are_what_the_stages_want(
    files: dict[str, Path], family: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("import", files[family], tmp_path) == 0
    config = printed_config(capsys.readouterr().out)
    entry = BackboneConfig.model_validate(config["backbones"]["imported"])
    backbone = load_backbone(Path(entry.weights), entry, 30.0)
    head = load_head(Path(HeadConfig.model_validate(config["heads"]["imported"]).weights))
    head.require_backbone(backbone.fingerprint, "maps")
    assert head.kind == config["heads"]["imported"]["kind"]
    assert len(head.metadata["class_ids"]) == (60 if family.startswith("acar") else 80)
    assert {path.name for path in tmp_path.iterdir()} == {"backbone.safetensors", "head.safetensors"}


@pytest.mark.parametrize(
    ("family", "form", "wrapper"),
    [("acar", "acar", "state_dict"), ("pyslowfast", "pyslowfast", "model_state")],
)
def test_the_round_trip_is_exact(
    files: dict[str, Path], family: str, form: str, wrapper: str, tmp_path: Path
) -> None:
    assert run("import", files[family], tmp_path / "ours") == 0
    assert run("export", tmp_path / "ours", tmp_path / "back.pth", "--format", form) == 0
    before: State = torch.load(files[family], weights_only=True)[wrapper]
    after: State = torch.load(tmp_path / "back.pth", weights_only=True)[wrapper]
    assert before.keys() == after.keys()
    for name, tensor in before.items():
        assert (tensor.dtype, tensor.shape) == (after[name].dtype, after[name].shape)
        assert torch.equal(tensor, after[name]), name
    assert run("import", tmp_path / "back.pth", tmp_path / "again") == 0
    for part in ("backbone", "head"):
        one, other = (load_weights(tmp_path / name / f"{part}.safetensors") for name in ("ours", "again"))
        assert all(torch.equal(other.tensors[name], tensor) for name, tensor in one.tensors.items())


def test_caffe2_goes_on_as_pyslowfast(files: dict[str, Path], tmp_path: Path) -> None:
    assert run("import", files["caffe2"], tmp_path / "ours") == 0
    assert run("export", tmp_path / "ours", tmp_path / "new.pyth", "--format", "pyslowfast") == 0
    after = torch.load(tmp_path / "new.pyth", weights_only=True)["model_state"]
    for name, tensor in pyslowfast().items():
        wanted = torch.zeros_like(tensor) if name.endswith("num_batches_tracked") else tensor
        assert torch.equal(after[name], wanted), name


def test_a_published_size_goes_through_the_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """R50 with its relation head, as a full checkpoint: every number arrives and comes back."""
    state = {
        f"module.backbone.module.{n}": t
        for n, t in draw_backbone(Net(AcarNames(fusion_bn=True), R50, 7)).items()
    }
    state |= {f"module.head.module.{n}": t for n, t in draw_relation(2304, 60, 2, 3).items()}
    source = torch_file(tmp_path / "r50.pth", {"state_dict": state})
    assert run("import", source, tmp_path / "ours") == 0
    text = capsys.readouterr().out
    assert "R50 (3-4-6-3 blocks)" in text
    assert "25,229,312" in text
    assert run("export", tmp_path / "ours", tmp_path / "back.pth", "--format", "acar") == 0
    after = torch.load(tmp_path / "back.pth", weights_only=True)["state_dict"]
    assert after.keys() == state.keys()
    assert all(torch.equal(after[name], tensor) for name, tensor in state.items())


def test_a_backbone_alone_a_head_alone_and_no_head(files: dict[str, Path], tmp_path: Path) -> None:
    assert run("import", files["acar"], tmp_path / "a", "--no-head") == 0
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["backbone.safetensors"]
    backbone = tmp_path / "a/backbone.safetensors"
    alone = torch_file(tmp_path / "head.pth", relation())
    assert run("import", alone, tmp_path / "b") == 2
    assert run("import", alone, tmp_path / "b", "--backbone", backbone) == 0
    head = load_head(tmp_path / "b/head.safetensors")
    assert head.metadata["backbone_sha"] == load_weights(backbone).fingerprint
    assert (
        run(
            "export",
            backbone,
            tmp_path / "full.pth",
            "--format",
            "acar",
            "--head",
            tmp_path / "b/head.safetensors",
        )
        == 0
    )
    assert len(torch.load(tmp_path / "full.pth", weights_only=True)["state_dict"]) == len(acar())
    assert run("export", tmp_path / "a", tmp_path / "flat.pth", "--format", "acar", "--no-prefix") == 0
    flat = torch.load(tmp_path / "flat.pth", weights_only=True)
    assert torch.equal(flat["slow_conv1.weight"], acar(prefix=False)["slow_conv1.weight"])


def test_a_head_of_another_backbone_is_not_exported(
    files: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("import", files["acar"], tmp_path / "a") == 0
    assert run("import", files["pyslowfast"], tmp_path / "p") == 0
    body, head = tmp_path / "p/backbone.safetensors", tmp_path / "a/head.safetensors"
    assert run("export", body, tmp_path / "x.pth", "--format", "acar", "--head", head) == 2
    assert "head.safetensors: the head was trained with backbone weights" in capsys.readouterr().err
    assert not (tmp_path / "x.pth").exists()


def test_own_files_are_checked_and_copied(files: dict[str, Path], tmp_path: Path) -> None:
    assert run("import", files["acar"], tmp_path / "a") == 0
    for name in ("backbone.safetensors", "head.safetensors"):
        assert run("import", tmp_path / "a" / name, tmp_path / "copy") == 0
        assert (tmp_path / "copy" / name).read_bytes() == (tmp_path / "a" / name).read_bytes()
    assert run("import", tmp_path / "a/head.safetensors", tmp_path / "c", "--slow-rule", "stride") == 2
    torch.manual_seed(0)
    made = load_weights(tmp_path / "a/backbone.safetensors")
    short = {name: tensor for name, tensor in made.tensors.items() if "res3" not in name}
    save_weights(tmp_path / "short.safetensors", short, made.metadata)
    assert run("import", tmp_path / "short.safetensors", tmp_path / "d") == 2
    save_weights(tmp_path / "other.safetensors", short, {"family": "detector"})
    assert run("import", tmp_path / "other.safetensors", tmp_path / "d") == 2
    assert not (tmp_path / "d").exists()


def test_show_says_the_same_of_a_foreign_file_and_of_what_it_becomes(
    files: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("show", files["pyslowfast"]) == 0
    foreign = capsys.readouterr().out
    for part in (
        "format: PySlowFast",
        "architecture      playground",
        "kernel 5, batch norm and ReLU",
        "temporal kernels  (slow/fast) of stage 2: 1/3",
        "non-local blocks  none",
        "4 fast frames, 1 apart at 30 Hz",
        "slow frames       full-span",
        "80: bend/bow (at the waist), crawl, ",
        "probabilities  sigmoids",
        "RoIAlign       shifted by half a pixel, a cell is 16 pixels",
        "origin            PySlowFast, epoch 20, sha256",
        "optimizer_state: 1 tensors",
        "assumed for this family, see the options of import: frame rate of 30 Hz, slow frames, normalisation",
    ):
        assert part in foreign, part
    assert run("import", files["pyslowfast"], tmp_path) == 0
    capsys.readouterr()
    for part in ("backbone", "head"):
        assert run("show", tmp_path / f"{part}.safetensors") == 0
        told = capsys.readouterr().out
        assert "format: acarflow" in told
        same = [
            line
            for line in told.splitlines()
            if line.startswith(("architecture", "classes", "parameters", "RoI"))
        ]
        assert all(line in foreign for line in same)
        assert len(same) >= 3


def test_show_tells_the_training_record_of_own_weights(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = lw.backbone_file(tmp_path / "own.safetensors")
    weights = load_weights(path)
    facts = {
        "classes": ["run", "sit"],
        "rate": 15,
        "training": {"recipe": {"epochs": 6}, "videos": {"train": 9}},
    }
    save_weights(path, weights.tensors, weights.metadata | facts)
    assert run("show", path) == 0
    told = capsys.readouterr().out
    assert "2: run, sit" in told
    assert '"epochs": 6' in told
    assert "15 Hz" in told


def test_label_maps_and_evaluated_classes(files: dict[str, Path], tmp_path: Path) -> None:
    assert run("import", files["pyslowfast"], tmp_path / "a", "--classes", "60") == 0
    head = load_head(tmp_path / "a/head.safetensors")
    assert head.metadata["class_ids"] == list(AVA_EVALUATED)
    rows = [number - 1 for number in AVA_EVALUATED]
    assert torch.equal(head.head.state_dict()["fc.bias"], pyslowfast()[PROJECTION[1]][rows])
    odd = torch_file(tmp_path / "odd.pth", acar(head=relation(3)))
    assert run("import", odd, tmp_path / "b") == 2
    labels = tmp_path / "labels.pbtxt"
    labels.write_text(pbtxt([1, 2, 9], ["run", "sit", "jump"]))
    assert run("import", odd, tmp_path / "b", "--labelmap", labels) == 0
    assert load_head(tmp_path / "b/head.safetensors").metadata["class_names"] == ["run", "sit", "jump"]
    assert run("import", odd, tmp_path / "c", "--no-head", "--labelmap", labels) == 2


def test_files_that_stand_there_are_not_replaced(
    files: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "head.safetensors").write_text("mine")
    assert run("import", files["acar"], tmp_path) == 2
    assert "there is such a file already" in capsys.readouterr().err
    assert [entry.name for entry in tmp_path.iterdir()] == ["head.safetensors"]
    assert run("import", files["acar"], tmp_path / "a") == 0
    assert run("export", tmp_path / "a", tmp_path / "head.safetensors", "--format", "acar") == 2
    assert (tmp_path / "head.safetensors").read_text() == "mine"


def test_equal_imports_give_equal_bytes(files: dict[str, Path], tmp_path: Path) -> None:
    for name in ("a", "b"):
        assert run("import", files["pyslowfast"], tmp_path / name) == 0
    for part in ("backbone", "head"):
        one, other = ((tmp_path / name / f"{part}.safetensors").read_bytes() for name in ("a", "b"))
        assert one == other
    assert str(tmp_path) not in json.dumps(load_weights(tmp_path / "a/head.safetensors").metadata)


def test_imported_weights_run_through_extract_and_predict(tmp_path: Path) -> None:
    """A PySlowFast model with three classes: its poses are sigmoids like the rest, all the way to the probabilities."""
    labels = tmp_path / "labels.pbtxt"
    labels.write_text(pbtxt(lw.CLASSES.ids, lw.CLASSES.names))
    source = torch_file(tmp_path / "psf.pyth", {"model_state": pyslowfast(3), "cfg": CONFIG})
    assert (
        run("import", source, tmp_path / "w", "--labelmap", labels, "--slow-rule", "stride", "--rate", "10")
        == 0
    )
    shard = lw.write_shard(tmp_path, "movies", [lw.Video("m1", "val", seconds=2, size=(64, 90))], 1)
    world = lw.World(tmp_path, (shard,))
    maps, views = tmp_path / "maps.h5", tmp_path / "maps.views.h5"
    common = ["--index", str(shard.index)]
    with keep_threads():
        flags = ["--decode", str(shard.decode), "--weights", str(tmp_path / "w/backbone.safetensors")]
        outputs = ["--out", str(maps), "--out-views", str(views)]
        assert extract([*world.config("extract", lw.extract_payload()), *common, *flags, *outputs]) == 0
        flags = ["--maps", str(maps), "--views", str(views), "--detections", str(shard.detections)]
        flags += ["--weights", str(tmp_path / "w/head.safetensors"), "--out", str(tmp_path / "predict.h5")]
        payload = lw.predict_payload(lw.head_config("linear"))
        assert predict([*world.config("predict", payload), *common, *flags]) == 0
    table, _ = load_predictions([tmp_path / "predict.h5"], "movies")
    assert table.classes.groups() == ()
    boxset = table.boxset(DETECTED, "movies")
    found = boxset.probabilities(("s64",), table.classes.groups(), "logit")
    assert len(found) > 0
    with open_artifact(maps) as file:
        assert file.read("views/s64/size").tolist() == [[64, 90]] * 2
        context = torch.from_numpy(file.read("views/s64/maps/4x6")).float()
    image = np.repeat([0.0, 1.0], np.diff(boxset.boxes.row_splits))[:, None]
    pixels = boxset.boxes.boxes * np.array([90, 64, 90, 64], np.float32)
    rois = torch.from_numpy(np.concatenate([image, pixels], axis=1)).float()
    vectors = roi_align(context, rois, 7, 1 / 16, 0, True).amax(dim=(2, 3))
    weight, bias = (torch.load(source, weights_only=True)["model_state"][name] for name in PROJECTION)
    twin = torch.nn.functional.linear(vectors, weight, bias).numpy()
    assert np.allclose(boxset.values["s64"], twin, rtol=1e-4, atol=1e-5)
    assert np.allclose(found, 1 / (1 + np.exp(-boxset.values["s64"].astype(np.float64))))

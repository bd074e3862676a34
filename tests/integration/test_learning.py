"""The commands extract, bank, train and predict on a tiny drawn world, as a user would chain them."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from stages.bank.__main__ import main as bank
from stages.extract.__main__ import main as extract
from stages.lib.artifacts.maps import MapReader
from stages.lib.artifacts.predictions import DETECTED, TRUTH, Predictions
from stages.lib.artifacts.reader import open_artifact
from stages.lib.artifacts.schemas import BANK, EXTRACT, PREDICT
from stages.lib.artifacts.tables import ROLE_EVAL, ROLE_TRAIN, Boxes, Index
from stages.lib.artifacts.writer import write_artifact
from stages.lib.config.payloads import Payload
from stages.lib.models.headfile import load_head
from stages.lib.models.runtime import keep_threads
from stages.lib.models.weights import load_weights
from stages.predict.__main__ import main as predict
from stages.train.__main__ import main as train
from tests.integration import learning_world as lw


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[lw.World]:
    """Two shards (the second with another frame size, a broken video) and an empty one; maps, heads and banks."""
    folder = tmp_path_factory.mktemp("world")
    movies = [lw.Video("m1", seconds=6), lw.Video("m2", seconds=5), lw.Video("m3", "val", 4)]
    clips = [lw.Video(f"c{n}", "val" if n == 3 else "train", 1, (64, 80)) for n in range(4)]
    clips.append(lw.Video("c9", seconds=2, broken=True))
    shards = (
        lw.write_shard(folder, "movies", movies, 1),
        lw.write_shard(folder, "clips", clips, 2),
        lw.write_shard(folder, "empty", [], 3),
    )
    made = lw.World(folder, shards, {"backbone": lw.backbone_file(folder / "backbone.safetensors")})
    with keep_threads():
        for shard in shards:
            run_extract(made, shard, folder / "extract")
            run_bank(made, shard, "afb", folder / "afb")
        made.files["acar"] = run_train(made, "acar", folder / "acar")
        for shard in shards:
            run_bank(made, shard, "acfb", folder / "acfb")
        yield made


def run_extract(
    world: lw.World, shard: lw.Shard, out: Path, weights: str = "backbone", **changes: object
) -> Path:
    name, settings = shard.index.stem, world.config("extract", lw.extract_payload(**changes))
    argv = [*settings, "--index", shard.index, "--decode", shard.decode]
    argv += [
        "--weights",
        world.files[weights],
        "--out",
        out / f"{name}.h5",
        "--out-views",
        out / f"{name}.views.h5",
    ]
    assert extract(texts(argv)) == 0
    return out / f"{name}.h5"


def run_bank(world: lw.World, shard: lw.Shard, kind: str, out: Path) -> Path:
    path = out / shard.index.name
    argv = [*world.config(kind, lw.bank_payload(kind)), "--index", shard.index, "--maps", maps(world, shard)]
    argv += ["--detections", shard.detections, "--out", path]
    if kind == "acfb":
        argv += ["--head-weights", world.files["acar"]]
    assert bank(texts(argv)) == 0
    return path


def train_flags(world: lw.World, kind: str, out: Path, seed: int = 0, **changes: object) -> list[object]:
    head = lw.head_config(kind, **changes)
    argv = [*world.config(f"train-{out.name}", lw.train_payload(head)), "--seed", seed]
    argv += ["--index", *(shard.index for shard in world.shards)]
    argv += ["--maps", *(maps(world, shard) for shard in world.shards)]
    argv += ["--detections", *(shard.detections for shard in world.shards)]
    if head.memory:
        argv += ["--bank", *(world.folder / kind.split("-")[1] / shard.index.name for shard in world.shards)]
    return [*argv, "--out-weights", out / "weights.safetensors", "--out-history", out / "history.json"]


def run_train(
    world: lw.World, kind: str, out: Path, seed: int = 0, extra: Sequence[object] = (), **changes: object
) -> Path:
    assert train(texts([*train_flags(world, kind, out, seed, **changes), *extra])) == 0
    return out / "weights.safetensors"


def predict_flags(world: lw.World, shard: lw.Shard, kind: str, weights: Path, out: Path) -> list[object]:
    head = lw.head_config(kind)
    argv = [*world.config(f"predict-{kind}", lw.predict_payload(head)), "--index", shard.index]
    argv += ["--maps", maps(world, shard), "--views", maps(world, shard).with_suffix(".views.h5")]
    argv += ["--detections", shard.detections, "--weights", weights, "--out", out]
    return argv + (["--bank", world.folder / kind.split("-")[1] / shard.index.name] if head.memory else [])


def maps(world: lw.World, shard: lw.Shard) -> Path:
    return world.folder / "extract" / shard.index.name


def texts(argv: Sequence[object]) -> list[str]:
    return [str(part) for part in argv]


def test_extract_covers_the_right_keyframes(world: lw.World) -> None:
    movies, clips, empty = world.shards
    with open_artifact(maps(world, movies), EXTRACT) as file:
        reader = MapReader(file, "views/s64/")
        assert (reader.row >= 0).all()
        assert set(map(tuple, reader.grid.tolist())) == {(4, 6)}
        assert reader.channels == 320
    with open_artifact(maps(world, clips), EXTRACT) as file:
        reader = MapReader(file, "views/s64/")
        assert reader.row.tolist() == [0, 1, 2, 3, -1, -1]
        assert file.group("views") == ["s64"]
    with (
        open_artifact(maps(world, movies).with_suffix(".views.h5"), EXTRACT) as file,
        open_artifact(movies.index) as index,
    ):
        is_eval = (Index.read(index).roles & ROLE_EVAL) > 0
        assert file.group("views") == ["s64-flip", "s80"]
        assert np.array_equal(MapReader(file, "views/s80/").row >= 0, is_eval)
    with open_artifact(maps(world, empty), EXTRACT) as file:
        assert len(MapReader(file, "views/s64/")) == 0


@pytest.mark.parametrize(
    ("keyframes", "roles"), [("labelled", ROLE_TRAIN | ROLE_EVAL), ("evaluated", ROLE_EVAL)]
)
def test_extract_maps_what_somebody_reads(
    world: lw.World, keyframes: str, roles: int, tmp_path: Path
) -> None:
    movies = world.shards[0]
    out = run_extract(world, movies, tmp_path, keyframes=keyframes)
    with open_artifact(out, EXTRACT) as file, open_artifact(movies.index) as index:
        wanted = (Index.read(index).roles & roles) > 0
        reader = MapReader(file, "views/s64/")
        assert wanted.any() and wanted.all() == (keyframes == "labelled")
        assert np.array_equal(reader.row >= 0, wanted)
    with open_artifact(maps(world, movies), EXTRACT) as file:
        whole = MapReader(file, "views/s64/")
    assert whole.channels == reader.channels


def test_commands_repeat_to_the_byte(world: lw.World, tmp_path: Path) -> None:
    movies = world.shards[0]
    again = run_extract(world, movies, tmp_path)
    for suffix in (".h5", ".views.h5"):
        assert again.with_suffix(suffix).read_bytes() == maps(world, movies).with_suffix(suffix).read_bytes()
    for kind in ("afb", "acfb"):
        path = run_bank(world, movies, kind, tmp_path / kind)
        assert path.read_bytes() == (world.folder / kind / "movies.h5").read_bytes()
    first = run_train(world, "acar-acfb", tmp_path / "one")
    second = run_train(world, "acar-acfb", tmp_path / "two")
    assert first.read_bytes() == second.read_bytes()
    assert (tmp_path / "one/history.json").read_bytes() == (tmp_path / "two/history.json").read_bytes()
    outs = [tmp_path / "p1.h5", tmp_path / "p2.h5"]
    assert [predict(texts(predict_flags(world, movies, "acar-acfb", first, out))) for out in outs] == [0, 0]
    assert outs[0].read_bytes() == outs[1].read_bytes()


def test_banks_hold_confident_detections_only(world: lw.World) -> None:
    with (
        open_artifact(world.folder / "acfb/movies.h5", BANK) as file,
        open_artifact(world.shards[0].detections) as boxes,
    ):
        archived, found = Boxes.read(file), Boxes.read(boxes)
        assert len(archived) == int((found.scores >= 0.9).sum())
        reader = MapReader(file)
        assert (reader.channels, reader.grid[0].tolist()) == (8, [1, 2])
    with open_artifact(world.folder / "afb/movies.h5", BANK) as file:
        assert file.read("vectors").shape == (len(archived), 320)


@pytest.mark.parametrize("kind", ["afb", "acfb"])
def test_banks_show_their_progress(
    world: lw.World, kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_bank(world, world.shards[0], kind, tmp_path)
    assert re.search(r"bank: (\d+) of \1 \(100 %\)", capsys.readouterr().err)


@pytest.mark.parametrize("kind", ["linear", "acar", "linear-afb", "acar-afb", "acar-acfb"])
def test_every_head_trains_and_predicts_all_shards(world: lw.World, kind: str, tmp_path: Path) -> None:
    recipe = lw.RECIPE.model_copy(update={"epochs": 10.0, "milestones": (8.0,)})
    weights = run_train(world, kind, tmp_path, recipe=recipe)
    history = json.loads((tmp_path / "history.json").read_text())
    assert history["steps"][-1]["loss"] < history["steps"][0]["loss"]
    assert history["keyframes"] > 0
    assert set(history["validation"]["ap"]) == {"12", "14", "61"}
    for shard, keyframes in zip(world.shards, (4, 1, 0), strict=True):
        out = tmp_path / shard.index.name
        assert predict(texts(predict_flags(world, shard, kind, weights, out))) == 0
        with open_artifact(out, PREDICT) as file:
            found = Predictions.read(file)
        assert len(found.keyframes) == keyframes
        assert found.classes == lw.CLASSES
        for name in (DETECTED, TRUTH):
            boxset = found.boxsets[name]
            assert tuple(sorted(boxset.values)) == tuple(sorted(lw.VIEWS))
            assert all(np.isfinite(values).all() for values in boxset.values.values())
        assert len(found.boxsets[DETECTED].boxes) == len(found.boxsets[TRUTH].boxes) + keyframes


def test_boxes_below_the_score_are_counted(
    world: lw.World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One stray box at each of the four keyframes."""
    flags = predict_flags(world, world.shards[0], "acar", world.files["acar"], tmp_path / "p.h5")
    picky = lw.predict_payload(lw.head_config("acar")).model_copy(update={"min_score": 0.9})
    assert predict(texts([*flags, *world.config("predict-picky", picky)])) == 0
    log = capsys.readouterr().err
    assert "boxes below 0.9: 4," in log
    assert re.search(r"predict: (\d+) of \1 \(100 %\)", log)


def test_a_data_set_may_have_scores_of_its_own(
    world: lw.World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The shard's data set decides, in prediction, bank and training; a shard of which nobody says so is refused."""
    movies = world.shards[0]
    own = {"min_scores": {"films": 0.9}}
    picky = lw.predict_payload(lw.head_config("acar")).model_copy(update=own)
    flags = predict_flags(world, movies, "acar", world.files["acar"], tmp_path / "p.h5")
    argv = texts([*flags, *world.config("predict-own", picky)])
    assert predict([*argv, "--dataset=films"]) == 0
    assert "boxes below 0.9: 4," in capsys.readouterr().err
    assert predict([*argv, "--dataset=clips"]) == 0
    assert "boxes below 0.4: 0," in capsys.readouterr().err
    assert predict(argv) == 2
    assert "films has a score of its own" in capsys.readouterr().err
    bank_flags = [*world.config("bank-own", lw.bank_payload("afb", min_scores={"films": 1.0}))]
    bank_flags += ["--index", movies.index, "--maps", maps(world, movies), "--detections", movies.detections]
    found = {}
    for dataset in ("films", "clips"):
        path = tmp_path / f"{dataset}.h5"
        assert bank(texts([*bank_flags, f"--dataset={dataset}", "--out", path])) == 0
        with open_artifact(path, BANK) as file:
            found[dataset] = len(Boxes.read(file))
    with open_artifact(movies.detections) as file:
        scores = Boxes.read(file).scores
    assert found == {"films": int((scores >= 1.0).sum()), "clips": int((scores >= 0.9).sum())}


def test_training_fits_the_colours(world: lw.World, tmp_path: Path) -> None:
    recipe = lw.RECIPE.model_copy(update={"epochs": 30.0, "milestones": (25.0,), "lr": 1e-2, "jitter": 0.0})
    weights = run_train(world, "linear", tmp_path, recipe=recipe)
    history = json.loads((tmp_path / "history.json").read_text())
    assert history["final_loss"] < 0.2 * history["steps"][0]["loss"]
    assert history["validation"]["map"] > 0.9
    assert len(history["steps"]) == 30 * 4, "13 keyframes in batches of 4"
    facts = load_weights(weights).metadata
    assert facts["class_ids"] == [12, 14, 61]
    assert facts["backbone_sha"] == load_weights(world.files["backbone"]).fingerprint


def test_seeds_differ(world: lw.World, tmp_path: Path) -> None:
    tensors = [
        load_weights(run_train(world, "linear", tmp_path / str(seed), seed)).tensors for seed in (0, 1)
    ]
    assert not np.array_equal(tensors[0]["fc.weight"], tensors[1]["fc.weight"])


def test_init_is_the_start(world: lw.World, tmp_path: Path) -> None:
    frozen = lw.RECIPE.model_copy(update={"lr": 1e-12, "warmup_lr": 1e-12, "epochs": 0.3, "milestones": ()})
    start = load_weights(world.files["acar"]).tensors
    for kind in ("acar-acfb", "acar-afb"):
        extra = ["--init", world.files["acar"]]
        tensors = load_weights(run_train(world, kind, tmp_path / kind, extra=extra, recipe=frozen)).tensors
        for name, value in start.items():
            given = tensors[name][:, : value.shape[1]] if name == "fc2.weight" else tensors[name]
            assert np.allclose(given, value, atol=1e-6), name


def test_foreign_files_are_refused(
    world: lw.World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    movies = world.shards[0]
    world.files["other"] = lw.backbone_file(tmp_path / "other.safetensors", seed=5)
    foreign = lw.World(tmp_path, world.shards, world.files)
    run_extract(foreign, movies, tmp_path / "extract", "other")
    shown = load_weights(world.files["other"]).fingerprint[:12]
    argv = predict_flags(foreign, movies, "acar", world.files["acar"], tmp_path / "p.h5")
    assert predict(texts(argv)) == 2
    message = capsys.readouterr().err
    assert shown in message
    assert load_weights(world.files["acar"]).metadata["backbone_sha"][:12] in message
    flags = [*foreign.config("acfb", lw.bank_payload("acfb")), "--index", movies.index]
    flags += ["--maps", maps(foreign, movies), "--detections", movies.detections]
    flags += ["--out", tmp_path / "b.h5", "--head-weights", world.files["acar"]]
    assert bank(texts(flags)) == 2
    argv = texts(train_flags(world, "acar-acfb", tmp_path / "w"))
    argv[argv.index(str(maps(world, movies)))] = str(maps(foreign, movies))
    assert train(argv) == 2
    assert "was made with weights" in capsys.readouterr().err
    assert not (tmp_path / "w/weights.safetensors").exists()


def test_a_bank_of_other_detections_or_kind_is_refused(
    world: lw.World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = lw.write_shard(
        tmp_path,
        "movies",
        [lw.Video("m1", seconds=6), lw.Video("m2", seconds=5), lw.Video("m3", "val", 4)],
        1,
    )
    weights = run_train(world, "acar-acfb", tmp_path / "head")
    moved = lw.Shard(world.shards[0].index, world.shards[0].decode, other.detections)
    assert predict(texts(predict_flags(world, moved, "acar-acfb", weights, tmp_path / "same.h5"))) == 0
    payload = lw.bank_payload("acfb", 0.4)
    flags = [*world.config("acfb-low", payload), "--index", moved.index, "--maps", maps(world, moved)]
    second = run_train(world, "acar", tmp_path / "second", seed=3)
    flags += ["--detections", moved.detections, "--head-weights", second, "--out", tmp_path / "bank.h5"]
    assert bank(texts(flags)) == 0
    argv = texts(predict_flags(world, moved, "acar-acfb", weights, tmp_path / "p.h5"))
    argv[argv.index("--bank") + 1] = str(tmp_path / "bank.h5")
    assert predict(argv) == 2
    assert "head_weights" in capsys.readouterr().err
    argv[argv.index("--bank") + 1] = str(world.folder / "afb/movies.h5")
    assert predict(argv) == 2


def test_data_sets_are_mixed_in_a_ratio(
    world: lw.World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Half a pass over the first shard's data set is half its share of the steps; names must be given."""
    argv = texts(train_flags(world, "linear", tmp_path / "w", ratio={"films": 0.5}))
    assert train(argv) == 2
    assert "name the data set of each --index" in capsys.readouterr().err
    names = ["films", *["clips"] * (len(world.shards) - 1)]
    assert train([*argv, "--datasets", *names]) == 0
    again = [part.replace(str(tmp_path / "w"), str(tmp_path / "again")) for part in argv]
    assert train([*again, "--datasets", *names]) == 0
    first, second, plain = (
        load_weights(path)
        for path in (
            tmp_path / "w/weights.safetensors",
            tmp_path / "again/weights.safetensors",
            run_train(world, "linear", tmp_path / "plain"),
        )
    )
    assert first.fingerprint == second.fingerprint != plain.fingerprint


def test_a_bank_of_the_network_that_it_was_tuned_with_may_be_read(
    world: lw.World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The head reads maps of one backbone and a bank of another; a prediction then wants that very bank."""
    world.files["tuned"] = lw.backbone_file(tmp_path / "tuned.safetensors", seed=7)
    tuned = lw.World(tmp_path, world.shards, world.files)
    for shard in world.shards:
        run_extract(tuned, shard, tmp_path / "extract", "tuned")
    argv = texts(train_flags(world, "acar-acfb", tmp_path / "w"))
    for shard in world.shards:
        argv[argv.index(str(maps(world, shard)))] = str(maps(tuned, shard))
    assert train(argv) == 2
    assert "was made with weights" in capsys.readouterr().err
    payload = lw.train_payload(lw.head_config("acar-acfb")).model_copy(update={"foreign_bank": True})
    argv[argv.index("--config") + 1] = tuned.config("foreign", payload)[1]
    assert train(argv) == 0
    movies, weights = world.shards[0], tmp_path / "w/weights.safetensors"
    answer = texts(predict_flags(tuned, movies, "acar-acfb", weights, tmp_path / "p.h5"))
    answer[answer.index("--bank") + 1] = str(world.folder / "acfb" / movies.index.name)
    assert predict(answer) == 0


def bank_flags(world: lw.World, shard: lw.Shard, name: str, payload: Payload, out: Path) -> list[object]:
    argv = [*world.config(name, payload), "--index", shard.index, "--maps", maps(world, shard)]
    return [*argv, "--detections", shard.detections, "--out", out]


def test_a_bank_of_another_kind_is_no_training_input(
    world: lw.World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for kind, wrong in (("acar-acfb", "afb"), ("acar-afb", "acfb"), ("linear-afb", "acfb")):
        argv = [
            part.replace(f"/{kind.split('-')[1]}/", f"/{wrong}/") if part.endswith(".h5") else part
            for part in texts(train_flags(world, kind, tmp_path / kind))
        ]
        assert train(argv) == 2
        assert f"a bank of kind {wrong}, which a head of kind {kind} cannot read" in capsys.readouterr().err


def test_relation_maps_of_another_width_are_refused(
    world: lw.World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(texts(train_flags(world, "acar-acfb", tmp_path / "w", hidden=6))) == 2
    assert "its maps have 8 channels, the head reads 6" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["linear-afb", "acar-afb"])
def test_banks_pool_as_the_heads_that_read_them(
    world: lw.World, kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same training is refused with ACAR-Net's pooling in the bank, and runs with the head's."""
    like = {"roi_aligned": True, "roi_scale": "pixels"}
    argv = texts(train_flags(world, kind, tmp_path / "head", **like))
    assert train(argv) == 2
    told = capsys.readouterr().err
    assert "pooled with roi_aligned False, those of the head are with True" in told
    assert "make the bank again with roi_aligned: True" in told
    for shard in world.shards:
        out = tmp_path / "afb" / shard.index.name
        assert bank(texts(bank_flags(world, shard, "afb-like", lw.bank_payload("afb", **like), out))) == 0
        argv[argv.index(str(world.folder / "afb" / shard.index.name))] = str(out)
    assert train(argv) == 0
    weights, movies = tmp_path / "head/weights.safetensors", world.shards[0]
    argv = texts(predict_flags(world, movies, kind, weights, tmp_path / "p.h5"))
    capsys.readouterr()
    assert predict(argv) == 2
    assert "pooled with roi_aligned False" in capsys.readouterr().err
    argv[argv.index("--bank") + 1] = str(tmp_path / "afb/movies.h5")
    assert predict(argv) == 0


def test_weights_of_another_kind_than_configured_are_refused(
    world: lw.World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = predict_flags(world, world.shards[0], "linear", world.files["acar"], tmp_path / "p.h5")
    assert predict(texts(argv)) == 2
    assert "of a head of kind acar, the configuration says linear" in capsys.readouterr().err


def test_a_shard_in_whose_bank_nobody_is(world: lw.World, tmp_path: Path) -> None:
    movies = world.shards[0]
    for kind in ("acfb", "afb"):
        extra = ["--head-weights", world.files["acar"]] if kind == "acfb" else []
        out = tmp_path / kind / "movies.h5"
        strict = lw.bank_payload(kind, 0.99)
        assert bank(texts([*bank_flags(world, movies, f"{kind}-strict", strict, out), *extra])) == 0
        head = f"acar-{kind}"
        weights = run_train(world, head, tmp_path / head)
        argv = texts(predict_flags(world, movies, head, weights, tmp_path / "p.h5"))
        argv[argv.index("--bank") + 1] = str(out)
        assert predict(argv) == 0


@pytest.mark.parametrize(
    ("kind", "key", "value"),
    [
        ("linear-afb", "mask_padding", False),
        ("acar-afb", "mask_padding", False),
        ("acar-acfb", "include_live", True),
    ],
)
def test_how_the_bank_is_read_reaches_the_head_and_stays_with_its_weights(
    world: lw.World, kind: str, key: str, value: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    memory = lw.head_config(kind).memory
    assert memory is not None and getattr(memory, key) is not value
    weights = run_train(world, kind, tmp_path / "h", memory=memory.model_copy(update={key: value}))
    plain = run_train(world, kind, tmp_path / "plain")
    assert [getattr(part, key) for part in load_head(weights).head.modules() if hasattr(part, key)] == [value]
    first, second = load_weights(weights).tensors, load_weights(plain).tensors
    assert any(not first[name].equal(second[name]) for name in first), "the training was another one"
    capsys.readouterr()
    argv = predict_flags(world, world.shards[0], kind, weights, tmp_path / "p.h5")
    assert predict(texts(argv)) == 2
    assert f"trained with memory.{key} {str(value).lower()}" in capsys.readouterr().err
    head = lw.head_config(kind, memory=memory.model_copy(update={key: value}))
    same = world.config("same", lw.predict_payload(head))
    assert predict(texts([*same, *argv[len(same) :]])) == 0


def relabelled(source: Path, target: Path, **inputs: str) -> Path:
    """The same bank as if it had been made from other inputs."""
    with open_artifact(source, BANK) as file:
        origin = file.provenance
        origin = dataclasses.replace(origin, inputs={**origin.inputs, **inputs})
        with write_artifact(target, BANK, origin) as writer:
            for name in file.names():
                writer.put(name, file.read(name))
    return target


@pytest.mark.parametrize("part", ["weights", "detections", "head_weights"])
def test_a_bank_of_another_run_is_refused_by_fingerprint(
    world: lw.World, tmp_path: Path, capsys: pytest.CaptureFixture[str], part: str
) -> None:
    movies = world.shards[0]
    foreign = relabelled(world.folder / "acfb/movies.h5", tmp_path / "foreign.h5", **{part: "f" * 64})
    argv = texts(train_flags(world, "acar-acfb", tmp_path / "w"))
    argv[argv.index(str(world.folder / "acfb/movies.h5"))] = str(foreign)
    weights = run_train(world, "acar-acfb", tmp_path / "head")
    capsys.readouterr()
    asked = texts(predict_flags(world, movies, "acar-acfb", weights, tmp_path / "p.h5"))
    asked[asked.index("--bank") + 1] = str(foreign)
    for command, flags in ((train, argv), (predict, asked)):
        assert command(flags) == 2
        told = capsys.readouterr().err
        assert part in told
        assert "f" * 12 in told
        assert str(foreign) in told or str(world.folder / "acfb") in told
        assert "Mend it: give files of one run" in told


def test_a_file_that_is_no_head_is_refused(
    world: lw.World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = predict_flags(world, world.shards[0], "acar", world.files["backbone"], tmp_path / "p.h5")
    assert predict(texts(argv)) == 2
    assert "not the weights of a head (its metadata lacks" in capsys.readouterr().err


def test_flags_that_do_not_fit(world: lw.World, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = texts(train_flags(world, "acar", tmp_path))
    argv.remove(str(world.shards[1].detections))
    assert train(argv) == 2
    assert "--detections" in capsys.readouterr().err
    movies = world.shards[0]
    argv = texts(predict_flags(world, movies, "acar", world.files["acar"], tmp_path / "p.h5"))
    at = argv.index("--views")
    assert predict(argv[:at] + argv[at + 2 :]) == 2
    assert "s64-flip" in capsys.readouterr().err
    assert predict([*argv, "--bank", str(world.folder / "acfb/movies.h5")]) == 2
    assert train([*texts(train_flags(world, "linear", tmp_path)), "--init", str(world.files["acar"])]) == 2
    assert "do not fit" in capsys.readouterr().err


def test_nothing_to_train_on(world: lw.World, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    empty = lw.World(world.folder, world.shards[2:], world.files)
    assert train(texts(train_flags(empty, "linear", tmp_path))) == 2
    assert "no keyframe to train on" in capsys.readouterr().err

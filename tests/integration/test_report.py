"""`python -m stages.report` on small artifacts: the page in a browser, and annotated videos."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from stages.detect.external import read_boxes
from stages.detect.names import spellings
from stages.evaluate.__main__ import main as evaluate_main
from stages.inspect.__main__ import main as inspect_main
from stages.lib.annotations.ava_csv import read_detections
from stages.lib.artifacts.attention import Attention
from stages.lib.artifacts.maps import MapReader, MapWriter
from stages.lib.artifacts.predictions import Predictions
from stages.lib.artifacts.provenance import Provenance
from stages.lib.artifacts.reader import open_artifact
from stages.lib.artifacts.schemas import ATTENTION, EXTRACT, PREDICT
from stages.lib.artifacts.tables import Keyframes
from stages.lib.artifacts.writer import write_artifact
from stages.lib.config.payloads import RelationsPayload
from stages.lib.config.versions import VERSIONS
from stages.lib.metrics.tables import DetectionsTable
from stages.lib.models.builders import build_head
from stages.lib.models.inputs import HeadInput
from stages.lib.models.runtime import keep_threads
from stages.lib.models.weights import save_weights
from stages.lib.video.source import open_video
from stages.lib.video.writer import VideoWriter
from stages.report.__main__ import main
from stages.report.relations import relation_maps
from tests.integration.commands import evaluate_config, named, report_config, write_config
from tests.integration.small_run import (
    CLASSES,
    World,
    detected_boxes,
    draw_world,
    kinds_csv,
    write_decode,
    write_detect,
    write_index,
    write_predict,
)

WORLDS = {
    "movies": [draw_world(1, [("m0", "val"), ("m1", "test")])],
    "clips": [draw_world(3, [("c0", "val"), ("c0", "val"), ("c1", "val")], 6)],
}
Files = Mapping[str, Sequence[Path]]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Files, Files, Files]:
    folder = tmp_path_factory.mktemp("run")
    index = {name: [write_index(folder / name, w) for w in worlds] for name, worlds in WORLDS.items()}
    decode = {
        name: [write_decode(folder / name, w, ["c1"]) for w in worlds] for name, worlds in WORLDS.items()
    }
    predict = {
        name: [write_predict(folder / name, w, 1.0) for w in worlds] for name, worlds in WORLDS.items()
    }
    words = [
        "--config",
        str(evaluate_config(folder)),
        "--index",
        *named(index),
        "--predictions",
        *named(predict),
    ]
    words += [
        "--kinds",
        str(kinds_csv(folder / "kinds.csv")),
        "--views",
        "s128",
        "all",
        "--splits",
        "val",
        "test",
    ]
    assert (
        evaluate_main([*words, "--boxsets", "detected", "truth", "--out-dir", str(folder / "evaluate")]) == 0
    )
    return folder, index, decode, predict


def page(run: tuple[Path, Files, Files, Files], out: Path, *flags: str) -> int:
    _, index, decode, predict = run
    words = [
        "--config",
        str(report_config(out, keyframes=5)),
        "--index",
        *named(index),
        "--decode",
        *named(decode),
    ]
    return main([*words, "--scores", *named(predict), "--out-dir", str(out), *flags])


def test_the_page_and_the_table(run: tuple[Path, Files, Files, Files], tmp_path: Path) -> None:
    (tmp_path / "h.json").write_text(
        json.dumps({"steps": [{"epoch": 1.0, "loss": 0.5}, {"epoch": 2.0, "loss": 0.25}]})
    )
    metrics = run[0] / "evaluate" / "metrics.json"
    assert (
        page(
            run,
            tmp_path,
            "--metrics",
            f"ACAR={metrics}",
            f"Linear={metrics}",
            "--histories",
            f"train/a={tmp_path / 'h.json'}",
        )
        == 0
    )
    html = (tmp_path / "report.html").read_text()
    assert html.count("data:image/jpeg;base64,") == 5
    assert "c1.mp4" not in html.split("<h2>Keyframes</h2>")[1].split("<h2>")[0], (
        "a broken video has no picture"
    )
    assert "training" in html
    value = json.loads(metrics.read_text())["results"]["test"]["detected"]["s128"]["union"]["mAP@0.5IOU"]
    table = (tmp_path / "table.txt").read_text()
    assert f"{100 * value:.2f}" in table
    assert table.index("split test") < table.index("split val")


def test_a_run_without_metrics_still_has_a_page(tmp_path: Path) -> None:
    assert main(["--config", str(report_config(tmp_path)), "--out-dir", str(tmp_path)]) == 0
    assert "Left out" in (tmp_path / "report.html").read_text()
    assert "no metrics" in (tmp_path / "table.txt").read_text()


def test_bad_inputs(
    run: tuple[Path, Files, Files, Files], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "m.json").write_text("{}")
    assert page(run, tmp_path, "--metrics", f"a={tmp_path / 'm.json'}") == 2
    assert "m.json: not a metrics.json of a run" in capfd.readouterr().err
    assert page(run, tmp_path, "--persons", str(tmp_path / "none.json")) == 2
    assert not (tmp_path / "report.html").exists()


@pytest.mark.skipif(shutil.which("chromium") is None, reason="no chromium here")
def test_the_page_renders_in_a_browser(run: tuple[Path, Files, Files, Files], tmp_path: Path) -> None:
    metrics = run[0] / "evaluate" / "metrics.json"
    assert page(run, tmp_path, "--metrics", f"ACAR={metrics}") == 0
    shot = tmp_path / "shot.png"
    words = [
        "chromium",
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        f"--user-data-dir={tmp_path / 'profile'}",
    ]
    words += [f"--screenshot={shot}", "--window-size=1360,2400", f"file://{tmp_path / 'report.html'}"]
    subprocess.run(words, check=True, capture_output=True, timeout=120)
    cv2 = pytest.importorskip("cv2")
    image = cv2.imread(str(shot))
    assert image.shape[1] == 1360
    rows = np.flatnonzero((image != 255).any(axis=(1, 2)))
    assert rows[-1] > 1500, "the page fills the window"
    assert len(np.unique(image.reshape(-1, 3), axis=0)) > 50


def own_world(folder: Path, names: Mapping[str, bytes | None]) -> tuple[World, Path]:
    """Own videos: a good file of 3 seconds for each name without content, else a file with that content."""
    lines = ["video\tpath\tsplit\tstart\tname"]
    for number, (name, content) in enumerate(sorted(names.items())):
        path = folder / name
        if content is None:
            with VideoWriter(path, 20.0) as writer:
                for k in range(60):
                    writer.write(np.full((144, 256, 3), 2 * k, np.uint8), k / 20)
        else:
            path.write_bytes(content)
        lines.append(f"v{number}\t{path}\t\t0\t{name}")
    (folder / "manifest.tsv").write_text("\n".join(lines) + "\n")
    world = draw_world(7, [(f"v{number}", "") for number in range(len(names))], 2)
    index = replace(world.index, name=tuple(sorted(names)), truth_labels=world.index.truth_labels)
    return replace(world, index=index), folder / "manifest.tsv"


def videos(
    folder: Path, world: World, manifest: Path, *flags: str, broken: Sequence[str] = (), least: float = 0.0
) -> int:
    words = ["videos", "--config", str(report_config(folder)), "--index", str(write_index(folder, world))]
    words += ["--decode", str(write_decode(folder, world, broken)), "--manifest", str(manifest)]
    words += [
        "--predictions",
        str(write_predict(folder, world, 1.0, least=least)),
        "--out-dir",
        str(folder / "out"),
    ]
    words += ["--detections", str(write_detect(folder, world))]
    return main([*words, *flags])


def test_own_videos_with_odd_names_and_a_broken_one(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    names = {'my "film" ü.mp4': None, "broken <1>.mp4": b"nothing", "z.mp4": None}
    world, manifest = own_world(tmp_path, names)
    assert videos(tmp_path, world, manifest, "--warn-playground") == 0
    out = tmp_path / "out"
    assert sorted(path.name for path in out.iterdir()) == [
        "boxes.csv",
        "detections.csv",
        "detections.json",
        "index.html",
        "my_film_ü.mp4",
        "my_film_ü.timeline.svg",
        "notes.txt",
        "skipped.csv",
        "z.mp4",
        "z.timeline.svg",
    ]
    with open_video(out / "z.mp4", prefer="pyav") as video:
        assert (video.info.width, video.info.height, video.info.frames) == (256, 144, 60)
        assert video.info.rate == pytest.approx(20)
        frames = {number: picture.rgb() for number, picture in video.read(np.array([0, 22]))}
    assert frames[0].std() < 3, "no keyframe is near the first frame"
    drawn = world.index.truth().of(4)
    assert (drawn.stop > drawn.start) == (frames[22].std() > 5), (
        "people of the keyframe at one second are drawn"
    )
    skipped = list(csv.DictReader((out / "skipped.csv").open()))
    assert [row["name"] for row in skipped] == ["broken <1>.mp4"]
    assert "cannot be read as a video" in skipped[0]["reason"]
    assert "playground only" in (out / "notes.txt").read_text()
    assert "playground only" in capfd.readouterr().err
    table, counts = read_detections(out / "detections.csv")
    assert counts.rows == len(table.video) > 0
    assert set(table.videos) <= {"v0", "v1", "v2"}
    check_listings(out, table, world)


def check_listings(out: Path, table: DetectionsTable, world: World) -> None:
    """The json says what the csv says, the boxes can be given back, the page links to what is there."""
    found = json.loads((out / "detections.json").read_text())
    ids = [one["id"] for one in found["classes"]]
    rows = [
        (video["video"], round(1000 * moment["seconds"]), *person["box"], ids[k], value)
        for video in found["videos"]
        for moment in video["keyframes"]
        for person in moment["people"]
        for k, value in enumerate(person["probabilities"])
    ]
    listed = zip(table.video, table.timestamp_ms, table.boxes, table.class_id, table.score, strict=True)
    expected = [(table.videos[v], int(ms), *box, int(k), score) for v, ms, box, k, score in listed]
    assert sorted(row[:2] + row[6:7] for row in rows) == sorted(row[:2] + row[6:7] for row in expected)
    assert np.allclose(sorted(row[7] for row in rows), sorted(row[7] for row in expected), atol=2e-6)
    fates = {video["name"]: video for video in found["videos"]}
    assert fates["broken <1>.mp4"]["file"] is None
    assert "cannot be read as a video" in fates["broken <1>.mp4"]["note"]
    assert (fates["z.mp4"]["file"], fates["z.mp4"]["width"], fates["z.mp4"]["rate"]) == ("z.mp4", 256, 20.0)
    names = spellings(zip(world.index.keyframes.video_ids, world.index.name, strict=True))
    back = read_boxes(out / "boxes.csv", names, world.index.keyframes.video_ids)
    assert np.allclose(back.boxes, detected_boxes(world).boxes, atol=1e-6)
    page = (out / "index.html").read_text()
    for text in ("my_film_%C3%BC.mp4", "my &quot;film&quot; ü.mp4", "broken &lt;1&gt;.mp4", "Not drawn (1)"):
        assert text in page
    assert page.count("<svg ") == page.count("data:image/jpeg;base64,") == 2


def test_videos_that_decode_could_not_read_are_listed_with_its_reason(tmp_path: Path) -> None:
    world, manifest = own_world(tmp_path, {"a.mp4": None})
    assert videos(tmp_path, world, manifest, broken=["v0"]) == 0
    assert "broken: moov atom <lost>" in (tmp_path / "out" / "skipped.csv").read_text()
    assert not (tmp_path / "out" / "a.mp4").exists()
    assert "playground" not in (tmp_path / "out" / "notes.txt").read_text()


def test_boxes_that_are_not_classified_are_counted(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    world, manifest = own_world(tmp_path, {"a.mp4": None})
    scores = detected_boxes(world).scores
    below = int((scores < 0.9).sum())
    assert 0 < below < len(scores)
    assert videos(tmp_path, world, manifest, least=0.9) == 0
    said = f"{len(scores)} person boxes: {len(scores) - below} classified, {below} below the score"
    assert said in (tmp_path / "out" / "notes.txt").read_text()
    assert said in capfd.readouterr().err


def test_no_people_at_all(tmp_path: Path) -> None:
    world, manifest = own_world(tmp_path, {"a.mp4": None})
    nobody = replace(
        world.index,
        truth_splits=np.zeros(len(world.index.keyframes) + 1, np.int64),
        truth_boxes=np.zeros((0, 4), np.float32),
        truth_labels=np.zeros((0, len(world.index.classes.ids)), np.uint8),
        truth_person=np.zeros(0, np.int32),
    )
    assert videos(tmp_path, replace(world, index=nobody, seed=11), manifest) == 0
    assert (tmp_path / "out" / "a.mp4").exists()


def relation_world(folder: Path, kind: str = "acar") -> list[str]:
    """Flags for the relations of the clips: a head of random weights, maps that fit it, and its predictions."""
    world, weights = WORLDS["clips"][0], folder / "head.safetensors"
    torch.manual_seed(0)
    head = build_head(kind, channels=4, classes=len(CLASSES.ids), reduce=6, hidden=5)
    facts = {
        "family": "head",
        "kind": kind,
        "channels": 4,
        "reduce": 6,
        "hidden": 5,
        "depth": 1,
        "output_kernel": 1,
    }
    facts |= {"class_ids": CLASSES.ids, "class_names": CLASSES.names, "backbone_sha": "4" * 64}
    mark = save_weights(weights, head.state_dict(), facts)
    maps = folder / "maps.h5"
    with write_artifact(maps, EXTRACT, Provenance("extract", 1, "{}", {"weights": "4" * 64})) as writer:
        world.index.keyframes.write(writer)
        rows = MapWriter(writer, "views/s128/")
        for _ in range(len(world.index.keyframes)):
            rows.append(torch.randn(4, 8, 12).numpy())
        rows.finish()
    with open_artifact(write_predict(folder, world, 1.0), PREDICT) as artifact:
        predictions = Predictions.read(artifact)
    with write_artifact(
        folder / "predict.h5", PREDICT, Provenance("predict", 1, "{}", {"weights": mark})
    ) as writer:
        predictions.write(writer)
    payload = RelationsPayload(version=VERSIONS["report"], threads=1, relations=3)
    words = ["attention", "--config", str(write_config(folder / "relations.json", payload))]
    words += ["--index", str(write_index(folder, world)), "--maps", str(maps), "--name", "acar/seed0"]
    return [*words, "--predictions", str(folder / "predict.h5"), "--weights", str(weights)]


def test_relations_are_read_checked_and_drawn(
    run: tuple[Path, Files, Files, Files], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = relation_world(tmp_path)
    with keep_threads():
        for name in ("a.h5", "b.h5"):
            assert main([*words, "--out", str(tmp_path / name)]) == 0
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()
    assert inspect_main(["check", str(tmp_path / "a.h5")]) == 0
    assert page(run, tmp_path, "--attention", f"clips={tmp_path / 'a.h5'}") == 0
    section = (
        (tmp_path / "report.html").read_text().split("<h2>Where relations look</h2>")[1].split("<h2>")[0]
    )
    assert section.count("data:image/jpeg;base64,") in (2, 4, 6), "two for each person whose frame is stored"
    assert page(run, tmp_path) == 0
    assert "<h2>Where relations look</h2>" not in (tmp_path / "report.html").read_text()
    capfd.readouterr()


def test_relations_are_those_of_the_keyframe_that_is_named(tmp_path: Path) -> None:
    """Every shown picture again, from the map that the file of maps holds for that keyframe."""
    words, out = relation_world(tmp_path), tmp_path / "a.h5"
    with keep_threads():
        assert main([*words, "--out", str(out)]) == 0
    head = build_head("acar", channels=4, classes=len(CLASSES.ids), reduce=6, hidden=5).eval()
    head.load_state_dict(load_file(tmp_path / "head.safetensors"))
    with open_artifact(out, ATTENTION) as artifact, open_artifact(tmp_path / "maps.h5", EXTRACT) as maps:
        shown, reader = Attention.read(artifact), MapReader(maps, "views/s128/")
        wanted_keys, all_keys = shown.keyframes.keys(), Keyframes.read(maps).keys()
        rows = [all_keys.index(key) for key in wanted_keys]
        for number, row in enumerate(rows):
            own = shown.boxes.of(number)
            inputs = HeadInput(
                torch.from_numpy(reader.read(row))[None],
                torch.from_numpy(shown.boxes.boxes[own]),
                torch.zeros(own.stop - own.start, dtype=torch.int64),
            )
            with torch.inference_mode():
                others_Nhw = relation_maps(head, inputs).others_Nhw
            wanted = others_Nhw[shown.box_M[number] - own.start].numpy()
            np.testing.assert_allclose(shown.maps[number][0], wanted, rtol=2e-3, atol=1e-4)
    assert len(set(rows)) > 1


def test_relations_of_a_wrong_head_are_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out = ["--out", str(tmp_path / "out.h5")]
    with keep_threads():
        assert main([*relation_world(tmp_path, "linear"), *out]) == 2
        assert "a head of kind linear has no relations" in capfd.readouterr().err
        words = relation_world(tmp_path)
        foreign = write_predict(tmp_path, WORLDS["clips"][0], 0.5)
        words[words.index("--predictions") + 1] = str(foreign)
        assert main([*words, *out]) == 2
        assert "was made with weights 222222222222" in capfd.readouterr().err
    assert not (tmp_path / "out.h5").exists()

"""The files that the command writes: formats, rates, B-frames, bytes."""

from __future__ import annotations

import csv
import io
import json
import re
from fractions import Fraction
from pathlib import Path

import av
import pytest
from av.video.frame import PictureType

from stages.lib.config.playground import CLIPS, MOVIES, playground_videos
from stages.lib.config.synthesize import ClipsConfig, MoviesConfig, SynthesizeConfig
from stages.lib.config.versions import VERSIONS
from stages.synthesize.__main__ import main
from stages.synthesize.annotations import annotation_files
from stages.synthesize.batch import make_videos
from stages.synthesize.core import plan, tasks
from stages.synthesize.timeline import RATES, WIDE_SIZES

CONFIG = SynthesizeConfig(
    movies=MoviesConfig(train=4, val=1, test=1, seconds=9),
    clips=ClipsConfig(train=8, val=1, test=1, classified_train=2, classified_val=1),
)
NUMBER = r"(0\.\d{%d}|1\.0{%d})"
AVA_ROW = re.compile(rf"movie-(train|val|test)-\d\d,\d{{4}},({NUMBER % (3, 3)},){{4}}\d+,\d+")
KINETICS_ROW = re.compile(rf"[\w-]{{11}},\d+\.\d{{6}}(,({NUMBER % (6, 6)},){{4}}\d+)?")


def run(tmp_path: Path, dataset: str, name: str, workers: int) -> Path:
    payload = {"version": VERSIONS["synthesize"], "synthesize": CONFIG.model_dump(mode="json")}
    config = tmp_path / "config.json"
    config.write_text(json.dumps(payload))
    target = tmp_path / name
    flags = ["--config", str(config), "--dataset", dataset, "--workers", str(workers)]
    flags += ["--out-videos", str(target / "videos"), "--out-annotations", str(target / "annotations")]
    assert main(flags) == 0
    return target


@pytest.fixture(scope="module", params=[MOVIES, CLIPS])
def written(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    return request.param, run(tmp_path_factory.mktemp("written"), request.param, "one", 1)


def test_every_listed_video_is_there_and_nothing_else(written: tuple[str, Path]) -> None:
    dataset, folder = written
    names = {path.name for path in (folder / "videos").iterdir()}
    assert names == {video.file for video in playground_videos(CONFIG, dataset)}
    assert {path.name for path in folder.iterdir()} == {"videos", "annotations"}


def test_formats_of_the_videos(written: tuple[str, Path]) -> None:
    dataset, folder = written
    rates: set[Fraction] = set()
    for video in playground_videos(CONFIG, dataset):
        with av.open(str(folder / "videos" / video.file)) as container:
            stream = container.streams.video[0]
            size, rate = (stream.width, stream.height), stream.average_rate
            frames = list(container.decode(video=0))
        kinds = [PictureType(frame.pict_type).name for frame in frames]
        assert stream.codec_context.name == "h264"
        assert len(frames) == round(float(frames[-1].pts * frames[-1].time_base * rate)) + 1
        if video.purpose == "annotated":
            assert size in WIDE_SIZES
            assert rate in RATES
        else:
            assert size == (114, 130)
        assert ("B" in kinds) == (dataset == MOVIES and video.video.endswith("-00"))
        if dataset == CLIPS:
            assert len(frames) == round(10 * rate)
        rates.add(rate)
    if dataset == MOVIES:
        assert rates == {Fraction(24), Fraction(25), Fraction(30), Fraction(30000, 1001)}
    assert all(side % 2 == 0 and side % 16 != 0 for pair in WIDE_SIZES for side in pair)


def test_official_csv_forms(written: tuple[str, Path]) -> None:
    dataset, folder = written
    notes = folder / "annotations"
    files = [
        f"ava_{s}_v2.2.csv" if dataset == MOVIES else f"kinetics_{s}_v1.0.csv"
        for s in ("train", "val", "test")
    ]
    pattern = AVA_ROW if dataset == MOVIES else KINETICS_ROW
    for name in files:
        lines = (notes / name).read_text().splitlines()
        assert lines
        for line in lines:
            assert pattern.fullmatch(line), line
    if dataset == MOVIES:
        excluded = (notes / "ava_train_excluded_timestamps_v2.2.csv").read_text().splitlines()
        assert {f"movie-train-{n:02d},0000" for n in range(4)} <= set(excluded)
        assert all(re.fullmatch(r"movie-train-\d\d,\d{4}", line) for line in excluded)
    else:
        rows = list(csv.DictReader((notes / "kinetics_train_classes.csv").open()))
        assert list(rows[0]) == ["label", "youtube_id", "time_start", "time_end", "split"]
        assert len(rows) == CONFIG.clips.classified_train
        assert all(int(row["time_end"]) - int(row["time_start"]) == 10 for row in rows)
    label_map = (notes / "ava_action_list_playground.pbtxt").read_text()
    assert len(re.findall(r'item \{\n  name: "[^"]+"\n  id: \d+\n\}\n', label_map)) == 16
    kinds = list(csv.DictReader((notes / "action_kinds.csv").open()))
    assert {row["kind"] for row in kinds} == {"a", "b", "c", "d"}


def test_empty_keyframes_have_two_columns() -> None:
    cfg = SynthesizeConfig(clips=ClipsConfig(train=40, val=0, test=0, empty_share=0.5, classified_train=0))
    truths = [(task, plan(cfg, task)[1]) for task in tasks(cfg, CLIPS) if task.video.purpose == "annotated"]
    text = annotation_files(CLIPS, truths, 8)["kinetics_train_v1.0.csv"]
    short = {row[0] for row in csv.reader(io.StringIO(text)) if len(row) == 2}
    assert short == {task.video.video for task, (truth,) in truths if not truth.people}
    assert 10 <= len(short) <= 30


def test_the_hidden_truth_agrees_with_the_official_labels(written: tuple[str, Path]) -> None:
    dataset, folder = written
    notes = folder / "annotations"
    pattern = "ava_*_v2.2.csv" if dataset == MOVIES else "kinetics_*_v1.0.csv"
    official = set()
    for path in notes.glob(pattern):
        if "excluded" not in path.name:
            rows = [row for row in csv.reader(path.open()) if len(row) > 2]
            official |= {(row[0], row[1], round(float(row[2]), 3), int(row[6])) for row in rows}
    checked = 0
    for row in csv.DictReader((notes / "people.csv").open()):
        if row["matched_class"]:
            key = (row["video"], row["timestamp"], round(float(row["x1"]), 3), int(row["matched_class"]))
            assert (key in official) == (row["positive"] == "1")
            checked += 1
    assert checked > 5


@pytest.mark.fault("F20")
def test_equal_seeds_give_equal_bytes_whatever_the_number_of_processes(tmp_path: Path) -> None:
    small = CONFIG.model_copy(update={"movies": MoviesConfig(train=1, val=1, test=0, seconds=6)})
    texts = []
    for workers in (1, 2):
        folder = tmp_path / str(workers)
        folder.mkdir()
        truths = make_videos(small, MOVIES, folder, workers)
        texts.append(annotation_files(MOVIES, truths, 8))
    assert texts[0] == texts[1]
    for path in (tmp_path / "1").iterdir():
        assert path.read_bytes() == (tmp_path / "2" / path.name).read_bytes()
    other = small.model_copy(update={"seed": 1})
    name = "ava_train_v2.2.csv"
    truths = [(task, plan(other, task)[1]) for task in tasks(other, MOVIES)]
    assert annotation_files(MOVIES, truths, 8)[name] != texts[0][name]

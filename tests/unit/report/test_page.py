"""The report's parts: tables, captions, escaping, charts, pictures, and what is left out."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.lib.config.load import load_config
from stages.lib.errors import StageError
from stages.report.core import Material, build_page, plain_tables
from stages.report.costs import Cost, spell_bytes, spell_seconds, stage_costs
from stages.report.coverage import coverage_html, read_coverage
from stages.report.curves import history_charts, last_numbers, loss_curve
from stages.report.ensemble import ensemble_html, optimism_statement
from stages.report.html import Measured, best_cells, esc, table
from stages.report.metrics import Model
from stages.report.pictures import BAD, GOOD, MISSED, Picture, card, people_of
from stages.report.sheets import Shot
from stages.report.svg import Bar, Line, bar_chart, heat_map, line_chart
from stages.report.tables import bank_statement, main_table, view_table
from tests.unit.report.error_tables import everything_wrong
from tests.workflow.flow import read_config

FAULTS = ("missing", "broken", "cut_off", "too_short")
EVIL = '<script>alert("x")</script>&\'"'


def table_of(value: float, d: float) -> dict[str, object]:
    rows = [
        {"id": 1, "name": EVIL, "kind": "a", "ap": value, "truths": 4, "detections": 9},
        {"id": 2, "name": "listen", "kind": "d", "ap": d, "truths": 2, "detections": 9},
    ]
    counts = {"keyframes": 1234, "truths": 60}
    return {
        "mAP@0.5IOU": (value + d) / 2, "dialect": "official", "by_kind": {"a": value, "d": d},
        "per_class": rows, "counts": counts, "notes": [],
    }  # fmt: skip


def model(name: str, *values: tuple[float, float], members: tuple[str, ...] = ()) -> Model:
    """A model with one seed per value, the same everywhere but a tenth better on ground-truth boxes and 0.05 on all views."""
    seeds = []
    for value, d in values:
        by_boxes = {}
        for boxset, gain in (("detected", 0.0), ("truth", 0.1)):
            one = {n: table_of(value + gain, d) for n in ("movies", "union")}
            both = {n: table_of(value + gain + 0.05, d) for n in ("movies", "union")}
            by_boxes[boxset] = {"all": both} if members else {"all": both, "s128": one}
        seeds.append(
            {
                "metric": "mAP@0.5IOU",
                "classes": [{"id": 1, "name": EVIL, "kind": "a"}, {"id": 2, "name": "listen", "kind": "d"}],
                "members": list(members),
                "choices": ["s128", "s144", "all:prob", "all"],
                "views": {"all": ["fused"] if members else ["s128", "s144"], "s128": ["s128"]},
                "results": {"val": by_boxes},
            }
        )
    return Model(name, tuple(seeds))


class Checker(HTMLParser):
    """Collects tags and refuses tags that are not closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        assert not any(name.startswith("on") for name, _ in attrs)
        if tag not in ("meta", "br", "image", "rect"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def full_material() -> Material:
    persons = {
        "AP": 0.9, "AP_coco": 0.89, "keyframes": 3, "truths": 4, "boxes": 5,
        "curve": {"recall": [0.5, 1.0], "precision": [1.0, 0.8], "score": [0.9, 0.5]},
    }  # fmt: skip
    weights = {
        "members": ["acar:0", EVIL], "classes": [{"id": 1, "name": EVIL}], "weights": [[0.25], [0.75]],
        "ap": [[0.1], [0.3]], "mean_ap": [0.1, None], "rule": "ap", "fit_split": "val", "fit_datasets": [],
        "notes": ["classes …"], "view_average": "logit", "dialect": "official", "ensemble_mean_ap": 0.4,
        "worth": [0.01, -0.002],
        "held_out": {
            "videos": [2, 3], "in_sample": [0.42, 0.38], "held_out": [0.41, 0.37], "uniform": [0.3, None],
            "best_member": [0.35, 0.33], "optimism": 0.01,
        },
    }  # fmt: skip
    people = people_of(
        np.array([[0, 0, 0.5, 1]], np.float32), np.array([[1, 0]], np.uint8),
        np.array([[0, 0, 0.5, 0.9]], np.float32), np.array([[0.9, 0.4]]), (EVIL, "b"), 2, 0.3,
    )  # fmt: skip
    errors = everything_wrong(EVIL)
    return Material(
        run=EVIL,
        errors=errors,
        shots={
            cause: [Shot(one, b"\xff\xd8jpeg", (64, 32)) for one in found]
            for cause, found in errors["examples"].items()
        },
        models=[
            model("Linear", (0.2, 0.1)),
            model(EVIL, (0.4, 0.3)),
            model("ensemble", (0.5, 0.4), members=("a", "b")),
        ],
        persons={"results": {"val": {"movies": persons}}},
        histories={f"train/{EVIL}": {"steps": [{"epoch": 0.5, "loss": 2.0}, {"epoch": 1.0, "loss": 1.0}]}},
        weights=weights,
        coverage={"clips": [{"video": EVIL, "split": "val", "state": "broken", "reason": EVIL}]},
        class_coverage={
            EVIL: [{"split": "val", "name": EVIL, "boxes": "8", "lost": "2"} | dict.fromkeys(FAULTS, "1")]
        },
        costs=[Cost("train", 2, 71.0, 900.0, 3, 12_345_678)],
        pictures=[Picture(EVIL, b"\xff\xd8jpeg", (64, 32), people)],
        bank=(EVIL, "Linear", "", "d"),
        configuration=EVIL,
        origins=[(EVIL, "f" * 64)],
    )


@pytest.mark.fault("S")
def test_the_page_is_whole_and_nothing_is_left_unescaped() -> None:
    html = build_page(full_material())
    checker = Checker()
    checker.feed(html)
    assert checker.open == []
    assert checker.seen.count("script") == 1
    assert "alert(" in html
    assert EVIL not in html
    assert not re.search(r"https?:|src=|url\(|@import", html)
    for title in (
        "Results",
        "Detectors and boxes",
        "Views and ensemble",
        "Classes",
        "Keyframes",
        "Training",
        "Coverage",
    ):
        assert f"<h2>{title}</h2>" in html
    assert "Left out" not in html
    for anchor in re.findall(r'href="#(\w+)"', html):
        assert f'id="{anchor}"' in html


def test_an_empty_run_says_what_is_missing() -> None:
    html = build_page(Material(run="own"))
    assert "<h2>Left out</h2>" in html
    assert "Results, Detectors and boxes" in html
    assert "no metrics" in plain_tables(Material(run="own"))


@pytest.mark.fault("S")
@given(st.text(max_size=40))
def test_escaped_text_has_no_markup(text: str) -> None:
    assert not set('<>"') & set(esc(text))


def test_the_main_table_shows_the_single_view_and_marks_the_best() -> None:
    grid = main_table([model("Linear", (0.2, 0.1)), model("ACAR", (0.4, 0.3))], "val")
    assert grid.head == ("model", "union", "movies", "a body", "d long-term")
    assert grid.rows[1] == ("ACAR (single view s128)", "35.00", "35.00", "40.00", "30.00")
    assert "dialect official" in grid.caption
    assert "split val" in grid.caption
    assert "1,234 keyframes" in grid.caption
    assert best_cells(grid.numbers) == {(1, 1), (1, 2), (1, 3), (1, 4)}
    text = grid.text().splitlines()
    assert len({len(line) for line in (text[0], text[2], text[3])}) == 1


def test_the_ensemble_says_what_its_weights_are_worth_elsewhere() -> None:
    weights = full_material().weights
    said = optimism_statement(weights)
    assert (
        "reaches 39.00 mAP (dialect official), on those of the fit 40.00: an optimism of +1.00 points" in said
    )
    assert "reaches 34.00 on the other; the ensemble is worth +5.00 points" in said
    html = ensemble_html(weights)
    assert "first half (2 videos)" in html and ">-0.20<" in html and ">+1.00<" in html
    blank = {key: [0.1, None] for key in ("in_sample", "held_out", "best_member")}
    assert "is unknown" in optimism_statement({**weights, "held_out": {**weights["held_out"], **blank}})
    assert "half" not in ensemble_html({**weights, "held_out": None, "worth": []})
    assert ensemble_html({}) == ""
    assert 'class="finding"' in html and "warning" not in html
    worse = {**weights, "held_out": {**weights["held_out"], "best_member": [0.5, 0.4]}}
    assert 'class="warning"' in ensemble_html(worse), "a member that is better alone stands out"


def test_the_dialect_stands_beside_every_map() -> None:
    material = full_material()
    material.histories["train/acar"] = {"steps": [{"loss": 1.0}], "validation": {"map": 0.5}}
    html = build_page(material)
    texts = re.findall(r"<(?:caption|figcaption|p class=\"(?:finding|warning)\")>(.*?)</", html)
    texts += re.findall(r"<td>([^<]*mAP[^<]*)</td>", html)
    about = [text for text in texts if re.search(r"\bm?AP\b|reaches", text)]
    assert len(about) >= 9
    assert [text for text in about if "dialect" not in text] == []
    tables = re.findall(r"<caption>(.*?)</caption><thead>(.*?)</thead>", html)
    scored = [caption for caption, head in tables if re.search(r"AP|union|ensemble|Linear", head)]
    assert len(scored) >= 5 and all("dialect" in caption for caption in scored)


def test_columns_of_numbers_are_found_and_short_tables_are_not_sorted() -> None:
    rows = [("a", "1,234.5", "3f", Measured("2 min", 120.0)), ("b", None, "33", Measured("1 h", 3600.0))]
    html = table(("name", "count", "mark", "time"), rows, "c")
    assert re.findall(r"<th( class=num)?>(\w+)", html) == [
        ("", "name"), (" class=num", "count"), ("", "mark"), (" class=num", "time"),
    ]  # fmt: skip
    assert 'data-key="120.0">2 min<' in html and 'class="sortable"' not in html
    assert 'class="sortable"' in table(("name", "count", "mark", "time"), rows * 2, "c")
    assert 'class="sortable long"' in table(("name", "count", "mark", "time"), rows * 10, "c")


def test_every_view_and_both_averages_have_a_column() -> None:
    head = model("ACAR", (0.4, 0.3))
    tables = head.seeds[0]["results"]["val"]["detected"]
    tables["all:prob"] = tables["s144"] = tables["all"]
    head.seeds[0]["views"].update({"all:prob": ["s128", "s144"], "s144": ["s144"]})
    grid = view_table([head, model("ensemble", (0.5, 0.4), members=("a", "b"))], "val")
    assert grid.head == ("model", "s128", "s144", "all, logits averaged", "all, probabilities averaged")
    assert grid.rows[0][1:] == ("35.00", "37.50", "37.50", "37.50")
    assert grid.rows[1] == ("ensemble (2 members)", "–", "–", "47.50", "–")


def test_several_seeds_give_mean_and_deviation() -> None:
    grid = main_table([model("ACAR", (0.4, 0.3), (0.6, 0.3))], "val")
    assert grid.rows[0][1] == "40.00 ± 7.07"
    assert "2 seeds" in grid.caption


def test_the_banks_gain_is_that_over_its_control() -> None:
    models = [model("ACAR", (0.4, 0.3)), model("ACAR+ACFB", (0.4, 0.5)), model("control", (0.4, 0.42))]
    said = bank_statement(models, "val", "ACAR+ACFB", "control", "ACAR", "d")
    assert "reaches 50.00 against 30.00 of ACAR (+20.00)" in said
    assert "worth +8.00 points" in said
    assert "one seed" in said
    assert bank_statement(models, "test", "ACAR+ACFB", "control", "ACAR", "d") == ""
    assert bank_statement(models, "val", "", "", "", "d") == ""
    assert "worth" not in bank_statement(models, "val", "ACAR+ACFB", "absent", "ACAR", "d")


def test_people_are_matched_and_their_labels_judged() -> None:
    truth = np.array([[0, 0, 0.5, 1], [0.6, 0, 0.9, 1]], np.float32)
    labels = np.array([[1, 0, 1], [0, 1, 0]], np.uint8)
    boxes = np.array([[0, 0, 0.48, 1], [0.7, 0.7, 0.8, 0.8]], np.float32)
    scores = np.array([[0.9, 0.6, 0.2], [0.8, 0.1, 0.1]])
    found = people_of(truth, labels, boxes, scores, ("sit", "walk", "talk"), 2, 0.3)
    assert [person.found for person in found] == [GOOD, BAD, MISSED]
    assert found[0].labels == (("sit 0.90", GOOD), ("walk 0.60", BAD), ("talk", MISSED))
    assert found[1].labels == (("sit 0.80", BAD),)
    assert found[2].labels == (("walk", MISSED),)


@pytest.mark.parametrize(("truths", "boxes"), [(0, 0), (0, 2), (2, 0)])
def test_keyframes_without_people_or_boxes(truths: int, boxes: int) -> None:
    found = people_of(
        np.full((truths, 4), [0, 0, 1, 1], np.float32), np.zeros((truths, 1), np.uint8),
        np.full((boxes, 4), [0, 0, 1, 1], np.float32), np.zeros((boxes, 1)), ("x",), 3, 0.3,
    )  # fmt: skip
    assert [person.found for person in found] == [BAD] * boxes + [MISSED] * truths
    assert "no action" in card(Picture("t", b"", (10, 10), found)) or not found


def test_charts_are_well_formed_and_to_scale() -> None:
    chart = ET.fromstring(bar_chart([Bar(EVIL, (0.5, None), "#123456")], ("one", "two")))
    lengths = [float(item.attrib["width"]) for item in chart.iter("rect")]
    assert lengths == [260.0, 0.0]
    ET.fromstring(heat_map([EVIL], ["a", "b"], [[0.5, None]]))
    lines = ET.fromstring(line_chart([Line(EVIL, [0, 1], [0, 1]), Line("none", [], [])], "x", "y"))
    points = [
        tuple(map(float, pair.split(","))) for pair in next(lines.iter("polyline")).attrib["points"].split()
    ]
    assert points[0][0] < points[1][0]
    assert points[0][1] > points[1][1]
    ET.fromstring(line_chart([Line("flat", [1, 1], [2, 2])], "x", "y"))


def test_curves_are_found_in_any_history() -> None:
    axis, x, y = loss_curve({"seed": 0, "steps": [{"epoch": e / 10, "loss": 1.0} for e in range(1000)]})  # type: ignore[misc]
    assert axis == "epoch"
    assert len(x) == 120
    assert set(y) == {1.0}
    assert loss_curve([{"iteration": 3, "loss": 2.0}]) == ("iteration", [3.0], [2.0])
    assert loss_curve({"a": [{"x": 1}], "b": 3}) is None
    assert (
        last_numbers({"final_loss": 0.12345, "ok": True, "validation": {"top1": 92.5}})
        == "final loss 0.1235, val top1 92.5"
    )


def test_costs_come_from_benchmarks_and_folders(tmp_path: Path) -> None:
    (tmp_path / "bench" / "train").mkdir(parents=True)
    (tmp_path / "bench" / "train" / "a.tsv").write_text(
        "s\th:m:s\tmax_rss\n10.5\t0:00:10\t100\n2\t0:00:02\t-\n"
    )
    (tmp_path / "bench" / "report.tsv").write_text("s\tmax_rss\n1\t50\n")
    (tmp_path / "results" / "train" / "x").mkdir(parents=True)
    (tmp_path / "results" / "train" / "x" / "w").write_bytes(bytes(1500))
    train, report = stage_costs(tmp_path / "bench", tmp_path / "results", ["train", "report"])
    assert (train.jobs, train.seconds, train.peak_mib, train.files, train.size) == (2, 12.5, 100.0, 1, 1500)
    assert (report.jobs, report.peak_mib, report.files) == (1, 50.0, 0)
    assert stage_costs(None, tmp_path / "none", []) == []
    assert spell_seconds(7384) == "2 h 03 min"
    assert spell_bytes(1500) == "1.5 KB"


def test_costs_of_what_the_run_no_longer_makes_do_not_count(tmp_path: Path) -> None:
    config = load_config(read_config("playground"))
    for name in (
        "train/acar/seed0",
        "train/acar/seed9",
        "train/removed/seed0",
        "detect/movies/playground-clips/000-of-001",
        "detect/clips/playground-movies/000-of-002",
        "index/playground-movies/001-of-002",
        "index/playground-movies/001-of-003",
        "persons",
    ):
        bench, result = tmp_path / "bench" / f"{name}.tsv", tmp_path / "results" / name / "f.h5"
        for path in (bench, result):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("s\tmax_rss\n10\t100\n")
    costs = {cost.stage: cost for cost in stage_costs(tmp_path / "bench", tmp_path / "results", [], config)}
    found = {stage: (cost.jobs, cost.files) for stage, cost in costs.items()}
    assert found == dict.fromkeys(("train", "detect", "index", "persons"), (1, 1))


def test_pretraining_and_detectors_show_what_they_measured() -> None:
    epochs = [
        {"epoch": 1.0, "loss": 2.5, "lr": 0.1, "train_top1": 0.25, "val_top1": None, "val_top5": None},
        {"epoch": 1.5, "loss": 1.25, "lr": 0.05, "train_top1": 0.5, "val_top1": 0.75, "val_top5": 0.875},
    ]
    validations = [{"iteration": 30, "ap50": 0.5}, {"iteration": 60, "ap50": 0.625}]
    html = history_charts(
        {"pretrain/small": {"epochs": epochs}, "train_detector/movies": {"validations": validations}}
    )
    assert html.count("<figure") == 3, "loss, top-1 and AP"
    assert "small train" in html and "small val" in html and "AP@50" in html
    numbers = last_numbers({"classes": ["a"], "epochs": epochs})
    assert "loss 1.25" in numbers and "train top1 0.5" in numbers and "val top1 0.75" in numbers


def test_further_detectors_stand_in_the_table() -> None:
    tables = dict(full_material().persons["results"]["val"])
    tables["a on b"] = tables["movies"] | {"detector": "a", "dataset": "b"}
    html = build_page(Material(run="r", persons={"results": {"val": tables}}))
    assert ">boxes of detector a on b<" in html
    assert "a on b" not in html.replace("boxes of detector a on b", "")


def test_whole_videos_are_called_so() -> None:
    whole = {"video": "a", "state": "ok", "reason": "", "keyframes": "3", "usable": "3"}
    assert "Every video was read whole" in coverage_html({"d": [whole]}, {})


@pytest.mark.parametrize(
    ("change", "shown"),
    [
        ({"usable": "1"}, ">2<"),
        ({"reason": "cut off"}, ">cut off<"),
        ({"state": "other rate"}, ">other rate<"),
    ],
)
def test_every_video_that_lacks_something_is_listed(change: dict[str, str], shown: str) -> None:
    whole = {"name": "a film.mp4", "state": "ok", "reason": "", "keyframes": "3", "usable": "3"}
    html = coverage_html({"d": [whole, whole | {"name": "cut.mp4"} | change]}, {})
    assert "cut.mp4" in html and shown in html
    assert "a film.mp4" not in html and "read whole" not in html


def test_clips_that_pretraining_skipped_are_shown() -> None:
    history = {"skipped": {"train": [{"name": EVIL, "status": "broken", "reason": "no moov"}], "val": []}}
    html = build_page(Material(run="r", histories={"pretrain/small": history}))
    assert "1 classified clips that pre-training could not use" in html and "no moov" in html
    assert EVIL not in html
    sound = build_page(Material(run="r", histories={"pretrain/small": {"skipped": {"train": []}}}))
    assert "Every classified clip" in sound


def test_lost_labels_are_summed_by_split_and_shown_by_class() -> None:
    lost = {"video": "b", "state": "missing", "reason": "gone", "keyframes": "3", "usable": "0"}
    none = dict.fromkeys(FAULTS, "0")
    sit = none | {"split": "val", "name": "sit", "boxes": "3", "lost": "2", "missing": "1", "cut_off": "1"}
    stand = none | {"split": "val", "name": "stand", "boxes": "5", "lost": "0"}
    html = coverage_html({"d": [lost]}, {"d": [sit, stand], "e": [stand]})
    assert ">25.00<" in html and ">66.67<" in html
    assert "<td>sit</td>" in html and "stand" not in html and "<td>e</td>" not in html


def test_a_long_list_of_videos_is_cut_at_those_that_lost_least() -> None:
    rows = [{"name": f"v{n}.mp4", "state": "missing", "keyframes": str(n), "usable": "0"} for n in range(305)]
    html = coverage_html({"d": rows}, {})
    assert "5 more stand in videos.csv" in html
    assert "v304.mp4" in html and "v5.mp4" in html and "v4.mp4" not in html


def test_both_ways_of_counting_missing_keyframes_are_shown_where_some_are() -> None:
    missing = {
        "keyframes": 7, "labels": 9, "counted": "ignore", "mAP": {"count-as-miss": 0.125, "ignore": 0.25},
    }  # fmt: skip

    def page_with(missing: dict[str, object]) -> str:
        one = model("ACAR", (0.25, 0.25))
        for seed in one.seeds:
            for tables in seed["results"]["val"]["detected"].values():
                tables["union"]["missing"] = missing
        material = Material(run="r", models=[one])
        assert ("missing keyframes" in plain_tables(material)) == bool(missing["keyframes"])
        return build_page(material)

    html = page_with(missing)
    assert ">12.50<" in html
    assert "Of 7 keyframes with 9 labels the video or its frames are missing" in html
    assert "evaluate.missing says: ignore" in html
    same = missing | {"keyframes": 0, "labels": 0, "mAP": {"count-as-miss": 0.25, "ignore": 0.25}}
    assert "missing keyframes" not in page_with(same)


def test_coverage_needs_a_state(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text('video,state,reason\na,ok,\nb,broken,"no moov, none"\n')
    assert [row["reason"] for row in read_coverage(tmp_path / "c.csv")] == ["", "no moov, none"]
    (tmp_path / "d.csv").write_text("video\tstatus\n")
    with pytest.raises(StageError, match="no column state"):
        read_coverage(tmp_path / "d.csv")

"""The report's page in a real browser: it loads nothing, complains of nothing, sorts, fits the window and prints."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stages.lib.video.jpeg import encode_jpeg
from stages.report.core import Material, build_page
from stages.report.costs import Cost
from stages.report.html import Measured, Section, page, table
from stages.report.looks import Look
from stages.report.metrics import Model
from stages.report.pictures import BAD, GOOD, MISSED, Person, Picture
from stages.report.sheets import Shot
from tests.unit.report.error_tables import all_classes_wrong
from tests.unit.report.test_page import full_material

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(
    BROWSER is None, reason="no chromium, chromium-browser or google-chrome is installed"
)
PAGES = 8  # of paper: two splits of 60 classes, 6 models, 12 keyframes, 8 relations, 4 errors of each cause
PROBE = """
const found = document.createElement('pre');
found.id = 'probe';
found.textContent = JSON.stringify((() => { %s })());
document.body.append(found);
"""


def browse(folder: Path, html: str, *flags: str) -> subprocess.CompletedProcess[str]:
    """Opens a page in a window of 1280 pixels; what it prints, and what it complains of on stderr."""
    (folder / "page.html").write_text(html, encoding="utf-8")
    assert BROWSER is not None
    words = [
        BROWSER,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        "--window-size=1280,900",
    ]
    words += ["--enable-logging=stderr", f"--user-data-dir={folder / 'profile'}", *flags]
    return subprocess.run(
        [*words, (folder / "page.html").as_uri()], capture_output=True, text=True, timeout=120, check=True
    )


def ask(folder: Path, html: str, script: str) -> Any:
    """What a script returns that runs in the page when it has been loaded; nothing may have been complained of."""
    probe = f"<script>{PROBE % script}</script></body>"
    done = browse(folder, html.replace("</body>", probe), "--dump-dom")
    assert "CONSOLE" not in done.stderr, done.stderr
    found = re.search(r'<pre id="probe">(.*?)</pre>', done.stdout, re.DOTALL)
    assert found, done.stdout[-2000:]
    return json.loads(unescape(found[1]))


def large_table(rng: np.random.Generator) -> dict[str, object]:
    """What evaluate says of one model on one data set with as many classes as AVA has."""
    rows = [
        {"id": c, "name": f"an action with a long name, number {c}", "kind": "abcd"[c % 4], "ap": rng.random(), "truths": c}
        for c in range(1, 61)
    ]  # fmt: skip
    return {
        "mAP@0.5IOU": 0.4, "dialect": "official", "by_kind": dict.fromkeys("abcd", 0.4), "per_class": rows,
        "counts": {"keyframes": 57064, "truths": 123456}, "notes": [],
    }  # fmt: skip


def large_model(name: str, rng: np.random.Generator) -> Model:
    views = ["s256", "s256-flip", "s288", "s288-flip", "s320", "s320-flip"]
    choices = {**{view: [view] for view in views}, "all:prob": views, "all": views}
    one = {key: {pool: large_table(rng) for pool in ("ava", "kinetics", "union")} for key in choices}
    return Model(
        name,
        (
            {
                "metric": "mAP@0.5IOU",
                "classes": one["all"]["ava"]["per_class"],
                "members": [],
                "choices": list(choices),
                "views": choices,
                "results": {split: {"detected": one, "truth": one} for split in ("val", "test")},
            },
        ),
    )


def large_material() -> Material:
    """A run as large as on AVA-Kinetics: every section is full."""
    rng = np.random.default_rng(0)
    jpeg = encode_jpeg(rng.integers(0, 255, (180, 320, 3), dtype=np.uint8), 80)
    people = tuple(
        Person((0.1, 0.1, 0.5, 0.9), state, (("talk to (e.g., self, a person, a group) 0.51", state),))
        for state in (GOOD, BAD, MISSED)
    )
    picture = Picture(
        "clips: a_video_of_eleven_000312_000322.mp4 at 317.742 s (val)", jpeg, (320, 180), people
    )
    box = (0.1, 0.1, 0.5, 0.9)
    look = Look(
        "clips: v at 3 s", jpeg, (320, 180), (box,), 0, "talk", 0.5, (16, 22), np.ones((2, 7, 10), np.float16)
    )
    names = [f"backbone{n}-acar" for n in range(6)]
    weights = full_material().weights | {
        "members": names, "classes": [{"id": c, "name": f"class {c}"} for c in range(60)],
        "weights": np.full((6, 60), 1 / 6).tolist(), "ap": np.full((6, 60), 0.3).tolist(),
        "mean_ap": [0.3] * 6, "worth": [0.01] * 6,
    }  # fmt: skip
    errors = all_classes_wrong(60)
    return replace(
        full_material(),
        errors=errors,
        shots={
            cause: [Shot(one, jpeg, (320, 180)) for one in found[:4]]
            for cause, found in errors["examples"].items()
        },
        models=[large_model(name, rng) for name in names],
        weights=weights,
        looks=[look] * 8,
        relation_head="acar",
        pictures=[picture] * 12,
        costs=[Cost(f"stage{n}", 2, 71.0, 900.0, 3, 12_345_678) for n in range(18)],
        origins=[(f"metrics {n}", "f" * 64) for n in range(40)],
    )  # fmt: skip


@pytest.mark.parametrize("material", [full_material, large_material])
def test_the_page_loads_nothing_and_fits_the_window(tmp_path: Path, material: Callable[[], Material]) -> None:
    script = """return {
      wide: document.documentElement.scrollWidth - window.innerWidth, window: window.innerWidth,
      out: [...document.querySelectorAll('main *')].filter(
        item => !item.closest('svg') && !item.closest('.scroll') && !item.closest('details')
          && item.getBoundingClientRect().right > window.innerWidth).map(item => item.outerHTML.slice(0, 80)),
      loaded: performance.getEntriesByType('resource').map(entry => entry.name.slice(0, 5)),
      tables: document.querySelectorAll('table').length, buttons: document.querySelectorAll('th button').length}"""
    found = ask(tmp_path, build_page(material()), script)
    assert found["window"] == 1280
    assert found["wide"] <= 0 and found["out"] == []
    assert set(found["loaded"]) <= {"data:"}
    assert found["tables"] > 5 and found["buttons"] > 5


@pytest.mark.fault("S")
def test_the_browser_refuses_to_load_anything(tmp_path: Path) -> None:
    foreign = Section("a", "A", '<img src="http://localhost:9/picture.png"><img src="picture.png">')
    complaints = browse(tmp_path, page("t", "s", [foreign]), "--dump-dom").stderr
    assert complaints.count("violates the following Content Security Policy") == 2


def test_the_page_prints_to_a_few_sheets(tmp_path: Path) -> None:
    browse(tmp_path, build_page(large_material()), f"--print-to-pdf={tmp_path / 'page.pdf'}")
    pages = len(re.findall(rb"/Type\s*/Page\b", (tmp_path / "page.pdf").read_bytes()))
    assert 3 <= pages <= PAGES


NAMES = ("Emil", "anna", "Zoe", "bob 10", "bob 9", "")
NUMBERS = ("1,234.50", "–", "99", "40.00 ± 7.07", "-3", "99")
SECONDS = (Measured("1 min 05 s", 65.0), None, Measured("9.5 s", 9.5), *[Measured("2 h 00 min", 7200.0)] * 3)


def orders(folder: Path, clicks: Sequence[int]) -> list[dict[str, Any]]:
    """Numbers of the rows, and what a reader is told about the order, after each of some clicks on titles."""
    rows = [(number, *row) for number, row in enumerate(zip(NAMES, NUMBERS, SECONDS, strict=True))]
    html = page("t", "s", [Section("a", "A", table(("row", "name", "number", "time"), rows, "c"))])
    return ask(
        folder,
        html,
        f"""const table = document.querySelector('table'), heads = [...table.querySelectorAll('th')];
        return {json.dumps(list(clicks))}.map(column => {{
          const button = heads[column].querySelector('button');
          button.focus();
          const focused = document.activeElement === button && button.tabIndex === 0;
          button.click();
          return {{focused, said: heads.map(head => head.getAttribute('aria-sort')),
            rows: [...table.tBodies[0].rows].map(row => +row.cells[0].textContent)}};
        }})""",
    )


@pytest.mark.parametrize(
    ("column", "down_first", "ascending", "descending"),
    [
        (1, False, [1, 4, 3, 0, 2, 5], [2, 0, 3, 4, 1, 5]),
        (2, True, [4, 3, 2, 5, 0, 1], [0, 2, 5, 3, 4, 1]),
        (3, True, [2, 0, 3, 4, 5, 1], [3, 4, 5, 0, 2, 1]),
    ],
)
def test_a_click_sorts_stably_with_missing_values_last(
    tmp_path: Path, column: int, down_first: bool, ascending: list[int], descending: list[int]
) -> None:
    both = [("ascending", ascending), ("descending", descending)]
    expected = both[::-1] if down_first else both
    found = orders(tmp_path, (0, 0, column, column))  # the first two bring the rows into their first order
    assert found[1]["rows"] == list(range(6))
    shown, again = found[2:]
    assert all(step["focused"] for step in found)
    for step, (said, rows) in zip((shown, again), expected, strict=True):
        assert [word for word in step["said"] if word] == [said] and step["said"][column] == said
        assert step["rows"] == rows

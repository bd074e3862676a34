"""Captions of contact sheets and the stacked chart."""

from __future__ import annotations

import re

import pytest

from stages.report.errors import errors_html
from stages.report.sheets import Shot, sheet
from stages.report.svg import Bar, stacked_chart
from tests.unit.report.error_tables import everything_wrong

BOX = [0.1, 0.2, 0.3, 0.4]


def example(**changes: object) -> dict[str, object]:
    base = {"video": "v<1>", "ms": 902500, "box": BOX, "truth": BOX, "gt": ["get up"]}
    return {**base, "said": [["bend/bow", 0.514, False]], **changes}


def card(**changes: object) -> str:
    return sheet([Shot(example(**changes), b"jpeg", (200, 100))])


def test_a_caption_reads_as_the_slides_do() -> None:
    html = card()
    text = re.sub(r"<[^>]+>", "", html).replace("&nbsp;", " ")
    assert "[GT] get up · Prediction [0.51] bend/bow" in text
    assert "v&lt;1&gt; at 902.5 s" in text
    assert html.count("stroke-dasharray") == 2, "the truth and its dark edge are dashed, the detection is not"
    assert 'class="bad">[0.51]' in html
    said = [["ride (e.g., a bike, a car, a horse)", 0.9, True], ["stand", 0.4, False]]
    assert 'class="good">[0.90]&nbsp;ride</span>, <span class="bad">[0.40]&nbsp;stand' in card(said=said)


@pytest.mark.parametrize(
    ("changes", "caption"),
    [
        ({"truth": None, "gt": []}, "[GT] nobody · Prediction"),
        ({"gt": []}, "[GT] no evaluated class · Prediction"),
        ({"box": None, "said": []}, "[GT] get up · Prediction nobody"),
        ({"said": []}, "[GT] get up · Prediction nothing"),
    ],
)
def test_captions_of_what_is_absent(changes: dict[str, object], caption: str) -> None:
    html = card(**changes)
    assert caption in html
    assert html.count("<rect") == 2 * (example(**changes)["box"] is not None) + 2 * (
        example(**changes)["truth"] is not None
    )


def test_shares_fill_the_bar() -> None:
    html = stacked_chart(
        [Bar("a<b", (0.5, 0.0, 0.5), "", "8 errors"), Bar("c", (None, None, None), "")], COLOURS
    )
    bars = [(float(x), float(w)) for x, w in re.findall(r'<rect x="([\d.]+)" y="20" width="([\d.]+)"', html)]
    assert len(bars) == 2
    assert bars[0][0] + bars[0][1] == bars[1][0]
    assert sum(width for _, width in bars) == pytest.approx(520)
    assert "a&lt;b" in html and "8 errors" in html


def test_every_part_of_the_section_has_its_rows() -> None:
    """A film in which everything goes wrong: no part says that there is nothing."""
    html = errors_html(everything_wrong("name"), {})
    for title in ("Causes", "Causes by class", "Which class instead", "What if", "Missing truth?"):
        assert f"<h3>{title}</h3>" in html
    text = re.sub(r"<[^>]+>", " ", html)
    assert "1 candidates: boxes on nobody with a best score ≥ 0.5 in 3 or more" in text
    assert re.search(r"name\s+2name\s+\d\s+\d", text), "a pair that is swapped"
    assert "Labels that go and come back on a track within 3 keyframes" in text
    assert "1 pairs of boxes of one keyframe with IoU ≥ 0.9" in text
    assert "No picture of an error" in text


def test_a_truth_of_single_keyframes_says_what_cannot_be_said() -> None:
    tables = everything_wrong("name")
    empty = {**tables["annotations"], "links": 0, "doubles": {"number": 0, "same_labels": 0, "listed": []}}
    html = errors_html({**tables, "annotations": empty}, {})
    assert "none of them annotated at two neighbouring keyframes" in html


COLOURS = {"one": "#111", "two": "#222", "three": "#333"}

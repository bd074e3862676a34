from __future__ import annotations

from pathlib import Path

import pytest

from stages.lib.annotations.ava_classes import AVA_NAMES, ava_label_map
from stages.lib.annotations.labelmap import (
    AVA_EVALUATED,
    AVA_NOT_EVALUATED,
    kind_of_id,
    label_map,
    parse_label_map,
    read_label_map,
)
from stages.lib.errors import StageError

REAL = Path(__file__).resolve().parents[4].parent / "shared" / "data" / "ava_action_list_60.pbtxt"
ITEMS = 'item {\n  name: "walk"\n  id: 14\n}\nitem {\n  name: "bend/bow (at the waist)"\n  id: 1\n}\n'
LABELS = 'label {\n  name: "sing to (e.g., self)"\n  label_id: 77\n  label_type: OBJECT_MANIPULATION\n}\n'


def test_both_spellings_ascending_by_id() -> None:
    classes = parse_label_map(ITEMS + LABELS, "list")
    assert classes.ids == (1, 14, 77)
    assert classes.names == ("bend/bow (at the waist)", "walk", "sing to (e.g., self)")
    assert classes.kinds == ("pose", "pose", "object")  # the type that is given goes before the numbering
    assert classes.pose_indices == (0, 1)


def test_kinds_by_number() -> None:
    assert [kind_of_id(i) for i in (1, 14, 15, 63, 64, 80)] == [
        "pose",
        "pose",
        "object",
        "object",
        "person",
        "person",
    ]
    assert len(AVA_EVALUATED) == 60
    assert len(AVA_NOT_EVALUATED) == 20
    assert [sum(kind_of_id(i) == kind for i in AVA_EVALUATED) for kind in ("pose", "object", "person")] == [
        13,
        32,
        15,
    ]


def test_line_ends_make_no_difference() -> None:
    text = ITEMS + LABELS
    assert parse_label_map(text.replace("\n", "\r\n"), "list") == parse_label_map(text, "list")


def test_other_kinds_and_custom_lists() -> None:
    classes = label_map([3, 200], ["jump", "ride"], {200: "c"})
    assert classes.kinds == ("pose", "c")
    assert classes.with_kinds({3: "a"}).kinds == ("a", "c")
    assert classes.tolerated_ids == frozenset()
    assert label_map(AVA_EVALUATED, ["x"] * 60).tolerated_ids == AVA_NOT_EVALUATED


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        (ITEMS + 'item {\n  name: "no id"\n}\n', 9, "without name or id"),
        (ITEMS + "item {\n  id: 3\n}\n", 9, "without name or id"),
        (ITEMS + 'item {\n  name: "again"\n  id: 14\n}\n', 9, "stands twice"),
        (ITEMS + 'item {\n  name: "zero"\n  id: 0\n}\n', 9, "not positive"),
        (ITEMS + "walk 14\n", 9, "outside of a class"),
        (ITEMS + 'item {\n  name: "open"\n  id: 3\n', 9, "outside of a class"),
        (LABELS.replace("OBJECT_", "SUBJECT_"), 1, "unknown label_type"),
    ],
)
def test_broken_lists_name_the_line(text: str, line: int, message: str) -> None:
    with pytest.raises(StageError, match=message) as caught:
        parse_label_map(text, "list")
    assert caught.value.where == f"list:{line}"


def test_empty_and_missing_lists(tmp_path: Path) -> None:
    with pytest.raises(StageError, match="no class"):
        parse_label_map("", "list")
    with pytest.raises(StageError, match="cannot be read"):
        read_label_map(tmp_path / "nowhere.pbtxt")


def test_the_official_form_of_all_eighty_classes(tmp_path: Path) -> None:
    """`ava_action_list_v2.2.pbtxt` has `label` blocks with a type, in the order of the ids."""
    types = {"pose": "PERSON_MOVEMENT", "object": "OBJECT_MANIPULATION", "person": "PERSON_INTERACTION"}
    path = tmp_path / "ava_action_list_v2.2.pbtxt"
    path.write_text(
        "".join(
            f'label {{\n  name: "{name}"\n  label_id: {number}\n  label_type: {types[kind_of_id(number)]}\n}}\n'
            for number, name in enumerate(AVA_NAMES, start=1)
        )
    )
    assert read_label_map(path) == ava_label_map(80)


def test_the_official_list() -> None:
    if not REAL.exists():
        pytest.skip(f"the official class list is not at {REAL}")
    classes = read_label_map(REAL)
    assert classes == ava_label_map(60)
    assert classes.ids == AVA_EVALUATED
    assert classes.pose_indices == tuple(range(13))

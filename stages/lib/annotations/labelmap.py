"""Class lists: ids, names and kinds, in both pbtxt spellings or from the project's own lists."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from stages.lib.errors import StageError

POSE, OBJECT, PERSON = "pose", "object", "person"
N_AVA_CLASSES = 80
AVA_NOT_EVALUATED = frozenset({2, 16, 18, 19, 21, 23, 25, 31, 32, 33, 35, 39, 40, 42, 44, 50, 53, 55, 71, 75})
AVA_EVALUATED = tuple(sorted(set(range(1, N_AVA_CLASSES + 1)) - AVA_NOT_EVALUATED))

_KIND_OF_TYPE = {"PERSON_MOVEMENT": POSE, "OBJECT_MANIPULATION": OBJECT, "PERSON_INTERACTION": PERSON}
_BLOCK = re.compile(r"(?:item|label)\s*\{([^{}]*)\}")
_NAME = re.compile(r'^\s*name\s*:\s*(?:"([^"]*)"|\'([^\']*)\')\s*$', re.MULTILINE)
_ID = re.compile(r"^\s*(?:label_id|id)\s*:\s*(-?\d+)\s*$", re.MULTILINE)
_TYPE = re.compile(r"^\s*label_type\s*:\s*\"?(\w+)\"?\s*$", re.MULTILINE)


def kind_of_id(class_id: int) -> str:
    """Kind by the AVA numbering: poses up to 14, object manipulation 15-63, person interaction from 64."""
    return POSE if class_id <= 14 else OBJECT if class_id <= 63 else PERSON


@dataclass(frozen=True)
class LabelMap:
    """Classes in ascending order of id; output k of a model is class `ids[k]`."""

    ids: tuple[int, ...]
    names: tuple[str, ...]
    kinds: tuple[str, ...]

    def __post_init__(self) -> None:
        assert len(self.ids) == len(self.names) == len(self.kinds)
        assert list(self.ids) == sorted(set(self.ids)), "ids ascend and are unique"

    @property
    def pose_indices(self) -> tuple[int, ...]:
        """Outputs that share a softmax: the poses by the AVA numbering (ids up to 14), whatever their kind is called."""
        return tuple(k for k, class_id in enumerate(self.ids) if kind_of_id(class_id) == POSE)

    @property
    def tolerated_ids(self) -> frozenset[int]:
        """Ids outside the list that may stand in a file: for the 60 evaluated AVA classes, the other 20."""
        return AVA_NOT_EVALUATED if self.ids == AVA_EVALUATED else frozenset()

    def with_kinds(self, kinds: Mapping[int, str]) -> LabelMap:
        """The same classes with other kinds for the ids that are given."""
        return replace(
            self, kinds=tuple(kinds.get(i, kind) for i, kind in zip(self.ids, self.kinds, strict=True))
        )


def label_map(ids: Sequence[int], names: Sequence[str], kinds: Mapping[int, str] | None = None) -> LabelMap:
    """A label map from any class list; kinds follow the AVA numbering where they are not given."""
    order = sorted(range(len(ids)), key=lambda k: ids[k])
    given = kinds or {}
    return LabelMap(
        ids=tuple(int(ids[k]) for k in order),
        names=tuple(names[k] for k in order),
        kinds=tuple(given.get(ids[k], kind_of_id(ids[k])) for k in order),
    )


def read_label_map(path: Path) -> LabelMap:
    """Reads a pbtxt class list (`item {name, id}` or `label {name, label_id, label_type}`); StageError if broken."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise StageError(
            f"the label map cannot be read ({error})", str(path), "check the path and the file"
        ) from error
    return parse_label_map(text, str(path))


def parse_label_map(text: str, where: str) -> LabelMap:
    """Parses the text of a pbtxt class list; `where` names its source in errors, which carry the line."""
    text = text.replace("\r\n", "\n")
    ids: list[int] = []
    names: list[str] = []
    kinds: dict[int, str] = {}
    for block in _BLOCK.finditer(text):
        place = f"{where}:{text.count(chr(10), 0, block.start()) + 1}"
        name, number, label_type = _NAME.search(block[1]), _ID.search(block[1]), _TYPE.search(block[1])
        if name is None or number is None:
            raise StageError(
                "a class without name or id", place, 'give every class name: "..." and id: N on own lines'
            )
        class_id = int(number[1])
        if class_id < 1 or class_id in ids:
            raise StageError(
                f"class id {class_id} stands twice or is not positive", place, "give every class its own id"
            )
        if label_type is not None:
            kinds[class_id] = _kind_of_type(label_type[1], place)
        ids.append(class_id)
        names.append(name[1] if name[1] is not None else name[2])
    if _BLOCK.sub("", text).strip():
        line = _first_leftover_line(text)
        raise StageError(
            "text outside of a class", f"{where}:{line}", "write classes as item { ... } or label { ... }"
        )
    if not ids:
        raise StageError("no class in the label map", where, 'write classes as item { name: "..." id: N }')
    return label_map(ids, names, kinds)


def _kind_of_type(label_type: str, place: str) -> str:
    if label_type not in _KIND_OF_TYPE:
        raise StageError(f"unknown label_type {label_type}", place, f"use one of {', '.join(_KIND_OF_TYPE)}")
    return _KIND_OF_TYPE[label_type]


def _first_leftover_line(text: str) -> int:
    """Line (from 1) of the first text that belongs to no class: blocks are blanked out, their line ends stay."""
    blanked = _BLOCK.sub(lambda block: "\n" * block[0].count("\n"), text)
    return blanked[: len(blanked) - len(blanked.lstrip())].count("\n") + 1

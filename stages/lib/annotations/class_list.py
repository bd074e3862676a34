"""Class lists as people keep them: a pbtxt, or a text file with one name per line; and how a pbtxt is written."""

from __future__ import annotations

from pathlib import Path

from stages.lib.annotations.labelmap import LabelMap, label_map, read_label_map
from stages.lib.errors import StageError


def read_class_list(path: Path) -> LabelMap:
    """Reads a pbtxt, or a text file with one name per line: the classes 1, 2, 3 ... in that order.

    Names are unique, so that a name stands for one class. Blank lines are passed over. StageError with the line.
    """
    labels = read_label_map(path) if path.suffix == ".pbtxt" else _read_names(path)
    twice = [name for name in labels.names if labels.names.count(name) > 1]
    if twice:
        raise StageError(
            f"two classes are called {twice[0]!r}", str(path), "give every class a name of its own"
        )
    return labels


def label_map_text(labels: LabelMap) -> str:
    """The text of a pbtxt with these classes; StageError for a name that the format cannot hold."""
    items = []
    for number, name in zip(labels.ids, labels.names, strict=True):
        quote = "'" if '"' in name else '"'
        if quote in name or not name.isprintable() or set(name) & set("{}"):
            raise StageError(
                f"a pbtxt cannot hold the class name {name!r}",
                f"class {number}",
                "use names without braces, line ends and both kinds of quotes",
            )
        items.append(f"item {{\n  name: {quote}{name}{quote}\n  id: {number}\n}}\n")
    return "".join(items)


def _read_names(path: Path) -> LabelMap:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise StageError(
            f"the class list cannot be read ({error})", str(path), "check the path and the file"
        ) from None
    names = [line.strip() for line in lines if line.strip()]
    if not names:
        raise StageError("no class in the list", str(path), "write one class name per line, or give a pbtxt")
    return label_map(tuple(range(1, len(names) + 1)), names)

"""Files of any known format, by split, to AVA csv, excluded keyframes and a class map."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from stages.annotations.acar import read_acar
from stages.annotations.cvat import Choices, read_cvat
from stages.annotations.found import Found, class_map, truth_of
from stages.annotations.media import Media
from stages.annotations.via import read_via
from stages.lib.annotations.class_list import label_map_text
from stages.lib.annotations.labelmap import LabelMap
from stages.lib.annotations.write_csv import spell_exactly, write_truth
from stages.lib.errors import StageError
from stages.lib.files import text_stream, write_text

_SUFFIXES: Final = (".xml", ".json", ".pkl", ".pickle")


def import_files(
    sources: Mapping[str, Sequence[Path]], out: Path, labels: LabelMap | None, choices: Choices, media: Media
) -> tuple[dict[str, str], Counter[str]]:
    """Write SPLIT.csv, SPLIT.excluded.csv and classes.pbtxt; what each holds by path, and what was left out.

    Files of split train go where a CVAT task names another subset.
    """
    found: dict[str, Found] = {}
    for split, path in _listed(sources):
        part, own_split = _read(path, choices, media)
        found.setdefault(own_split if own_split and split == "train" else split, Found()).add(part)
    classes = class_map(found.values(), labels)
    if len(set(classes.names)) != len(classes.names):
        raise StageError("two classes have one name", "import", "give --classes with unique names")
    written: dict[str, str] = {}
    left_out: Counter[str] = Counter()
    for split, part in sorted(found.items()):
        truth, lacking = truth_of(part, classes)
        left_out += lacking
        path = out / f"{split}.csv"
        if not len(truth.key_ms):
            raise StageError(
                f"there are no keyframes in the files of split {split}",
                str(path),
                "check --every, or the files",
            )
        with text_stream(path) as stream:
            write_truth(stream, truth)
        with_rows = len(set(zip(truth.video.tolist(), truth.timestamp_ms.tolist(), strict=True)))
        written[str(path)] = (
            f"{len(truth.video)} rows, {len(truth.key_ms)} keyframes, {len(truth.key_ms) - with_rows} of them without rows, "
            f"{len(truth.videos)} videos"
        )
        if part.excluded:
            gone = out / f"{split}.excluded.csv"
            write_text(gone, "".join(f"{video},{spell_exactly(s)}\n" for video, s in sorted(part.excluded)))
            written[str(gone)] = f"{len(part.excluded)} keyframes"
    write_text(out / "classes.pbtxt", label_map_text(classes))
    written[str(out / "classes.pbtxt")] = f"{len(classes.ids)} classes"
    return written, left_out


def _listed(sources: Mapping[str, Sequence[Path]]) -> Iterator[tuple[str, Path]]:
    """(split, file); of folders all files with a known suffix, in order."""
    for split, paths in sources.items():
        for path in paths:
            inside = (
                sorted(p for p in path.rglob("*") if p.suffix.lower() in _SUFFIXES)
                if path.is_dir()
                else [path]
            )
            if not inside:
                raise StageError(
                    "no xml, json or pkl file in this folder", str(path), "give a folder of annotation files"
                )
            yield from ((split, one) for one in inside)


def _read(path: Path, choices: Choices, media: Media) -> tuple[Found, str | None]:
    """What a file holds, by its first bytes, and the split that it names itself."""
    try:
        with path.open("rb") as handle:
            head = handle.read(64).removeprefix(b"\xef\xbb\xbf").lstrip()
    except OSError as error:
        raise StageError(f"cannot be read ({error.strerror})", str(path), "check the path") from None
    if head[:1] == b"<":
        return read_cvat(path, choices, media)
    if head[:1] == b"{":
        return read_via(path, choices, media), None
    if head[:1] == b"\x80" or path.suffix.lower() in (".pkl", ".pickle"):
        return read_acar(path), None
    raise StageError(
        "neither xml (CVAT), json (VIA 3) nor pickle (ACAR-Net)",
        str(path),
        "see docs/custom-data.md for what is read",
    )

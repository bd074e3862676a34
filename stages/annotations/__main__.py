"""Annotations of other programs in and out, and a configuration for a data set of your own.

  import [SPLIT=]SRC... --out DIR     CVAT-video xml, VIA 3 json or ACAR-Net pickles (or folders of them) to AVA csv
  export CSV --to FORMAT --out PATH   AVA csv to cvat (a folder of xml), fiftyone (json), acar (pickle) or ava (csv)
  describe CSV [--classes LIST]       what is in a ground-truth csv: keyframes, negatives, boxes, people, times, classes
  scaffold --videos DIR --annotations [SPLIT=]CSV... --classes LIST --out NAME.yaml

The tool is called after what it works on, as `checkpoint` is. import writes DIR/SPLIT.csv, DIR/SPLIT.excluded.csv where
something is excluded, and DIR/classes.pbtxt. Whatever a format cannot say is counted and named, never dropped in silence.
Exit codes: 0 done; 2 an input is refused (one paragraph says why).
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Final

from stages.lib.cli import guarded, parse
from stages.lib.errors import StageError

SPLITS: Final = ("train", "val", "test")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool; returns the exit code."""
    args = parse(_parser(), argv)
    actions = {"import": _import, "export": _export, "describe": _describe, "scaffold": _scaffold}
    return guarded(lambda: actions[args.action](args))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m stages.annotations",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(dest="action", required=True)
    taken = actions.add_parser("import", help="from another program's file to AVA csv")
    taken.add_argument(
        "source", nargs="+", metavar="[SPLIT=]SRC", help="file or folder; split train unless said"
    )
    taken.add_argument("--out", type=Path, required=True, help="folder to write to")
    taken.add_argument(
        "--classes", type=Path, default=None, help="class list: pbtxt, or text with a name per line"
    )
    taken.add_argument(
        "--every", type=_fraction, default=Fraction(1), help="seconds between keyframes of a CVAT track (1)"
    )
    taken.add_argument("--video", default=None, help="id of the video, if the name in the file makes none")
    taken.add_argument(
        "--attributes", default=None, help="names of the attributes that are actions (all), with commas"
    )
    taken.add_argument(
        "--person", default="person_id", help="name of the attribute that is a person's number"
    )
    taken.add_argument(
        "--exclude-label", default="excluded", help="label (CVAT) or action (VIA) of excluded keyframes"
    )
    _add_media(taken)
    given = actions.add_parser("export", help="from AVA csv to another program's file")
    given.add_argument("csv", type=Path)
    given.add_argument("--to", choices=("cvat", "fiftyone", "acar", "ava"), required=True)
    given.add_argument("--out", type=Path, required=True, help="file, or folder for cvat")
    given.add_argument("--classes", type=Path, default=None, help="class list (AVA's 60)")
    given.add_argument("--detections", action="store_true", help="column 8 of the csv is a score")
    given.add_argument("--min-score", type=float, default=0.0, help="classes below this score are left out")
    _add_media(given)
    told = actions.add_parser("describe", help="what is in a ground-truth csv, or a list of videos")
    told.add_argument("csv", type=Path)
    told.add_argument("--classes", type=Path, default=None, help="class list (AVA's 80)")
    made = actions.add_parser("scaffold", help="a configuration from videos, a csv and a class list")
    made.add_argument("--videos", type=Path, required=True)
    made.add_argument("--annotations", nargs="+", required=True, metavar="[SPLIT=]CSV")
    made.add_argument("--classes", type=Path, required=True, help="pbtxt, or text with a name per line")
    made.add_argument("--out", type=Path, required=True, metavar="NAME.yaml")
    made.add_argument(
        "--exclusive",
        action="append",
        nargs="+",
        default=[],
        metavar="CLASS",
        help="classes of which a person does one",
    )
    made.add_argument("--start", type=float, default=0.0, help="time of the videos' first frame (0)")
    made.add_argument(
        "--val-share",
        type=float,
        default=0.2,
        help="share of the videos of a csv without split for validation",
    )
    made.add_argument("--boxes", type=Path, default=None, help="person boxes as csv, instead of a detector")
    made.add_argument(
        "--backbone", type=Path, default=None, help="backbone weights of ours (stages.checkpoint import)"
    )
    return parser


def _add_media(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--videos", type=Path, default=None, help="folder of the videos, for sizes and frame rates"
    )
    parser.add_argument("--size", type=_size, default=None, help="WIDTHxHEIGHT of all videos in pixels")
    parser.add_argument(
        "--rate", type=_fraction, default=None, help="frames a second of all videos, e.g. 30000/1001"
    )
    parser.add_argument("--start", type=float, default=None, help="time of the first frame (0; acar: 900)")


def _fraction(text: str) -> Fraction:
    value = Fraction(text)
    if value <= 0:
        raise ValueError(text)
    return value


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    return int(width), int(height)


def _import(args: argparse.Namespace) -> None:
    from stages.annotations.cvat import Choices
    from stages.annotations.found import checked_id
    from stages.annotations.imports import import_files
    from stages.annotations.media import Media
    from stages.lib.annotations.class_list import read_class_list

    choices = Choices(
        every=args.every,
        start=args.start or 0.0,
        video=checked_id(args.video, "--video") if args.video else None,
        attributes=tuple(args.attributes.split(",")) if args.attributes else None,
        person=args.person,
        excluded=args.exclude_label,
    )
    labels = read_class_list(args.classes) if args.classes else None
    media = Media(args.videos, args.size, args.rate)
    written, left_out = import_files(
        _by_split(args.source, "train", many=True), args.out, labels, choices, media
    )
    _tell(written, left_out)


def _export(args: argparse.Namespace) -> None:
    from stages.annotations.export import Source, export_csv
    from stages.annotations.media import Media
    from stages.lib.annotations.ava_classes import ava_label_map
    from stages.lib.annotations.class_list import read_class_list

    labels = read_class_list(args.classes) if args.classes else ava_label_map(60)
    assert labels is not None
    source = Source(args.csv, labels, args.detections, args.min_score)
    start = args.start if args.start is not None else 900.0 if args.to == "acar" else 0.0
    paths, left_out = export_csv(source, args.to, args.out, Media(args.videos, args.size, args.rate), start)
    _tell({str(path): "" for path in paths}, left_out)


def _describe(args: argparse.Namespace) -> None:
    from stages.annotations.describe import describe
    from stages.lib.annotations.ava_classes import ava_label_map
    from stages.lib.annotations.class_list import read_class_list

    labels = read_class_list(args.classes) if args.classes else ava_label_map(80)
    assert labels is not None
    for line in describe(args.csv, labels):
        print(line)


def _scaffold(args: argparse.Namespace) -> None:
    from stages.annotations.scaffold import Wanted, scaffold

    files = {split: paths[0] for split, paths in _by_split(args.annotations, "", many=False).items()}
    wanted = Wanted(
        args.videos,
        files,
        args.classes,
        args.out,
        args.exclusive,
        args.start,
        args.val_share,
        args.boxes,
        args.backbone,
    )
    for name, count in scaffold(wanted).items():
        print(f"{name}: {count}")
    print(f"written: {args.out}; look at it, then: snakemake --cores 2 --configfile {args.out}")


def _by_split(words: Sequence[str], default: str, many: bool) -> dict[str, list[Path]]:
    """[SPLIT=]FILE words by split; a word without split goes to `default`."""
    found: dict[str, list[Path]] = {}
    for word in words:
        split, equals, path = word.partition("=")
        if not equals or split not in SPLITS:
            split, path = default, word
        found.setdefault(split, []).append(Path(path))
        if not Path(path).exists():
            raise StageError(
                "there is no such file or folder", path, "give FILE or train=FILE, val=FILE, test=FILE"
            )
    if (not many and any(len(paths) > 1 for paths in found.values())) or ("" in found and len(found) > 1):
        raise StageError(
            "several files for one split",
            " ".join(words),
            "name each split once, or give one file without split",
        )
    return found


def _tell(written: Mapping[str, str], left_out: Counter[str]) -> None:
    for path, what in written.items():
        print(f"written: {path}" + (f" ({what})" if what else ""))
    print("left out:" if left_out else "left out: nothing")
    for what, count in sorted(left_out.items()):
        print(f"  {what}: {count}")


if __name__ == "__main__":
    raise SystemExit(main())

"""Import and export weights: ACAR-Net, PySlowFast (.pyth and its Caffe2 zoo), and this project's own files.

  import SRC DIR     write DIR/backbone.safetensors and DIR/head.safetensors, whichever SRC holds
  export SRC FILE    write ACAR-Net's or PySlowFast's torch file; SRC is such a folder, or a backbone's file
  show FILE          what a file of any of these origins holds, and what importing it would assume (same options)

Depth, variant and temporal kernels are told from names and shapes; every tensor is used exactly once or the file is
refused. Reading never runs code. What a checkpoint does not say follows its origin; the options of import say otherwise.
Exit codes: 0 done; 2 the file is refused (one paragraph says why).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from stages.lib.annotations.labelmap import read_label_map
from stages.lib.cli import guarded, parse

if TYPE_CHECKING:
    from stages.checkpoint.core import Choices
    from stages.checkpoint.files import Content

POOLS: Final = {"2x2x2": (2, 2, 2), "1x2x2": (1, 2, 2)}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool; returns the exit code."""
    args = parse(_parser(), argv)
    actions = {"import": _import, "export": _export, "show": _show}
    return guarded(lambda: actions[args.action](args))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m stages.checkpoint",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(dest="action", required=True)
    taken = actions.add_parser("import", help="from an upstream's names to ours")
    taken.add_argument("source", type=Path)
    taken.add_argument("folder", type=Path)
    _add_choices(taken)
    given = actions.add_parser("export", help="from our names to an upstream's")
    given.add_argument("source", type=Path)
    given.add_argument("target", type=Path)
    given.add_argument("--format", choices=("acar", "pyslowfast"), required=True)
    given.add_argument("--head", type=Path, default=None, help="head to add, when SRC is a backbone's file")
    given.add_argument(
        "--prefix",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="ACAR-Net's names with `module.backbone.module.` and the like (default: when there is a head)",
    )
    shown = actions.add_parser("show", help="describe a file")
    shown.add_argument("source", type=Path)
    _add_choices(shown)
    return parser


def _add_choices(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--slow-rule", choices=("full-span", "stride"), default=None, help="frames of the slow pathway"
    )
    parser.add_argument(
        "--normalisation", choices=("psf", "k700"), default=None, help="mean and deviation of pixels"
    )
    parser.add_argument(
        "--sampling", choices=("8x8", "16x8"), default=None, help="slow frames and their distance"
    )
    parser.add_argument(
        "--rate", type=float, default=None, help="frames a second of the videos it learned from (30)"
    )
    parser.add_argument(
        "--non-local-pool",
        choices=tuple(POOLS),
        default=None,
        help="pool of the keys of non-local blocks: time, height, width",
    )
    parser.add_argument(
        "--roi-aligned",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="half-pixel shift of RoIAlign",
    )
    parser.add_argument(
        "--classes", type=int, choices=(60,), default=None, help="keep AVA's 60 evaluated classes"
    )
    parser.add_argument(
        "--labelmap", type=Path, default=None, help="pbtxt of the head's classes, unless AVA's"
    )
    parser.add_argument("--no-head", action="store_true", help="set a head aside")
    parser.add_argument(
        "--backbone", type=Path, default=None, help="our backbone file, for a head that comes alone"
    )


def _choices(args: argparse.Namespace) -> Choices:
    from stages.checkpoint.core import Choices

    return Choices(
        slow_rule=args.slow_rule,
        normalisation=args.normalisation,
        sampling=args.sampling,
        rate=args.rate,
        non_local_pool=POOLS.get(args.non_local_pool),
        roi_aligned=args.roi_aligned,
        evaluated_only=args.classes is not None,
        labels=read_label_map(args.labelmap) if args.labelmap else None,
        with_head=not args.no_head,
    )


def _import(args: argparse.Namespace) -> None:
    from stages.checkpoint.describe import config_lines
    from stages.checkpoint.files import import_file

    content, written = import_file(args.source, args.folder, _choices(args), args.backbone)
    _tell(content)
    print("\nwritten, and what the configuration has to say to use it:")
    for path, part in written.items():
        print(f"\n# {path}\n{config_lines(part.facts, str(path))}")


def _export(args: argparse.Namespace) -> None:
    from stages.checkpoint.files import export_file

    exported, count = export_file(args.source, args.head, args.target, args.format, args.prefix)
    print(f"written: {args.target}, {count} tensors")
    print("\n".join(["not part of that file:", *(f"  {note}" for note in exported.notes)]))


def _show(args: argparse.Namespace) -> None:
    from stages.checkpoint.files import read_foreign, read_own
    from stages.lib.models.weights import is_own

    own = is_own(args.source)
    content = (
        read_own(args.source, args.backbone)
        if own
        else read_foreign(args.source, _choices(args), args.backbone)
    )
    print(args.source)
    _tell(content)


def _tell(content: Content) -> None:
    from stages.checkpoint.describe import as_text, describe_backbone, describe_head

    print(f"format: {content.title}")
    if content.backbone is not None:
        print("\n" + as_text(describe_backbone(content.backbone.tensors, content.backbone.facts)))
    if content.head is not None:
        print("\n" + as_text(describe_head(content.head.tensors, content.head.facts)))
    if content.aside:
        print("\nset aside:")
        for name, count in content.aside.items():
            print(f"  {name}" + (f": {count} tensors" if count else ""))
    if content.assumed:
        print(f"\nassumed for this family, see the options of import: {', '.join(content.assumed)}")


if __name__ == "__main__":
    raise SystemExit(main())

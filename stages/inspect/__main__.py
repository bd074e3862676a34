"""Look into any file that the stages write (artifacts, weights, JSON), and at how far a run is.

  show FILE...   schema, origin, configuration, inputs, and every array with its first values
  check FILE...  verify schema, safety, checksums, digests and fingerprint
  inputs RUN FILE...    was all in results/<run> made from what lies there now? FILE: weights and boxes from outside
  diff A B       what differs; exit code 1 when something does
  status         the newest run: jobs by rule, time left, what runs, videos that are left out

Exit codes: 0 fine; 1 the files differ (diff); 2 a file is missing, damaged or not one of ours.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from stages.inspect.checks import check_file
from stages.inspect.contents import ARTIFACT, read_contents
from stages.inspect.inputs import check_inputs
from stages.inspect.status import status
from stages.inspect.text import describe, difference
from stages.inspect.values import compare_values
from stages.lib.cli import EXIT_ERROR, EXIT_INPUT, EXIT_OK, leaving_reader
from stages.lib.errors import StageError


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool; returns the exit code."""
    args = _parser().parse_args(argv)
    code = EXIT_OK
    try:
        with leaving_reader():
            code = _act(args)
    except StageError as error:
        print(f"ERROR: {error}", file=sys.stderr)
        return EXIT_INPUT
    return code


def _act(args: argparse.Namespace) -> int:
    if args.action == "show":
        return _show(args.file)
    if args.action == "check":
        return _check(args.file)
    if args.action == "diff":
        return _diff(args.first, args.second)
    if args.action == "inputs":
        print(f"ok    {args.run}: {check_inputs(args.run, args.given)}")
    else:
        print(status(args.directory, datetime.now()))
    return EXIT_OK


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m stages.inspect",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(dest="action", required=True)
    for name in ("show", "check"):
        actions.add_parser(name).add_argument("file", type=Path, nargs="+")
    inputs = actions.add_parser("inputs")
    inputs.add_argument("run", type=Path)
    inputs.add_argument("given", type=Path, nargs="*")
    actions.add_parser("status").add_argument(
        "--directory", type=Path, default=Path(), help="where snakemake runs (default: here)"
    )
    diff = actions.add_parser("diff")
    diff.add_argument("first", type=Path)
    diff.add_argument("second", type=Path)
    return parser


def _show(files: Sequence[Path]) -> int:
    for number, path in enumerate(files):
        print(("\n" if number else "") + describe(str(path), read_contents(path)))
    return EXIT_OK


def _check(files: Sequence[Path]) -> int:
    worst = EXIT_OK
    for path in files:
        try:
            print(f"ok    {path}: {check_file(path)}")
        except StageError as error:
            print(f"ERROR: {error}", file=sys.stderr)
            worst = EXIT_INPUT
    return worst


def _diff(first: Path, second: Path) -> int:
    one, other = read_contents(first), read_contents(second)
    lines = difference(one, other)
    if one.kind == other.kind == ARTIFACT:
        changed = [
            line.removeprefix("array ").removesuffix(": values differ") for line in lines if _is_value(line)
        ]
        lines = [line for line in lines if not _is_value(line)] + compare_values(first, second, changed)
    print("\n".join(lines) if lines else "no difference")
    return EXIT_ERROR if lines else EXIT_OK


def _is_value(line: str) -> bool:
    return line.startswith("array ") and line.endswith(": values differ")


if __name__ == "__main__":
    raise SystemExit(main())

"""What every stage's command line shares: flags, logging, exit codes, and refusals that stop retries."""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from stages.lib.artifacts.provenance import library_versions
from stages.lib.config.load import check, text_sha
from stages.lib.config.payloads import Payload
from stages.lib.config.versions import VERSIONS
from stages.lib.errors import StageError
from stages.lib.files import write_text
from stages.lib.halving import is_out_of_memory

Model = TypeVar("Model", bound=Payload)
Counts = Mapping[str, object]
EXIT_OK, EXIT_ERROR, EXIT_INPUT, EXIT_MEMORY = 0, 1, 2, 137

_log = logging.getLogger("acarflow")


def stage_parser(stage: str, doc: str | None) -> argparse.ArgumentParser:
    """A parser with the flags of every stage; `doc` is the module's docstring."""
    parser = argparse.ArgumentParser(
        prog=f"python -m stages.{stage}",
        description=doc,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--config", type=Path, required=True, help="json file with the stage's configuration")
    parser.add_argument("--config-sha", default=None, help="fingerprint that the configuration must have")
    parser.add_argument(
        "--refusal", type=Path, default=None, help="file that remembers a refusal of this invocation"
    )
    parser.add_argument("--device", default="auto", help="auto (CUDA when present), cpu, cuda or cuda:N")
    return parser


def run_stage(
    stage: str,
    model: type[Model],
    args: argparse.Namespace,
    work: Callable[[argparse.Namespace, Model, str], Counts],
) -> int:
    """Run `work(args, payload, payload_text)` and turn its outcome into an exit code.

    0 done; 2 the input is at fault (StageError: one paragraph, no traceback); 137 out of memory; 1 all else.
    A StageError is remembered in `--refusal`, so that another attempt of the same invocation stops at once.
    """
    return guarded(lambda: _run(stage, model, args, work), args.refusal)


def guarded(work: Callable[[], None], refusal: Path | None = None) -> int:
    """Set up logging, run `work`, and map its outcome to an exit code."""
    logging.basicConfig(
        level=logging.INFO,
        format="%(asctime)s %(message)s",
        datefmt="%H:%M:%S",
        stream=sys.stderr,
        force=True,
    )
    try:
        earlier = _earlier_refusal(refusal)
        if earlier is not None:
            print(f"ERROR: {earlier} (refused before in this run; not tried again)", file=sys.stderr)
            return EXIT_INPUT
        with leaving_reader():
            work()
    except StageError as error:
        print(f"ERROR: {error}", file=sys.stderr)
        _remember(refusal, str(error))
        return EXIT_INPUT
    except Exception as error:  # noqa: BLE001 - the last frame: all else is our own fault
        traceback.print_exc()
        if is_out_of_memory(error):
            print(
                "ERROR: out of memory. Mend it: give the job more, or make its batch smaller.",
                file=sys.stderr,
            )
            return EXIT_MEMORY
        print(
            "This is a fault of acarflow, not of your input. Please report it with the lines above.",
            file=sys.stderr,
        )
        return EXIT_ERROR
    return EXIT_OK


@contextmanager
def leaving_reader() -> Iterator[None]:
    """That whoever reads standard output leaves early (`| head`) is no fault: the rest of the block's words go nowhere."""
    try:
        yield
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _run(
    stage: str,
    model: type[Model],
    args: argparse.Namespace,
    work: Callable[[argparse.Namespace, Model, str], Counts],
) -> None:
    start = time.monotonic()
    payload, text = read_payload(args.config, args.config_sha, model, stage)
    versions = " ".join(f"{name}={number}" for name, number in library_versions().items())
    _log.info("%s v%d config %s | %s", stage, payload.version, text_sha(text), versions)
    counts = work(args, payload, text)
    shown = ", ".join(f"{name} {value}" for name, value in counts.items())
    _log.info("%s done in %.1f s: %s", stage, time.monotonic() - start, shown)


def read_payload(path: Path, sha: str | None, model: type[Model], stage: str) -> tuple[Model, str]:
    """Read a stage's configuration file; returns the payload and its canonical text.

    Raises:
        StageError: no such file, not JSON, wrong keys, another fingerprint than `sha`, another stage version.
    """
    mend = "let snakemake write it: remove results/<run>/config and run again"
    try:
        text = path.read_text().strip()
        raw = json.loads(text)
    except OSError as error:
        raise StageError(f"cannot read the configuration ({error.strerror})", str(path), mend) from None
    except ValueError as error:
        raise StageError(f"not JSON ({error})", str(path), mend) from None
    if not isinstance(raw, dict):
        raise StageError("not a JSON object", str(path), mend)
    if sha is not None and text_sha(text) != sha:
        raise StageError(
            f"the configuration file is stale: fingerprint {text_sha(text)}, expected {sha}", str(path), mend
        )
    payload = check(model, raw, str(path))
    if payload.version != VERSIONS[stage]:
        raise StageError(
            f"written for version {payload.version} of {stage}, this is {VERSIONS[stage]}", str(path), mend
        )
    return payload, text


def _earlier_refusal(path: Path | None) -> str | None:
    """What an earlier attempt of this invocation was refused with; marks of other invocations are removed."""
    invocation = os.environ.get("ACARFLOW_INVOCATION")
    if path is None or invocation is None or not path.exists():
        return None
    first, _, message = path.read_text().partition("\n")
    if first == invocation:
        return message.strip()
    path.unlink()
    return None


def _remember(path: Path | None, message: str) -> None:
    invocation = os.environ.get("ACARFLOW_INVOCATION")
    if path is not None and invocation is not None:
        write_text(path, f"{invocation}\n{message}\n")


def parse(parser: argparse.ArgumentParser, argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse `argv` (the process's own when None)."""
    return parser.parse_args(argv)


def named_path(text: str) -> tuple[str, Path]:
    """Parse a flag's value `NAME=FILE`, to be given as `type=` of an argument."""
    name, separator, path = text.partition("=")
    if not (name and separator and path):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=FILE")
    return name, Path(path)


def by_name(pairs: Sequence[tuple[str, Path]]) -> dict[str, list[Path]]:
    """The files of each name, in the order given."""
    files: dict[str, list[Path]] = {}
    for name, path in pairs:
        files.setdefault(name, []).append(path)
    return files

"""How long annotation files of ten million rows take to read, and how much memory.

AVA ground truth, AVA-Kinetics ground truth (with its negatives), detections with 60 classes a box, and person boxes. Each
file is read by the function that the stages use, in a process of its own. Beside it stands what the machine can do with the
same file: count its lines (`wc -l`), and pandas' C parser, which checks nothing. Files are copies of a small one, each under
new ids.
Command: python -m tests.benches.bench_read [--quick] [--out FILE]
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stages.lib.annotations.ava_csv import read_truth
from stages.lib.files import write_text
from tests.benches import evaluate_files
from tests.benches.measured import run_module

COMMAND = "make bench-read"
REAL = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "kinetics_val_v1.0.csv"
N_ROWS = 10_000_000
SECONDS, MEMORY = 15.0, 2.0  # what is asked for, in seconds and GiB


@dataclass(frozen=True)
class Case:
    """A kind of file: its title, the reader it is for, and what makes a small file of that form in a folder."""

    title: str
    reader: str
    make: Callable[[Path], bytes]


def _ava(folder: Path) -> bytes:
    text = evaluate_files.write_truth(folder / "piece.csv", 18, 897).read_bytes()
    return re.sub(rb"(\.\d{3})\d{3}", rb"\1", text)  # three decimals, as AVA has


def _kinetics(folder: Path) -> bytes:
    if REAL.exists():
        return REAL.read_bytes()
    rows = evaluate_files.write_truth(folder / "piece.csv", 20_000, 1).read_bytes()
    return re.sub(rb"(?m),\d+$", b"", re.sub(rb",(0\d{3})", rb",\1.000000", rows))


def _detections(folder: Path) -> bytes:
    truth, _ = read_truth(evaluate_files.write_truth(folder / "truth.csv", 2, 897))
    return evaluate_files.write_detections(folder / "piece.csv", truth, 100_000).read_bytes()


def _boxes(folder: Path) -> bytes:
    rows = (line.rsplit(b",", 2) for line in _ava(folder).splitlines())
    return b"".join(
        b"%s,,0.9%02d\n" % (row[0], place % 100) for place, row in enumerate(rows) if len(row) > 2
    )


CASES = (
    Case("AVA ground truth", "truth", _ava),
    Case("AVA-Kinetics ground truth", "truth", _kinetics),
    Case("Detections, 60 classes a box", "detections", _detections),
    Case("Person boxes (PySlowFast)", "boxes", _boxes),
)


def main() -> int:
    """Measure, print and write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a hundredth of the rows, nothing is written")
    parser.add_argument("--repeats", type=int, default=2, help="runs of each reader; the fastest counts")
    parser.add_argument("--out", type=Path, default=Path("docs/bench-read.md"))
    args = parser.parse_args()
    n_rows, load, rows = N_ROWS // (100 if args.quick else 1), os.getloadavg()[0], []
    for case in CASES:
        with tempfile.TemporaryDirectory() as folder:
            rows.append(_measure(case, n_rows, args.repeats, Path(folder)))
        print(rows[-1], flush=True)
    if not args.quick:
        write_text(args.out, _page(rows, load))
    return 0


def write_copies(path: Path, piece: bytes, n_rows: int) -> int:
    """Write a file's lines again and again, each time under other video ids, up to `n_rows`; their number.

    The ids stand in a file beside it.
    """
    written, ids = 0, []
    lines = piece.splitlines(keepends=True)
    with path.open("wb") as handle:
        while written < n_rows:
            part = lines[: n_rows - written]
            prefix = b"%03d" % (written // len(lines))
            handle.write(prefix + prefix.join(part))
            written += len(part)
            ids += sorted({prefix + line.partition(b",")[0] for line in part})
    path.with_suffix(".ids").write_bytes(b"\n".join(ids))
    return len(ids)


def _measure(case: Case, n_rows: int, repeats: int, folder: Path) -> str:
    path = folder / "rows.csv"
    n_ids = write_copies(path, case.make(folder), n_rows)
    words = [case.reader, str(path), str(n_rows)]
    runs = [run_module("tests.benches.read_once", words) for _ in range(repeats)]
    best = min(runs, key=lambda run: run.wall)
    plain = [
        run_module("tests.benches.read_once", ["pandas", str(path), str(n_rows)]) for _ in range(repeats)
    ]
    pandas = min(plain, key=lambda run: run.wall)
    cells = (
        case.title,
        f"{path.stat().st_size / 1e6:.0f} MB, {n_ids:,} ids",
        f"**{best.wall:.1f} s**",
        f"{best.cpu:.1f} s",
        f"**{max(run.memory for run in runs):.2f} GiB**",
        f"{min(_count_lines(path) for _ in range(repeats)):.2f} s",
        f"{pandas.wall:.1f} s, {pandas.memory:.2f} GiB",
        f"{best.wall / pandas.wall:.2f}",
    )
    return f"| {' | '.join(cells)} |"


def _count_lines(path: Path) -> float:
    start = time.perf_counter()
    subprocess.run(["wc", "-l", str(path)], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def _page(rows: list[str], load: float) -> str:
    machine = (
        f"{os.cpu_count()} processors ({platform.machine()}), Python {platform.python_version()}, "
        f"numpy {np.__version__}, with a load of {load:.1f} from other work when it began"
    )
    source = "the real validation file" if REAL.exists() else "a generated one"
    return f"""# Reading annotation files: time and memory

Made by `{COMMAND}` on {machine}.

Files of {N_ROWS:,} rows, asked for: at most {SECONDS:g} s and {MEMORY:g} GiB. Wall clock and peak memory are those of a process
of its own, start of Python included; the fastest of the runs, the largest memory of them. The AVA-Kinetics file is {source}
again and again under new ids; person boxes are read as a shard with one video in a hundred reads them.
`wc -l` only counts lines; pandas' C parser (one thread) reads the same columns and checks nothing: no ids, no boxes, no
repeated rows, no keyframes.

| file | size | wall | processor | memory | `wc -l` | pandas | wall / pandas |
|---|---|---|---|---|---|---|---|
{chr(10).join(rows)}
"""


if __name__ == "__main__":
    raise SystemExit(main())

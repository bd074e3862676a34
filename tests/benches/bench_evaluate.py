"""How long the evaluation of csv files takes, how much memory, and where the time goes.

Two sizes: 3 million detections on the AVA-Kinetics val truth (or a generated truth of its size, where the file is
not at hand), and 10 million at the size of AVA val. The command is run as a user runs it; its phases are timed in a second
run, and a tenth of the data is scored by the literal evaluator of the tests as well.
Command: python -m tests.benches.bench_evaluate [--quick] [--out FILE]
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stages.evaluate import core, plain_command
from stages.lib.annotations.ava_csv import read_truth
from stages.lib.annotations.labelmap import AVA_EVALUATED
from stages.lib.files import write_text
from stages.lib.metrics import ava
from tests.benches.evaluate_files import write_detections, write_label_map, write_truth
from tests.benches.measured import phases, run_module
from tests.property.literal_evaluator import literal_frame_map

COMMAND = "make bench-evaluate"
REAL_TRUTH = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "kinetics_val_v1.0.csv"
PHASES = (
    ("read the ground truth", plain_command, "read_truth"),
    ("read the detections", plain_command, "read_detections"),
    ("number the keyframes", ava, "keyframes_under"),
    ("select: classes, cap, boxes", ava, "select_rows"),
    ("match: IoU", ava, "best_truths"),
    ("match: claims", ava, "_hits"),
    ("rank", ava, "_rank"),
    ("average precision", ava, "_score"),
    ("tables", core, "_table"),
)


@dataclass(frozen=True)
class Size:
    """A case of the bench and what is asked of it."""

    name: str
    n_rows: int
    seconds: float
    real: bool
    n_videos: int
    n_seconds: int


SIZES = (
    Size("AVA-Kinetics val", 3_000_000, 4.0, True, 500, 63),
    Size("AVA val", 10_000_000, 12.0, False, 64, 897),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print and write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--quick", action="store_true", help="a two-hundredth of the rows, nothing is written"
    )
    parser.add_argument("--repeats", type=int, default=2, help="runs of the command; the fastest counts")
    parser.add_argument("--out", type=Path, default=Path("docs/bench-evaluate.md"))
    args = parser.parse_args(argv)
    parts, load = [], os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        for size in SIZES:
            n_rows = size.n_rows // (200 if args.quick else 1)
            parts.append(_measure(size, n_rows, args.repeats, Path(folder)))
            print(parts[-1], flush=True)
    if not args.quick:
        write_text(args.out, _page(parts, load))
    return 0


def _measure(size: Size, n_rows: int, repeats: int, folder: Path) -> str:
    labels = write_label_map(folder / "labels.pbtxt")
    truth_file, detections, small = REAL_TRUTH, folder / "detections.csv", folder / "tenth.csv"
    if not (size.real and REAL_TRUTH.exists()):
        truth_file = write_truth(folder / "truth.csv", size.n_videos, size.n_seconds)
    truth, _ = read_truth(truth_file)
    write_detections(detections, truth, n_rows)
    n_small = _write_tenth(detections, small)

    def flags(found: Path) -> list[str]:
        named = {
            "groundtruth": truth_file,
            "detections": found,
            "labelmap": labels,
            "out": folder / "metrics.json",
        }
        return [word for flag, path in named.items() for word in (f"--{flag}", str(path))]

    best = min(
        (run_module("stages.evaluate", flags(detections)) for _ in range(repeats)), key=lambda run: run.wall
    )
    tenth = min(
        (run_module("stages.evaluate", flags(small)) for _ in range(repeats)), key=lambda run: run.wall
    )
    literal, difference = _literal(truth_file, small, folder / "metrics.json")
    spent = phases(lambda: plain_command.main(flags(detections)), PHASES)
    detections.unlink()
    source = "its own file" if truth_file == REAL_TRUTH else "generated"
    lines = [
        f"## {size.name}: {n_rows:,} detections",
        "",
        f"Ground truth ({source}): {len(truth.key_ms):,} keyframes, {len(truth.video):,} labels; dialect official.",
        "",
        f"- **{best.wall:.2f} s** wall clock (asked for: {size.seconds:g} s), {best.cpu:.2f} s of processor time, "
        f"**{best.memory:.2f} GiB** at most; the fastest of {repeats} runs, start of Python and csv reading included",
        f"- on a tenth of the detections ({n_small:,} rows): {tenth.wall:.2f} s; the literal evaluator of the tests "
        f"{literal:.1f} s: **{literal / tenth.wall:.0f} times** as long; largest difference of a class's AP: {difference:.0e}",
        "",
        "| phase | seconds | share |",
        "|---|---|---|",
        *(f"| {name} | {s:.2f} | {100 * s / sum(spent.values()):.0f} % |" for name, s in spent.items()),
        "",
    ]
    return "\n".join(lines)


def _write_tenth(source: Path, target: Path) -> int:
    """Every tenth box with all its rows; number of rows. Their number behind the score's decimals keeps scores distinct."""
    count = 0
    with source.open() as rows, target.open("w") as handle:
        for place, row in enumerate(rows):
            if place // len(AVA_EVALUATED) % 10 == 0:
                count += 1
                handle.write(f"{row.rstrip()}{count:07d}\n")
    return count


def _literal(truth_file: Path, detections_file: Path, metrics: Path) -> tuple[float, float]:
    """Seconds of the literal evaluator, reading included, and its largest difference from the command's APs."""
    start = time.perf_counter()
    truths, found = _rows(truth_file, False), _rows(detections_file, True)
    _, expected = literal_frame_map(truths, found, AVA_EVALUATED, "official")
    seconds = time.perf_counter() - start
    per_class = json.loads(metrics.read_text())["per_class"]
    ours = [np.nan if row["ap"] is None else row["ap"] for row in per_class]
    return seconds, float(np.nanmax(np.abs(np.array(ours) - [expected[row["id"]] for row in per_class])))


def _rows(path: Path, scored: bool) -> list[tuple]:
    rows: list[tuple] = []
    with path.open(newline="") as handle:
        for row in csv.reader(handle):
            if len(row) == 2:
                rows.append((row[0], float(row[1])))
                continue
            box = (float(row[2]), float(row[3]), float(row[4]), float(row[5]))
            labelled = (row[0], float(row[1]), box, int(row[6]))
            rows.append((*labelled, float(row[7])) if scored else labelled)
    return rows


def _page(parts: list[str], load: float) -> str:
    machine = (
        f"{os.cpu_count()} processors ({platform.machine()}), Python {platform.python_version()}, "
        f"numpy {np.__version__}, with a load of {load:.1f} from other work when it began"
    )
    head = f"# Evaluation of csv files: time and memory\n\nMade by `{COMMAND}` on {machine}.\n\n"
    return head + "\n".join(parts)


if __name__ == "__main__":
    raise SystemExit(main())

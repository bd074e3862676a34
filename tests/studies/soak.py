"""Kills random processes of runs of the small playground for some minutes; whatever was killed, the same bytes must come out.

  python -m tests.studies.soak                  ten minutes, writes docs/soak.md
  python -m tests.studies.soak --minutes 1      shorter; nothing is written

One run is left alone. The others are disturbed: again and again one of their processes (Snakemake itself, a stage, the shell
or the process pool between them) gets SIGKILL, chosen by chance. A run that ends is started again as a user would start it,
after `snakemake --unlock` where a lock is left; one that is complete is compared with the undisturbed one, and the next begins
in a new folder. After the time is over the last one is left to finish and compared, too.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from stages.lib.files import write_text
from tests.workflow.tiny import Project

SNAKEMAKE = [sys.executable, "-m", "snakemake", "--configfile", "configs/playground.yaml"]
PAUSE = (1.0, 12.0)  # seconds between two kills
GRACE = 1800.0  # seconds that a run may take once it is left alone


@dataclass
class Findings:
    """What was done and found: kills by kind of process, starts, complete runs, and files that differed or were left over."""

    kills: Counter[str] = field(default_factory=Counter)
    starts: int = 0
    complete: int = 0
    faults: list[str] = field(default_factory=list)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the soak; exit code 1 when it found anything."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument(
        "--seed", type=int, default=None, help="of the choices; a new one each time by default"
    )
    parser.add_argument("--out", type=Path, default=Path("docs/soak.md"))
    args = parser.parse_args(argv)
    seed = random.SystemRandom().randrange(10**6) if args.seed is None else args.seed
    print(f"seed {seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        undisturbed = Project(made(Path(folder) / "undisturbed"))
        begun = time.monotonic()
        undisturbed.run(" ".join([*SNAKEMAKE, "--cores", "2"]))
        alone = time.monotonic() - begun
        print(f"undisturbed: {alone:.0f} s", flush=True)
        found = soak(Path(folder), undisturbed.promised(), args.minutes * 60, random.Random(seed))
    page = report(found, alone, args.minutes, seed, len(undisturbed_names(found)))
    print(page)
    if args.minutes >= 10:
        write_text(args.out, page)
    return 1 if found.faults else 0

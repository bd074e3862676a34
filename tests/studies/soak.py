"""Kills random processes of runs of the small playground for some minutes; whatever was killed, the same bytes must come out.

  python -m tests.studies.soak                  ten minutes, writes docs/soak.md
  python -m tests.studies.soak --minutes 1      shorter; nothing is written

One run is left alone. The others are disturbed: again and again one of their processes (Snakemake, a stage, a shell between
them) gets SIGKILL, chosen by chance. A run that ends is started again as a user would start it, after `snakemake --unlock`
where it was Snakemake that died; a complete one is compared with the undisturbed one, and the next begins in a new folder.
When the time is over the last one is left to finish and compared, too.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from stages.lib.files import write_text
from tests.workflow.processes import kind_of, processes_in
from tests.workflow.tiny import RUN, Project

SNAKEMAKE = (sys.executable, "-m", "snakemake", "--configfile", "configs/playground.yaml")
PAUSE = (1.0, 12.0)  # seconds between two kills
WHOLE = 10.0  # minutes of a soak that is worth a page


@dataclass
class Soak:
    """What was done and found: kills by kind of process, starts, complete runs, and what was wrong with them."""

    folder: Path
    expected: dict[str, str]
    kills: Counter[str] = field(default_factory=Counter)
    starts: int = 0
    complete: int = 0
    faults: list[str] = field(default_factory=list)

    def new_project(self) -> Project:
        """The next folder."""
        folder = self.folder / f"run-{self.complete}"
        folder.mkdir()
        return Project(folder)

    def check(self, project: Project) -> None:
        """Compares a complete run with the undisturbed one."""
        self.complete += 1
        found = project.promised()
        for name in sorted(self.expected.keys() | found.keys()):
            if self.expected.get(name) != found.get(name):
                kind = (
                    "missing" if name not in found else "extra" if name not in self.expected else "different"
                )
                self.faults.append(f"run {self.complete}: {name} is {kind}")
        left = [path for path in (project.folder / RUN).rglob("*") if ".tmp." in path.name]
        self.faults += [f"run {self.complete}: {path.name} was left over" for path in left]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the soak; exit code 1 when it found anything."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=WHOLE)
    parser.add_argument(
        "--seed",
        type=int,
        default=random.SystemRandom().randrange(10**6),
        help="another each time by default",
    )
    parser.add_argument("--out", type=Path, default=Path("docs/soak.md"))
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        (Path(folder) / "undisturbed").mkdir()
        undisturbed = Project(Path(folder) / "undisturbed")
        begun = time.monotonic()
        undisturbed.run(" ".join([*SNAKEMAKE, "--cores", "2"]))
        alone = time.monotonic() - begun
        print(f"undisturbed run: {alone:.0f} s; seed of the kills {args.seed}", flush=True)
        soak = Soak(Path(folder), undisturbed.promised())
        disturb(soak, args.minutes * 60, random.Random(args.seed))
    page = _page(soak, alone, args.minutes, args.seed)
    print(page)
    if args.minutes >= WHOLE:
        write_text(args.out, page)
    return 1 if soak.faults else 0


def disturb(soak: Soak, seconds: float, chance: random.Random) -> None:
    """Kills for so many seconds, then lets the run under way finish."""
    end = time.monotonic() + seconds
    project, run = soak.new_project(), None
    killed_at = 0.0
    while True:
        over = time.monotonic() > end
        if run is None:
            run = _start(soak, project)
        elif run.poll() is not None:
            done, run = run.returncode == 0, None
            if done:
                soak.check(project)
                print(f"run {soak.complete} complete, {sum(soak.kills.values())} kills so far", flush=True)
                if over:
                    return
                project = soak.new_project()
            elif over and soak.starts > 500:
                raise RuntimeError((project.folder / "said.txt").read_text()[-4000:])
        elif not over and time.monotonic() > killed_at:
            kind = _kill_one(project, chance)
            soak.kills[kind] += 1
            killed_at = time.monotonic() + chance.uniform(*PAUSE)
        time.sleep(0.05)


def _start(soak: Soak, project: Project) -> subprocess.Popen[bytes]:
    soak.starts += 1
    if any((project.folder / ".snakemake/locks").glob("*")):
        project.run(" ".join([*SNAKEMAKE, "--unlock"]))
    with (project.folder / "said.txt").open("ab") as said:
        command = [*SNAKEMAKE, "--cores", "2"]
        return subprocess.Popen(command, cwd=project.folder, env=project.env, stdout=said, stderr=said)


def _kill_one(project: Project, chance: random.Random) -> str:
    """Ends one of the processes that work in the project's folder, orphans of earlier starts too; what it was."""
    found = processes_in(project.folder)
    if not found:
        return "nobody was there"
    number, words = chance.choice(found)
    try:
        os.kill(number, signal.SIGKILL)
    except ProcessLookupError:
        return "gone by itself"
    return kind_of(words)


def _page(soak: Soak, alone: float, minutes: float, seed: int) -> str:
    kills = sum(
        count for kind, count in soak.kills.items() if kind not in ("nobody was there", "gone by itself")
    )
    found = "\n".join(f"- {fault}" for fault in soak.faults)
    rows = [f"| {kind} | {count} |" for kind, count in soak.kills.most_common()]
    return "\n".join(
        [
            "# Soak: random kills",
            "",
            f"Made by `make soak` (seed {seed}): {minutes:g} minutes of SIGKILL to random processes of runs of the",
            f"small playground, {PAUSE[0]:g} to {PAUSE[1]:g} s after each other; left alone such a run takes {alone:.0f} s.",
            "",
            f"**{kills} kills**, {soak.starts} starts, {soak.complete} complete runs; each one's {len(soak.expected)} promised",
            "files (HDF5, safetensors, csv, metrics.json) compared with those of the undisturbed run:",
            f"**{len(soak.faults)} differences or leftovers**.",
            *([found] if found else []),
            "",
            "| killed | times |",
            "|---|---|",
            *rows,
            "",
        ]
    )


if __name__ == "__main__":
    raise SystemExit(main())

"""A cluster that only counts: `sbatch`, `squeue` and the other commands that Snakemake's Slurm executor calls.

    python fake_slurm.py COMMAND ARGS...        with FAKE_SLURM naming a folder

A submitted job stays in state RUNNING until WANTED jobs have been submitted (or PATIENCE seconds are over) and is then
COMPLETED; its outputs are made at that moment. So the number of jobs that Snakemake has under way at once is seen
without running any.
"""

import os
import re
import sys
import time
from pathlib import Path

WANTED, PATIENCE = 4, 25.0
STATE = Path(os.environ.get("FAKE_SLURM", "slurm"))


def main(command: str, words: list[str]) -> int:
    if command == "sbatch":
        return submit(" ".join(words))
    if command == "squeue":
        return status()
    if command == "sacctmgr":
        print("mine")
    return 0 if command in ("sinfo", "sacctmgr") else 1


def submit(text: str) -> int:
    number = len(list(STATE.glob("*.job"))) + 1
    (STATE / f"{number}.job").write_text(text)
    print(number)
    return 0


def status() -> int:
    jobs = sorted(STATE.glob("*.job"))
    waited = time.time() - min(job.stat().st_mtime for job in jobs)
    over = len(jobs) >= WANTED or waited > PATIENCE
    if over and not (STATE / "under-way").exists():
        (STATE / "under-way").write_text(str(len(jobs)))
    for job in jobs:
        if over:
            finish(job.read_text())
        print(f"{job.stem}|{'COMPLETED' if over else 'RUNNING'}")
    return 0


def finish(text: str) -> None:
    """Make the files of a `detect` job, which its target names."""
    found = re.search(r"detect:detector=([^,\s]+),dataset=([^,\s]+),shard=([0-9a-z-]+)", text)
    assert found, text
    name = f"playground/detect/{found[1]}/{found[2]}/{found[3]}"
    for path in (Path(f"results/{name}.h5"), Path(f"benchmarks/{name}.tsv")):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1], sys.argv[2:]))

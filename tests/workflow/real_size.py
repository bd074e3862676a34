"""Working folders in which the configurations of real data sets find all that they name, with sheets of the true size.

python -m tests.workflow.real_size ava-kinetics-ensemble            plans that run and prints its jobs, time and memory
python -m tests.workflow.real_size ava-kinetics-ensemble --done     plans it once more, when everything is done
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from stages.lib.config.given import given_paths
from stages.lib.config.load import load_config
from tests.workflow.flow import ROOT, Flow, clean_environment, read_config, with_stubs

MOVIES: Final = {"train": 235, "val": 64, "test": 131}
CLIPS: Final = {"train": 141_457, "val": 32_511, "test": 65_016}
NAMES: Final = ("ava", "kinetics", "ava-kinetics", "ava-kinetics-ensemble")


def real_flow(folder: Path, config: str | Mapping[str, Any]) -> Flow:
    """A flow with stubs beside the files that its configuration names: a name in configs/, or a mapping."""
    raw = read_config(config) if isinstance(config, str) else config
    flow = with_stubs(folder, config)
    for _, path, is_folder in given_paths(load_config(raw)):
        found = folder / path
        (found if is_folder else found.parent).mkdir(parents=True, exist_ok=True)
        if not is_folder:
            found.touch()
    for key, data in raw["datasets"].items():
        (folder / data["sheet"]).write_text(sheet(key, MOVIES if data["format"] == "ava" else CLIPS))
    return flow


def sheet(name: str, sizes: Mapping[str, int]) -> str:
    """A data-set sheet with so many videos in each split; ids of eleven characters, some with a dash in front."""
    lines = ["video\tpath\tsplit\tstart"]
    for split, size in sizes.items():
        letter = {"train": "t", "val": "v", "test": "-"}[split]
        lines += [f"{letter}{k:010d}\t{name}/{letter}{k:010d}.mp4\t{split}\t{k % 600}" for k in range(size)]
    return "\n".join(lines) + "\n"


# Snakemake's own way to record outputs as done, without its tenth of a second of rest after each.
_TOUCH: Final = (
    "import sys; from snakemake.executors import touch; touch.Executor.SLEEPING_TIME = 0; "
    "from snakemake.cli import main; main(sys.argv[1:])"
)


def finish(flow: Flow) -> None:
    """Make every output of the run an empty file (settings with their text), recorded as Snakemake records it."""
    flow.snakemake("--until", "config")
    for line in flow.snakemake("--dry-run").splitlines():
        if line.startswith("    output: "):
            for path in line.removeprefix("    output: ").split(", "):
                found = flow.folder / path
                found.parent.mkdir(parents=True, exist_ok=True)
                found.touch()
    words = [
        "--directory",
        str(flow.folder),
        "--configfile",
        str(flow.config),
        "--cores",
        "100000",
        "--scheduler",
        "greedy",
        "--quiet",
        "all",
    ]
    command = [sys.executable, "-c", _TOUCH, *words, "--touch", "--forceall"]
    subprocess.run(command, cwd=ROOT, env=clean_environment() | flow.env, check=True, timeout=3600)
    for path in flow.folder.glob("results/*/extract/*/*/*.views.h5"):
        path.unlink()


def main(argv: Sequence[str] | None = None) -> int:
    """Plan one run and print what that took."""
    parser = argparse.ArgumentParser(prog="python -m tests.workflow.real_size", description=__doc__)
    parser.add_argument("name", choices=NAMES)
    parser.add_argument("--done", action="store_true", help="plan it when everything is done (some minutes)")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        flow = real_flow(Path(folder), args.name)
        if args.done:
            finish(flow)
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        counts: dict[str, Any] = flow.counts()
        seconds = time.monotonic() - start
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
    for rule, count in counts.items():
        print(f"{rule:16}{count:8}")
    print(f"{'all':16}{sum(counts.values()):8}")
    print(f"{seconds:.1f} s, of which {processor:.1f} s of a processor; ", end="")
    print(f"{used.ru_maxrss / 2**20:.2f} GiB at most")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

"""How long an ensemble of 20 members with six views takes at the size of AVA-Kinetics val, and how much memory.

  python -m tests.benches.bench_ensemble            full size, writes docs/bench-ensemble.md (about a quarter of an hour, 5 GB)
  python -m tests.benches.bench_ensemble --quick    small: shows that it works, measures nothing

Generated float16 predictions in the format of stage predict; the commands are run as Snakemake runs them, with a warm page
cache. The phases are timed in a second run; the searches, the members' worth, the bootstrap and the causes of errors apart.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from stages.ensemble import __main__ as ensemble
from stages.ensemble import fitting
from stages.ensemble.study import FitData
from stages.evaluate import core as scoring
from stages.evaluate import datasets as inputs
from stages.evaluate import errors_command, run_command
from stages.lib.config.ensemble import EnsembleConfig, WeightRule
from stages.lib.config.evaluate import EvaluateConfig, MetricConfig
from stages.lib.config.load import canonical_json
from stages.lib.config.payloads import EnsemblePayload, EvaluatePayload, Payload
from stages.lib.config.versions import VERSIONS
from stages.lib.files import write_json, write_text
from tests.benches.ensemble_files import FULL, QUICK, VIEWS, Part, write_world
from tests.benches.measured import Run, phases, run_module

COMMAND = "make bench-ensemble"
SECONDS, MEMORY = 60.0, 6.0
MEMBERS, RESAMPLES = 20, 100
FIT = "match boxes, rank every member, `ap` weights of all videos and of both halves, measure them"
ENSEMBLE_PHASES = (
    ("read the predictions, average the views", ensemble, "read_members"),
    (FIT, ensemble, "fit_members"),
    ("fuse", ensemble, "_fuse"),
)
EVALUATE_PHASES = (
    ("read the fused scores", inputs, "_read"),
    ("frame mAP of both data sets and the union", scoring, "frame_map"),
    ("write the detections as csv", run_command, "_write_submission"),
)


@dataclass(frozen=True)
class World:
    """Where the generated files are: shards by data set."""

    folder: Path
    parts: tuple[Part, ...]
    members: int

    def made(self) -> tuple[dict[str, int], int]:
        """Boxes of each data set and bytes of all predictions; what is not there yet is generated."""
        note = self.folder / "made.json"
        if not note.is_file():
            write_json(note, write_world(self.folder, self.parts, self.members))
        boxes, size = json.loads(note.read_text())
        return boxes, size

    def files(self, name: str) -> list[str]:
        """DATASET=FILE of the index or of a member, by its number."""
        return [
            f"{part.name}={path}"
            for part in self.parts
            for path in sorted((self.folder / name / part.name).glob("*.h5"))
        ]

    def warm(self) -> None:
        """Reads every file once, so that the page cache has what fits into it."""
        for path in self.folder.rglob("*.h5"):
            path.read_bytes()

    def ensemble(self, rule: WeightRule, **keys: Any) -> list[str]:
        """Words of the ensemble command."""
        names = tuple(f"m{number}" for number in range(self.members))
        cfg = EnsembleConfig(members=names, weights=rule, **keys)
        payload = EnsemblePayload(version=VERSIONS["ensemble"], ensemble=cfg, metric=MetricConfig())
        words = ["--config", self._config("ensemble", payload), "--index", *self.files("index")]
        for number, name in enumerate(names):
            words += ["--predictions", *(f"{name}={file}" for file in self.files(str(number)))]
        return [*words, "--out-dir", str(self.folder / "out")]

    def scored(self, **keys: Any) -> list[str]:
        """Words of the commands of evaluate on the ensemble's scores, without --out-dir or --out."""
        payload = EvaluatePayload(version=VERSIONS["evaluate"], evaluate=EvaluateConfig(**keys))
        scores = [f"{part.name}={self.folder / 'out' / part.name}.h5" for part in self.parts]
        words = ["--config", self._config("evaluate", payload), "--index", *self.files("index")]
        return [*words, "--scores", *scores]

    def evaluate(self, **keys: Any) -> list[str]:
        """Words of the evaluate command."""
        return [*self.scored(**keys), "--out-dir", str(self.folder / "out")]

    def _config(self, name: str, payload: Payload) -> str:
        path = self.folder / f"{name}.json"
        write_text(path, canonical_json(payload.model_dump(mode="json")))
        return str(path)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print and write the table; exit code 1 when time or memory is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="small; nothing is written")
    parser.add_argument("--out", type=Path, default=Path("docs/bench-ensemble.md"))
    parser.add_argument(
        "--folder", type=Path, help="generated files are kept here, and used again (default: none are)"
    )
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        world = World(
            args.folder or Path(folder), QUICK if args.quick else FULL, 3 if args.quick else MEMBERS
        )
        boxes, size = world.made()
        world.warm()
        load = os.getloadavg()[0]
        runs = (
            run_module("stages.ensemble", world.ensemble("ap", leave_one_out=False)),
            run_module("stages.evaluate", world.evaluate()),
        )
        texts = [_page(world, boxes, size, runs, load)]
        for part in (_phases, _apart):
            print(texts[-1], flush=True)
            if not args.quick:
                write_text(args.out, "".join(texts))
            texts.append(part(world))
    print(texts[-1])
    if not args.quick:
        write_text(args.out, "".join(texts))
    met = sum(run.wall for run in runs) <= SECONDS and max(run.memory for run in runs) <= MEMORY
    return 0 if met or args.quick else 1


def _page(world: World, boxes: dict[str, int], size: int, runs: tuple[Run, Run], load: float) -> str:
    keyframes = sum(part.videos * part.keyframes for part in world.parts)
    files = world.members * sum(part.shards for part in world.parts)
    wall, memory = sum(run.wall for run in runs), max(run.memory for run in runs)
    rows = [
        f"| {name} | {run.wall:.1f} | {run.cpu:.1f} | {run.memory:.2f} |"
        for name, run in zip(
            ("ensemble: APs, `ap` weights, held-out measurement, fusion", "evaluate"), runs, strict=True
        )
    ]
    met = "met" if wall <= SECONDS and memory <= MEMORY else "**not met**"
    machine = f"{os.cpu_count()} processors ({platform.machine()}), Python {platform.python_version()}"
    return f"""# Ensemble at the size of AVA-Kinetics val: time and memory

Made by `{COMMAND}` on {machine}, numpy {np.__version__}, with a load of {load:.1f} from other work when it began.
{world.members} members x {len(VIEWS)} views, {keyframes:,} keyframes, {sum(boxes.values()):,} boxes x 60 classes:
{size / 1e9:.1f} GB of float16 logits in {files:,} files; page cache warm; as many threads as processors.

**{wall:.1f} s** and **{memory:.2f} GiB** in all, for {SECONDS:g} s and {MEMORY:g} GiB asked for: {met}.

| command | s, wall clock | s, processor | GiB at most |
|---|---|---|---|
{chr(10).join(rows)}

"""


def _phases(world: World) -> str:
    """Where the time goes, in a second run inside one process."""
    words = world.ensemble("ap", leave_one_out=False)
    spent = phases(lambda: ensemble.main(words), ENSEMBLE_PHASES)
    scored = phases(lambda: run_command.main(world.evaluate()), EVALUATE_PHASES)
    rows = [f"| ensemble | {name} | {seconds:.1f} |" for name, seconds in spent.items()]
    rows += [f"| evaluate | {name} | {seconds:.1f} |" for name, seconds in scored.items()]
    return "\n".join(["| command | phase | s |", "|---|---|---|", *rows, "", ""])


def _apart(world: World) -> str:
    """What is not part of the promise: both searches, the members' worth, the bootstrap, the causes of errors."""
    with _kept(FitData) as made:
        assert ensemble.main(world.ensemble("uniform", leave_one_out=False)) == 0
    data: FitData = made[0]
    spent: dict[str, float] = {}
    for rule in ("greedy", "least-squares"):
        cfg = EnsembleConfig(members=tuple(f"m{number}" for number in range(world.members)), weights=rule)
        spent[f"`{rule}` weights, all videos"] = _seconds(lambda cfg=cfg: data.fit(cfg))
    with_worth = phases(lambda: ensemble.main(world.ensemble("ap")), ENSEMBLE_PHASES)
    spent["fit and measure `ap` weights as above, and each member's worth"] = with_worth[FIT]
    parts = (("bootstrap", scoring, "bootstrap"),)
    boot = phases(lambda: run_command.main(world.evaluate(bootstrap=RESAMPLES)), parts)
    spent[f"bootstrap of the mAPs, {RESAMPLES} resamples"] = boot["bootstrap"]
    words = [*world.scored(), "--out", str(world.folder / "out" / "errors.json")]
    causes = phases(lambda: errors_command.main(words), (("causes", errors_command, "error_tables"),))
    spent["causes of errors, what-ifs, doubtful annotations"] = causes["causes"]
    rows = [f"| {name} | {seconds:.1f} |" for name, seconds in spent.items()]
    return "\n".join(["Apart from that:", "", "| | s |", "|---|---|", *rows, ""])


def _seconds(work: Any) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


@contextmanager
def _kept(kind: Any) -> Iterator[list[Any]]:
    """Collects the instances of a class that the ensemble command makes."""
    made: list[Any] = []

    def make(*args: Any) -> Any:
        made.append(kind(*args))
        return made[-1]

    with patch.object(fitting, kind.__name__, make):
        yield made


if __name__ == "__main__":
    raise SystemExit(main())

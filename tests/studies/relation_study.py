"""Do relations and long-term memory do what they claim? Every head on the drawn test world, with intervals over videos.

Runs configs/relation-study.yaml (two backbone seeds, three seeds of every head; all choices were made on val), reads the
predictions for the test world and writes docs/relation-study.md: mean AP by class kind as the mean over the runs of a head,
with a 95 % bootstrap interval over videos, and the margins that the parts claim.
Command: python -m tests.studies.relation_study [--quick] [--no-run] [--out FILE]
"""

from __future__ import annotations

import argparse
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from snakemake.utils import update_config

from stages.lib.artifacts.predictions import DETECTED, TRUTH
from stages.lib.config.load import load_config
from stages.lib.config.root import Config
from stages.report.metrics import read_models
from tests.studies.relation_results import NEAR_SECONDS, Study

COMMAND = "python -m tests.studies.relation_study"
CONFIGS = ("configs/relation-study.yaml",)
QUICK = (*CONFIGS, "tests/studies/relation-study-quick.yaml")
KINDS = ("a", "b", "c", "d")
HEADS = ("linear", "linear-afb", "acar", "acar-afb", "acar-acfb", "acar-w0")
PART_KINDS = ("b", "c", "d")
PART_HEADS = ("acar", "acar-acfb", "acar-w0")
TITLES = {
    "linear": "Linear",
    "linear-afb": "Linear + AFB",
    "acar": "ACAR",
    "acar-afb": "ACAR + AFB",
    "acar-acfb": "ACAR + ACFB",
    "acar-w0": "control: ACFB, window 0",
}


# ---- the page ----


def table(study: Study) -> Iterator[str]:
    """Mean AP of every head by kind, and of kind d on the keyframes where no event is live."""
    yield "| head | runs | a body | b context | c actor-context-actor | d long-term | d, pause only | all classes |"
    yield "|---|---|---|---|---|---|---|---|"
    for head in HEADS:
        runs = study.runs(head)
        cells = [study.figure(kind, runs).text() for kind in KINDS]
        cells += [study.figure("d", runs, part="pause").text(), study.figure(None, runs).text()]
        yield f"| {TITLES[head]} | {len(runs)} | " + " | ".join(cells) + " |"


def parts_table(study: Study) -> Iterator[str]:
    """Kind d near cuts and far from them, and kinds b to d of people who move and who stay in place."""
    record = study.world.record
    near, far = (len(record.keys(part)) for part in ("near", "far"))
    yield (
        f"| head | d, cut ≤ {NEAR_SECONDS:g} s away ({near} keyframes) | d, cut further away ({far}) | "
        + " | ".join(
            f"{kind}, {text}"
            for kind in PART_KINDS
            for text in ("who walks in the scene", "who stays in place")
        )
        + " |"
    )
    yield "|" + "---|" * (3 + 2 * len(PART_KINDS))
    for head in PART_HEADS:
        runs = study.runs(head)
        cells = [study.figure("d", runs, part=part).text() for part in ("near", "far")]
        cells += [
            study.figure(kind, runs, part=part, boxset=TRUTH).text()
            for kind in PART_KINDS
            for part in ("moves", "stays")
        ]
        yield f"| {TITLES[head]} | " + " | ".join(cells) + " |"


@dataclass(frozen=True)
class Claim:
    """One margin: what is wanted, what was found, whether it is met."""

    text: str
    wanted: str
    found: str
    met: bool

    def line(self) -> str:
        return f"| {self.text} | {self.wanted} | {self.found} | {'met' if self.met else '**not met**'} |"


def claims(study: Study) -> Iterator[Claim]:
    """The margins of the design, as differences of means over runs."""
    runs = {head: study.runs(head) for head in HEADS}
    for head in HEADS[1:]:
        gap = study.figure("a", runs[head], runs["linear"])
        yield Claim(f"(a) {TITLES[head]} - Linear", "within ±4", gap.text(), abs(gap.mean) <= 0.04)
    for kind in ("b", "c"):
        gap = study.figure(kind, runs["acar"], runs["linear"])
        yield Claim(f"({kind}) ACAR - Linear", "≥ 20", gap.text(), gap.mean >= 0.20)
    gap = study.figure("d", runs["acar-acfb"], runs["acar-w0"])
    yield Claim("(d) ACFB - the same head with window 0", "≥ 6", gap.text(), gap.mean >= 0.06)
    gap = study.figure("d", runs["acar-acfb"], runs["acar-w0"], part="pause")
    yield Claim("(d, pause) ACFB - the same head with window 0", "≥ 10", gap.text(), gap.mean >= 0.10)
    for head in ("linear-afb", "acar-afb"):
        gap = study.figure("d", runs["acar-acfb"], runs[head])
        yield Claim(f"(d) ACFB - {TITLES[head]}", "≥ 0", gap.text(), gap.mean >= 0.0)
    everyone = [run for head in HEADS for run in runs[head]]
    single = study.config.extract.views[0]
    six, one = study.figure(None, everyone, views="all"), study.figure(None, everyone, views=single)
    yield Claim(
        "six views - one view, mean over all runs", "≥ 0", _points(six.mean - one.mean), six.mean >= one.mean
    )
    better, poorer = study.figure(None, everyone, boxset=TRUTH), study.figure(None, everyone)
    gain = better.mean - poorer.mean
    yield Claim("ground-truth boxes - detected boxes, mean over all runs", "≥ 0", _points(gain), gain >= 0)
    yield ensemble_claim(study)


def ensemble_claim(study: Study) -> Claim:
    """The ensemble against the member that is best on val, both in all views on test."""
    name, chosen = next(iter(study.config.ensembles.items()))
    members = [member.partition(":") for member in chosen.members]
    runs = [f"{head}/seed{seed or 0}" for head, _, seed in members]
    best = max(runs, key=lambda run: _validation_map(study, run))
    gap = study.figure(None, [name], [best], views="all")
    return Claim(
        f"ensemble of {len(runs)} - its best member on val ({best})", "≥ 0", gap.text(), gap.mean >= 0
    )


def _validation_map(study: Study, run: str) -> float:
    (model,) = read_models({run: [study.root / "evaluate" / run / "metrics.json"]})
    value = model.mean_ap("val", DETECTED, "all")
    assert value is not None
    return value.mean


def _points(value: float) -> str:
    return f"{100 * value:+.1f}"


def page(study: Study, seconds: float) -> str:
    """The whole study as markdown."""
    found = list(claims(study))
    lines = [
        "# Relation study: do the parts do what they claim?",
        "",
        f"Command: `{COMMAND}` (or `make relation-study`), configuration `{CONFIGS[0]}`"
        f"{f', {seconds / 60:.0f} minutes on two cores' if seconds else ''}.",
        "",
        "Mean AP in percent on the test world, detected boxes, one view unless said otherwise: mean over the runs of a head",
        "(two backbone seeds, three head seeds), 95 % bootstrap interval over videos, ± standard deviation of the runs.",
        "",
        *table(study),
        "",
        "## Cuts and people who walk",
        "",
        "The same heads where the nearest cut, before or after the keyframe, is near or far (detected boxes; the memory's",
        "window reaches across it nearly everywhere, and what lies behind it is another scene), and for people who walk in",
        "some second of the scene against all others (ground-truth boxes, because only they have identities).",
        "",
        *parts_table(study),
        "",
        "## Claims",
        "",
        "| difference | wanted | found | |",
        "|---|---|---|---|",
        *(claim.line() for claim in found),
        "",
    ]
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the pipeline where something is missing, then the study; writes the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--quick", action="store_true", help="a tiny world: shows that it works, proves nothing"
    )
    parser.add_argument("--no-run", action="store_true", help="read the results that are there")
    parser.add_argument(
        "--out", type=Path, help="markdown file (default docs/relation-study.md, none if quick)"
    )
    args = parser.parse_args(argv)
    files, start = (QUICK if args.quick else CONFIGS), time.monotonic()
    if not args.no_run:
        subprocess.run(["snakemake", "--cores", "all", "--configfile", *files], check=True)
    seconds = 0.0 if args.no_run else time.monotonic() - start
    study = Study(load_files(files), Path.cwd(), resamples=50 if args.quick else 500)
    text = page(study, seconds)
    print(text)
    out = args.out or (None if args.quick else Path("docs/relation-study.md"))
    if out:
        out.write_text(text)
    return 0


def load_files(files: Sequence[str]) -> Config:
    """The configuration of some files laid over each other, as Snakemake does it."""
    merged: dict[str, object] = {}
    for name in files:
        update_config(merged, yaml.safe_load(Path(name).read_text()))
    return load_config(merged)


if __name__ == "__main__":
    raise SystemExit(main())

"""Do relations and long-term memory do what they claim? Every head on the drawn test world, with intervals over videos.

Runs configs/relation-study.yaml (two backbone seeds, three seeds of every head; all choices were made on val), reads the
predictions for the test world and writes docs/relation-study.md: mean AP by class kind as the mean over the runs of a head,
with a 95 % bootstrap interval over videos, the ensemble of each head seed, and the margins that the parts claim.
Command: python -m tests.studies.relation_study [--quick] [--no-run] [--out FILE]
"""

from __future__ import annotations

import argparse
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory

import yaml
from snakemake.utils import update_config

from stages.lib.artifacts.predictions import TRUTH
from stages.lib.config.load import load_config
from stages.lib.config.root import Config
from stages.synthesize.labels import CLASSES
from tests.studies.relation_results import NEAR_SECONDS, Figure, Study
from tests.studies.seed_ensembles import SeedEnsemble, seed_ensembles

COMMAND = "python -m tests.studies.relation_study"
CONFIGS = ("configs/relation-study.yaml",)
QUICK = (*CONFIGS, "tests/studies/relation-study-quick.yaml")
KINDS = ("a", "b", "c", "d")
HEADS = ("linear", "linear-afb", "acar", "acar-afb", "acar-acfb", "acar-w0")
PART_KINDS = ("b", "c", "d")
PART_HEADS = ("acar", "acar-acfb", "acar-w0")
NAMES = {action.id: action.name for action in CLASSES}
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


def events_table(study: Study) -> Iterator[str]:
    """Each class of kind d while its event is live and after it: what a bank can hold, and what is made of it."""
    heads = ("linear", *PART_HEADS)
    yield (
        "| class of kind d | keyframes live, over | "
        + " | ".join(f"{TITLES[head]}: live, over" for head in heads)
        + " |"
    )
    yield "|" + "---|" * (2 + len(heads))
    for number, kind in study.world.kinds.items():
        if kind != "d":
            continue
        counts = f"{len(study.world.live[number])}, {len(study.world.over[number])}"
        cells = [
            ", ".join(
                f"{100 * study.class_ap(number, study.runs(head), part=part, boxset=TRUTH):.1f}"
                for part in ("live", "pause")
            )
            for head in heads
        ]
        yield f"| {NAMES[number]} | {counts} | " + " | ".join(cells) + " |"


@dataclass(frozen=True)
class Claim:
    """One margin: what is wanted, what was found, whether it is met."""

    text: str
    wanted: str
    found: str
    met: bool

    def line(self) -> str:
        return f"| {self.text} | {self.wanted} | {self.found} | {'met' if self.met else '**not met**'} |"


def claims(study: Study, ensembles: Sequence[SeedEnsemble]) -> Iterator[Claim]:
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
    yield ensemble_claim(study, ensembles)


def ensemble_claim(study: Study, ensembles: Sequence[SeedEnsemble]) -> Claim:
    """The ensembles against the members that are best on val, all in all views on test."""
    gap = _over_the_best(study, ensembles)
    text = f"ensemble - its best member on val, six views, mean over {len(ensembles)} head seeds"
    return Claim(text, "≥ 0", gap.text(), gap.mean >= 0)


def ensembles_table(study: Study, ensembles: Sequence[SeedEnsemble]) -> Iterator[str]:
    """Each seed's ensemble, its member that is best on val, and the difference on test; the mean over the seeds."""
    yield "| head seed | ensemble | best member on val | that member | difference | optimism on val |"
    yield "|---|---|---|---|---|---|"
    for one in ensembles:
        best = one.runs[one.best]
        yield _ensemble_row(study, [one], str(one.seed), f"{best} (val {100 * one.fitted_map[one.best]:.1f})")
    yield _ensemble_row(study, ensembles, "mean", "")


def _ensemble_row(study: Study, ensembles: Sequence[SeedEnsemble], title: str, best: str) -> str:
    own = study.figure(None, [one.name for one in ensembles], views="all")
    single = study.figure(None, [one.runs[one.best] for one in ensembles], views="all")
    figures = [own, single, _over_the_best(study, ensembles)]
    texts = [figure.text() if len(ensembles) > 1 else figure.interval() for figure in figures]
    optimism = [one.optimism for one in ensembles if one.optimism is not None]
    flattered = _points(fmean(optimism)) if optimism else "unknown"
    return f"| {title} | {texts[0]} | {best} | {texts[1]} | {texts[2]} | {flattered} |"


def _heads(ensemble: SeedEnsemble) -> str:
    return ", ".join(run.partition("/")[0] for run in ensemble.runs)


def _over_the_best(study: Study, ensembles: Sequence[SeedEnsemble]) -> Figure:
    best = [one.runs[one.best] for one in ensembles]
    return study.figure(None, [one.name for one in ensembles], best, views="all")


def _points(value: float) -> str:
    return f"{100 * value:+.1f}"


def page(study: Study, ensembles: Sequence[SeedEnsemble], seconds: float) -> str:
    """The whole study as markdown."""
    found = list(claims(study, ensembles))
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
        "## Ensembles",
        "",
        f"For each head seed the {len(ensembles[0].runs)} heads {_heads(ensembles[0])}, all views,",
        f"weighted per class by the rule `{ensembles[0].rule}`, fitted on val. The optimism is what weights reach on the half of",
        "the val videos that they were fitted on, minus what weights of the other half reach there.",
        "",
        *ensembles_table(study, ensembles),
        "",
        "## Kind d, class by class",
        "",
        "AP on the keyframes where the event is not over (live, or there was none), and where it is not live (over, or there",
        "was none); ground-truth boxes, one view. A memory can hold no more than what is read while the event is live.",
        "",
        *events_table(study),
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
    text = read_study(load_files(files), Path.cwd(), 50 if args.quick else 500, seconds)
    print(text)
    out = args.out or (None if args.quick else Path("docs/relation-study.md"))
    if out:
        out.write_text(text)
    return 0


def read_study(config: Config, root: Path, resamples: int, seconds: float = 0.0) -> str:
    """The page of a finished run under `root`; the ensembles of its seeds are fused for it, and not kept."""
    with TemporaryDirectory() as folder:
        ensembles = seed_ensembles(config, root / "results" / config.run, Path(folder))
        study = Study(config, root, resamples, {one.name: one.folder for one in ensembles})
        return page(study, ensembles, seconds)


def load_files(files: Sequence[str]) -> Config:
    """The configuration of some files laid over each other, as Snakemake does it."""
    merged: dict[str, object] = {}
    for name in files:
        update_config(merged, yaml.safe_load(Path(name).read_text()))
    return load_config(merged)


if __name__ == "__main__":
    raise SystemExit(main())

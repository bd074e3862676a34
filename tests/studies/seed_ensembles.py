"""The ensemble of the relation study once for each seed of its heads, fused by the stage's own command.

Members and weights are those of the first of the configuration's ensembles; nothing is trained.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stages.ensemble.__main__ import main as ensemble_main
from stages.lib.config.ensemble import EnsembleConfig, member_parts
from stages.lib.config.evaluate import MetricConfig
from stages.lib.config.load import canonical_json
from stages.lib.config.payloads import EnsemblePayload
from stages.lib.config.root import Config
from stages.lib.config.versions import VERSIONS
from stages.lib.files import write_text


@dataclass(frozen=True)
class SeedEnsemble:
    """The ensemble of one seed: its folder, its members' runs (KEY/seedN) and mAPs on the split of the fit, its optimism.

    `optimism` is in mAP: weights fitted and measured on the same halves of the videos minus those measured on the others;
    None where there are no two halves.
    """

    seed: int
    folder: Path
    runs: tuple[str, ...]
    rule: str
    fitted_map: tuple[float, ...]
    optimism: float | None

    @property
    def name(self) -> str:
        """What the study calls it among its runs."""
        return f"ensemble of seed {self.seed}"

    @property
    def best(self) -> int:
        """Place of the member that is best where the weights were fitted; the first of equals."""
        return max(range(len(self.runs)), key=self.fitted_map.__getitem__)


def seed_ensembles(config: Config, root: Path, out: Path) -> list[SeedEnsemble]:
    """Fuses the members of each seed that all of them have, from the run's predictions under `root`, into folders of `out`."""
    chosen = next(iter(config.ensembles.values()))
    heads = list(dict.fromkeys(member_parts(member)[0] for member in chosen.members))
    seeds = sorted(set.intersection(*(set(config.heads[head].seeds) for head in heads)))
    return [_fused(config, chosen, heads, seed, root, out / f"seed{seed}") for seed in seeds]


def _fused(
    config: Config, chosen: EnsembleConfig, heads: Sequence[str], seed: int, root: Path, folder: Path
) -> SeedEnsemble:
    members = tuple(f"{head}:{seed}" for head in heads)
    payload = EnsemblePayload(
        version=VERSIONS["ensemble"],
        ensemble=chosen.model_copy(update={"members": members, "leave_one_out": False}),
        metric=MetricConfig(
            dialect=config.evaluate.dialect, iou=config.evaluate.iou, cap=config.evaluate.cap
        ),
    )
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / "config.json", canonical_json(payload.model_dump(mode="json")))
    words = ["--config", str(folder / "config.json"), "--out-dir", str(folder)]
    words += ["--index", *_files(root / "index", config.datasets)]
    for head, member in zip(heads, members, strict=True):
        found = _files(root / "predict" / head / f"seed{seed}", config.datasets)
        words += ["--predictions", *(f"{member}={file}" for file in found)]
    if ensemble_main(words):
        raise RuntimeError(f"the ensemble of seed {seed} failed; its message stands above")
    weights = json.loads((folder / "weights.json").read_text())
    runs = tuple(f"{head}/seed{seed}" for head in heads)
    held = weights["held_out"] or {"optimism": None}
    return SeedEnsemble(seed, folder, runs, weights["rule"], tuple(weights["mean_ap"]), held["optimism"])


def _files(folder: Path, datasets: Sequence[str]) -> list[str]:
    return [f"{name}={path}" for name in datasets for path in sorted((folder / name).glob("*.h5"))]

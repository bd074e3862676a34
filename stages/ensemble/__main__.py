r"""Fuse the predictions of several heads with weights per class.

Every member's AP per class is measured on the fit split, over all data sets with ground truth as one pool
(detected boxes); a class's weights follow from these APs, or from a search; probabilities are fused for all box sets.
Members may be csv files in the official form of detections (--csv theirs=FILE). Where members have other boxes than each
other, these are clustered by IoU and fused first (weighted boxes fusion).
Weights are also fitted on one half of the videos and measured on the other, both ways, and so is each member's worth.
With --given-weights nothing is fitted: weights of an earlier run count, and are measured where there is truth.
Writes DIR/<dataset>.h5 (all shards of the data set) and DIR/weights.json.

  python -m stages.ensemble --config C.json --index movies=A.h5 movies=B.h5 \
      --predictions acar=movies=P.h5 acar=movies=Q.h5 acar:1=movies=R.h5 ... --out-dir DIR
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stages.ensemble.core import mixture
from stages.ensemble.fitting import fit_members
from stages.ensemble.given import read_given
from stages.ensemble.members import Members, read_members
from stages.ensemble.study import renormalised
from stages.ensemble.summary import summary
from stages.ensemble.weights import Weights
from stages.lib.artifacts.loading import joint_fingerprint, load_index
from stages.lib.artifacts.predictions import FUSED, BoxSet, Fused
from stages.lib.artifacts.provenance import Provenance
from stages.lib.artifacts.schemas import ENSEMBLE
from stages.lib.artifacts.writer import write_artifact
from stages.lib.cli import by_name, named_path, parse, run_stage, stage_parser
from stages.lib.config.ensemble import EnsembleConfig, member_parts
from stages.lib.config.payloads import EnsemblePayload
from stages.lib.errors import StageError
from stages.lib.files import file_sha, write_json

MemberFile = tuple[str, str, Path]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    parser = stage_parser("ensemble", __doc__)
    parser.add_argument(
        "--index", type=named_path, nargs="+", action="extend", required=True, metavar="DATASET=FILE"
    )
    parser.add_argument(
        "--predictions",
        type=_member_file,
        nargs="+",
        action="extend",
        default=[],
        metavar="MEMBER=DATASET=FILE",
    )
    parser.add_argument(
        "--csv", type=named_path, nargs="+", action="extend", default=[], metavar="MEMBER=FILE"
    )
    parser.add_argument(
        "--given-weights", type=Path, help="weights.json of an earlier run, in place of a fit"
    )
    parser.add_argument("--out-dir", type=Path, required=True)
    return run_stage("ensemble", EnsemblePayload, parse(parser, argv), _work)


def _member_file(text: str) -> MemberFile:
    member, rest = named_path(text)
    head, seed = member_parts(member)
    dataset, path = named_path(str(rest))
    return f"{head}:{seed}", dataset, path


def _work(args: argparse.Namespace, payload: EnsemblePayload, text: str) -> dict[str, object]:
    cfg = payload.ensemble
    heads = [f"{head}:{seed}" for head, seed in map(member_parts, cfg.members)]
    files = _files(args.predictions, heads)
    loaded = {name: load_index(paths, name) for name, paths in by_name(args.index).items()}
    indexes = {name: index for name, (index, _) in loaded.items()}
    members = read_members({head: files[head] for head in heads}, _csv_files(args.csv, cfg), indexes, cfg)
    marks = {f"index/{name}": mark for name, (_, mark) in loaded.items()} | members.marks
    given = _given(args.given_weights, members, payload)
    if given:
        marks["given weights"] = file_sha(args.given_weights)
    fitted = fit_members(members, indexes, payload, given)
    for dataset in members.shared:
        fused = _fuse(members, dataset, fitted.weights)
        inputs = {name: mark for name, mark in marks.items() if name.endswith(f"/{dataset}")}
        inputs |= {name: mark for name, mark in marks.items() if name in cfg.csv}
        inputs |= {name: mark for name, mark in marks.items() if name == "given weights"}
        inputs["fitted on"] = joint_fingerprint(sorted(marks.values()))
        origin = Provenance("ensemble", payload.version, text, inputs)
        with write_artifact(args.out_dir / f"{dataset}.h5", ENSEMBLE, origin) as writer:
            fused.write(writer)
    write_json(args.out_dir / "weights.json", summary(members, fused.classes, fitted, payload))
    found: dict[str, object] = {
        "members": len(members.names),
        "data sets": len(members.shared),
        "fitted on": len(fitted.known),
    }
    if fitted.held is None:
        return found
    return found | {
        "held-out mAP in percent": f"{100 * np.mean(fitted.held.held_out):.2f}",
        "optimism in points": f"{100 * fitted.held.optimism:+.2f}",
    }


def _given(path: Path | None, members: Members, payload: EnsemblePayload) -> Weights | None:
    """Weights of an earlier run, where the configuration takes them."""
    if (path is None) != (payload.ensemble.weights_from is None):
        raise StageError(
            "weights of an earlier run are given in one place only",
            "--given-weights",
            "give them with ensembles.<key>.weights_from",
        )
    first = next(iter(next(iter(members.shared.values())).values()))
    return read_given(path, members.names, first.classes) if path else None


def _csv_files(given: Sequence[tuple[str, Path]], cfg: EnsembleConfig) -> dict[str, Path]:
    """The csv file of every csv member, in the order of the configuration."""
    files = dict(given)
    if set(files) != set(cfg.csv) or len(files) != len(given):
        what = f"csv files of {', '.join(files) or 'none'} given, members are {', '.join(cfg.csv) or 'none'}"
        raise StageError(what, "--csv", "give one file for each name under csv")
    return {name: files[name] for name in cfg.csv}


def _files(given: Sequence[MemberFile], members: Sequence[str]) -> dict[str, dict[str, list[Path]]]:
    """Files of heads by member and data set; every head must speak about the same data sets."""
    files: dict[str, dict[str, list[Path]]] = {}
    for member, dataset, path in given:
        files.setdefault(member, {}).setdefault(dataset, []).append(path)
    missing = [member for member in members if member not in files]
    if missing:
        raise StageError(
            f"no predictions of member {', '.join(missing)}", "--predictions", "give files of every member"
        )
    for member in members:
        lacking = sorted(set(files[members[0]]) ^ set(files[member]))
        if lacking:
            what = f"members {members[0]} and {member} do not both have predictions on {', '.join(lacking)}"
            raise StageError(what, "--predictions", "give every member's files for the same data sets")
    return files


def _fuse(members: Members, dataset: str, weights: Weights) -> Fused:
    """All box sets of one data set; where a member lacks a set, as csv files do, the others share its weight."""
    tables = members.shared[dataset]
    first = tables[members.names[0]]
    boxsets = {}
    for name in dict.fromkeys(name for table in tables.values() for name in table.boxsets):
        present = np.array([name in tables[member].boxsets for member in members.names])
        parts = [tables[member].boxsets[name] for member in np.array(members.names)[present]]
        values = weights.values if present.all() else renormalised(weights.values[present])
        boxsets[name] = BoxSet(
            parts[0].boxes, {FUSED: mixture([part.values[FUSED] for part in parts], values)}
        )
    return Fused(first.keyframes, first.classes, boxsets, members.names, weights.values)


if __name__ == "__main__":
    raise SystemExit(main())

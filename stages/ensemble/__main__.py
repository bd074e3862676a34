r"""Fuse the predictions of several heads with weights per class.

Every member's AP per class is measured on the fit split, over all data sets with ground truth as one pool
(detected boxes); a class's weights follow from these APs, or from a search; probabilities are fused for all box sets.
Members may be csv files in the official form of detections (--csv theirs=FILE). Where members have other boxes than each
other, these are clustered by IoU and fused first (weighted boxes fusion).
Weights are also fitted on one half of the videos and measured on the other, both ways, and so is each member's worth.
Writes DIR/<dataset>.h5 (all shards of the data set) and DIR/weights.json.

  python -m stages.ensemble --config C.json --index movies=A.h5 movies=B.h5 \
      --predictions acar=movies=P.h5 acar=movies=Q.h5 acar:1=movies=R.h5 ... --out-dir DIR
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stages.ensemble.core import mixture
from stages.ensemble.members import Members, read_members
from stages.ensemble.study import FitData, HeldOut, halves_of, renormalised
from stages.ensemble.weights import Weights, fit_weights
from stages.lib.artifacts.loading import joint_fingerprint, load_index
from stages.lib.artifacts.predictions import DETECTED, FUSED, BoxSet, Fused, Predictions
from stages.lib.artifacts.provenance import Provenance
from stages.lib.artifacts.schemas import ENSEMBLE
from stages.lib.artifacts.scored import counted_rows, matching_rows, truth_table
from stages.lib.artifacts.tables import Classes, Index, ragged_rows
from stages.lib.artifacts.writer import write_artifact
from stages.lib.cli import by_name, named_path, parse, run_stage, stage_parser
from stages.lib.config.ensemble import EnsembleConfig, member_parts
from stages.lib.config.payloads import EnsemblePayload
from stages.lib.errors import StageError
from stages.lib.files import write_json
from stages.lib.metrics.ava import mean_of_defined
from stages.lib.metrics.dialects import dialect_named
from stages.lib.metrics.shared_boxes import Ranking, SharedBoxes, share_boxes
from stages.lib.metrics.tables import (
    DetectionsTable,
    concat_detections,
    concat_truths,
    detections_from_dense,
)

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
    fitted = _fit(members, indexes, payload)
    for dataset in members.shared:
        fused = _fuse(members, dataset, fitted.weights)
        inputs = {name: mark for name, mark in marks.items() if name.endswith(f"/{dataset}")}
        inputs |= {name: mark for name, mark in marks.items() if name in cfg.csv}
        inputs["fitted on"] = joint_fingerprint(sorted(marks.values()))
        origin = Provenance("ensemble", payload.version, text, inputs)
        with write_artifact(args.out_dir / f"{dataset}.h5", ENSEMBLE, origin) as writer:
            fused.write(writer)
    write_json(args.out_dir / "weights.json", _summary(members, fused.classes, fitted, payload))
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


@dataclass(frozen=True)
class _Fitted:
    """Weights, the data sets they were fitted on, and what was measured there (nothing without truth)."""

    weights: Weights
    known: tuple[str, ...]
    ap_MC: NDArray[np.float64]
    mean_ap: float = float("nan")
    held: HeldOut | None = None
    worth: Sequence[float] = ()


def _fit(members: Members, indexes: Mapping[str, Index], payload: EnsemblePayload) -> _Fitted:
    """Fits weights on the detected boxes of all data sets with truth as one pool, and measures them.

    A member's own AP is that on its own boxes.
    """
    cfg = payload.ensemble
    class_ids = next(iter(next(iter(members.shared.values())).values())).classes.ids
    first = {name: tables[members.names[0]] for name, tables in members.shared.items()}
    dialect = dialect_named(payload.dialect.dialect, payload.dialect.cap)
    rows = {name: counted_rows(index, cfg.fit_split, dialect) for name, index in indexes.items()}
    truths = {name: truth_table(index, rows[name]) for name, index in indexes.items() if name in first}
    known = tuple(name for name in first if name in truths and len(truths[name].video))
    if not known:
        unknown = np.full((len(members.names), len(class_ids)), np.nan)
        return _Fitted(fit_weights(unknown, class_ids, cfg), known, unknown)
    places = {
        name: matching_rows(indexes[name], rows[name], first[name].keyframes, f"{members.names[0]} on {name}")
        for name in known
    }
    truth = concat_truths([truths[name] for name in known])

    def matched(tables: Mapping[str, Mapping[str, Predictions]], member: str) -> SharedBoxes:
        where = [(tables[name][member], places[name], f"{member} on {name}") for name in known]
        placed = concat_detections([_placed(*one) for one in where])
        return share_boxes(truth, placed, class_ids, dialect, payload.dialect.iou)

    boxes = matched(members.shared, members.names[0])
    scores = [_fit_scores(members.shared, member, places) for member in members.names]
    alone: list[Ranking] = []
    if any(
        members.own[name][member].boxset(DETECTED, member).boxes
        is not members.shared[name][member].boxset(DETECTED, member).boxes
        for name in known
        for member in members.names
    ):
        alone = [
            matched(members.own, member).rank(_fit_scores(members.own, member, places))
            for member in members.names
        ]
    data = FitData(boxes, scores, alone)
    weights = data.fit(cfg)
    ranked = boxes.rank(mixture(data.scores, weights.values))
    seen = {name: np.unique(truths[name].key_video).tolist() for name in known}
    home = {truths[name].videos[v]: name for name in known for v in seen[name]}
    halves = halves_of(boxes.videos, home)
    held, worth = data.held_out(cfg, halves) if halves else (None, [])
    return _Fitted(weights, known, data.ap(), mean_of_defined(ranked.ap()), held, worth)


def _placed(table: Predictions, place: NDArray[np.int64], where: str) -> DetectionsTable:
    """The detected boxes of some keyframes, one row each."""
    keyframes, boxes = table.keyframes.take(place), table.boxset(DETECTED, where).boxes.take(place)
    blank = np.zeros((len(boxes), 1))
    return detections_from_dense(
        keyframes.video_ids,
        keyframes.video,
        keyframes.timestamp_ms,
        boxes.boxes,
        boxes.row_splits,
        blank,
        table.classes.ids[:1],
    )


def _fit_scores(
    tables: Mapping[str, Mapping[str, Predictions]], member: str, places: Mapping[str, NDArray[np.int64]]
) -> NDArray[np.float32]:
    parts = []
    for name, place in places.items():
        boxset = tables[name][member].boxsets[DETECTED]
        rows = ragged_rows(boxset.boxes.row_splits, place)
        everything = len(rows) == len(boxset.boxes) and bool((np.diff(rows) == 1).all())
        parts.append(boxset.values[FUSED] if everything else boxset.values[FUSED][rows])
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


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


def _summary(
    members: Members, classes: Classes, fitted: _Fitted, payload: EnsemblePayload
) -> dict[str, object]:
    weights, cfg = fitted.weights, payload.ensemble
    return {
        "members": list(members.names),
        "rule": cfg.weights,
        "view_average": cfg.view_average,
        "dialect": dialect_named(payload.dialect.dialect, payload.dialect.cap).name,
        "fit_split": cfg.fit_split,
        "fit_datasets": list(fitted.known),
        "classes": [{"id": n, "name": name} for n, name in zip(classes.ids, classes.names, strict=True)],
        "ap": [[_number(value) for value in row] for row in fitted.ap_MC.tolist()],
        "mean_ap": [_number(mean_of_defined(row)) for row in fitted.ap_MC],
        "ensemble_mean_ap": _number(fitted.mean_ap),
        "weights": weights.values.tolist(),
        "uniform": weights.uniform.tolist(),
        "notes": [*weights.notes, *members.notes],
        "held_out": _held_out(fitted.held) if fitted.held else None,
        "worth": [_number(value) for value in fitted.worth],
    }


def _held_out(held: HeldOut) -> dict[str, object]:
    found: dict[str, object] = {
        name: [_number(value) for value in values]
        for name, values in (
            ("in_sample", held.in_sample),
            ("held_out", held.held_out),
            ("best_member", held.best_member),
            ("uniform", held.uniform),
        )
    }
    return found | {"videos": list(held.videos), "optimism": _number(held.optimism)}


def _number(value: float) -> float | None:
    return None if value != value else float(value)


if __name__ == "__main__":
    raise SystemExit(main())

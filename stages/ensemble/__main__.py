r"""Fuse the predictions of several heads with weights per class.

Every member's AP per class is measured on the fit split, over all data sets with ground truth as one pool
(detected boxes); a class's weights follow from these APs, or from a search; probabilities are fused for all box sets.
Weights are also fitted on one half of the videos and measured on the other, both ways, and so is each member's worth.
Writes DIR/<dataset>.h5 (all shards of the data set) and DIR/weights.json.

  python -m stages.ensemble --config C.json --index movies=A.h5 movies=B.h5 \
      --predictions acar=movies=P.h5 acar=movies=Q.h5 acar:1=movies=R.h5 ... --out-dir DIR
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stages.ensemble.core import BoxTable, Prediction, check_same_boxes, fuse, mixture
from stages.ensemble.study import FitData, HeldOut, halves_of
from stages.ensemble.weights import Weights, fit_weights
from stages.lib.artifacts.loading import joint_fingerprint, load_index, load_predictions
from stages.lib.artifacts.predictions import DETECTED, FUSED, BoxSet, Fused, Predictions
from stages.lib.artifacts.provenance import Provenance
from stages.lib.artifacts.schemas import ENSEMBLE
from stages.lib.artifacts.scored import evaluated_rows, matching_rows, truth_table
from stages.lib.artifacts.tables import Classes, Index, ragged_rows
from stages.lib.artifacts.writer import write_artifact
from stages.lib.cli import by_name, named_path, parse, run_stage, stage_parser
from stages.lib.config.ensemble import member_parts
from stages.lib.config.payloads import EnsemblePayload
from stages.lib.errors import StageError
from stages.lib.files import write_json
from stages.lib.metrics.ava import mean_of_defined
from stages.lib.metrics.dialects import dialect_named
from stages.lib.metrics.shared_boxes import share_boxes
from stages.lib.metrics.tables import (
    DetectionsTable,
    concat_detections,
    concat_truths,
    detections_from_dense,
)
from stages.lib.progress import track

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
        required=True,
        metavar="MEMBER=DATASET=FILE",
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
    members = [f"{head}:{seed}" for head, seed in map(member_parts, cfg.members)]
    files = _files(args.predictions, members)
    indexes = {name: load_index(paths, name) for name, paths in by_name(args.index).items()}
    marks = {f"index/{name}": mark for name, (_, mark) in indexes.items()}
    tables: dict[str, dict[str, Predictions]] = {member: {} for member in members}
    for member in track(members, len(members), "members"):
        for dataset, paths in files[member].items():
            where = f"{member} on {dataset}"
            each = partial(_averaged, how=cfg.view_average, where=where)
            tables[member][dataset], marks[f"{member}/{dataset}"] = load_predictions(paths, where, each)
    fitted = _fit(members, tables, {name: index for name, (index, _) in indexes.items()}, payload)
    for dataset in files[members[0]]:
        fused = _fuse(
            members, {member: tables[member][dataset] for member in members}, dataset, fitted.weights
        )
        inputs = {name: mark for name, mark in marks.items() if name.endswith(f"/{dataset}")}
        inputs["fitted on"] = joint_fingerprint(sorted(marks.values()))
        origin = Provenance("ensemble", payload.version, text, inputs)
        with write_artifact(args.out_dir / f"{dataset}.h5", ENSEMBLE, origin) as writer:
            fused.write(writer)
    classes = next(iter(tables[members[0]].values())).classes
    write_json(args.out_dir / "weights.json", _summary(members, classes, fitted, payload))
    found: dict[str, object] = {
        "members": len(members),
        "data sets": len(files[members[0]]),
        "fitted on": len(fitted.known),
    }
    if fitted.held is None:
        return found
    return found | {
        "held-out mAP in percent": f"{100 * np.mean(fitted.held.held_out):.2f}",
        "optimism in points": f"{100 * fitted.held.optimism:+.2f}",
    }


def _files(given: Sequence[MemberFile], members: Sequence[str]) -> dict[str, dict[str, list[Path]]]:
    """Files by member and data set; every member must speak about the same data sets."""
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


def _averaged(table: Predictions, how: str, where: str) -> Predictions:
    """The same predictions with all views as one matrix of probabilities, in float32; StageError for NaN."""
    poses = table.classes.groups()
    boxsets = {}
    for name, boxset in table.boxsets.items():
        scores = boxset.probabilities(tuple(boxset.values), poses, how).astype(np.float32)
        if not np.isfinite(scores).all():
            broken = int((~np.isfinite(scores).all(axis=1)).sum())
            what = f"{broken} of {len(scores)} boxes of set {name} have scores that are no numbers"
            raise StageError(what, where, "check the head's training, then re-run predict")
        boxsets[name] = BoxSet(boxset.boxes, {FUSED: scores})
    return Predictions(table.keyframes, table.classes, boxsets)


def _prediction(member: str, dataset: str, table: Predictions, boxset: BoxSet) -> Prediction:
    keyframes, boxes = table.keyframes, boxset.boxes
    scores = boxset.values[FUSED]
    places = BoxTable(
        keyframes.video_ids, keyframes.video, keyframes.timestamp_ms, boxes.boxes, boxes.row_splits
    )
    return Prediction(member, dataset, places, table.classes.ids, scores)


@dataclass(frozen=True)
class _Fitted:
    """Weights, the data sets they were fitted on, and what was measured there (nothing without truth)."""

    weights: Weights
    known: tuple[str, ...]
    ap_MC: NDArray[np.float64]
    mean_ap: float = float("nan")
    held: HeldOut | None = None
    worth: Sequence[float] = ()


def _fit(
    members: Sequence[str],
    tables: Mapping[str, Mapping[str, Predictions]],
    indexes: Mapping[str, Index],
    payload: EnsemblePayload,
) -> _Fitted:
    """Fits weights on the detected boxes of all data sets with truth as one pool, and measures them."""
    cfg, first = payload.ensemble, tables[members[0]]
    class_ids = next(iter(first.values())).classes.ids
    rows = {name: evaluated_rows(index, cfg.fit_split) for name, index in indexes.items()}
    truths = {name: truth_table(index, rows[name]) for name, index in indexes.items() if name in first}
    known = tuple(name for name in first if name in truths and len(truths[name].video))
    if not known:
        unknown = np.full((len(members), len(class_ids)), np.nan)
        return _Fitted(fit_weights(unknown, class_ids, cfg), known, unknown)
    places = {}
    for name in known:
        _check_same_boxes(members, tables, name, DETECTED)
        places[name] = matching_rows(
            indexes[name], rows[name], first[name].keyframes, f"{members[0]} on {name}"
        )
    shared = [_placed(first[name], places[name], f"{members[0]} on {name}") for name in known]
    boxes = share_boxes(
        concat_truths([truths[name] for name in known]),
        concat_detections(shared),
        class_ids,
        dialect_named(payload.dialect.dialect, payload.dialect.cap),
        payload.dialect.iou,
    )
    data = FitData(boxes, [_fit_scores(tables[member], places) for member in members])
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
    tables: Mapping[str, Predictions], places: Mapping[str, NDArray[np.int64]]
) -> NDArray[np.float32]:
    parts = []
    for name, place in places.items():
        boxset = tables[name].boxsets[DETECTED]
        parts.append(boxset.values[FUSED][ragged_rows(boxset.boxes.row_splits, place)])
    return np.concatenate(parts)


def _check_same_boxes(
    members: Sequence[str], tables: Mapping[str, Mapping[str, Predictions]], dataset: str, boxset: str
) -> None:
    parts = []
    for member in members:
        table = tables[member][dataset]
        parts.append(_prediction(member, dataset, table, table.boxset(boxset, f"{member} on {dataset}")))
    check_same_boxes(parts)


def _fuse(
    members: Sequence[str],
    tables: Mapping[str, Predictions],
    dataset: str,
    weights: Weights,
) -> Fused:
    first = tables[members[0]]
    boxsets = {}
    for name in first.boxsets:
        parts = [
            _prediction(member, dataset, table, table.boxset(name, f"{member} on {dataset}"))
            for member, table in tables.items()
        ]
        scores = fuse(parts, weights).scores
        boxsets[name] = BoxSet(first.boxsets[name].boxes, {FUSED: scores})
    return Fused(first.keyframes, first.classes, boxsets, tuple(members), weights.values)


def _summary(
    members: Sequence[str], classes: Classes, fitted: _Fitted, payload: EnsemblePayload
) -> dict[str, object]:
    weights, cfg = fitted.weights, payload.ensemble
    return {
        "members": list(members),
        "rule": cfg.weights,
        "view_average": cfg.view_average,
        "dialect": payload.dialect.dialect,
        "fit_split": cfg.fit_split,
        "fit_datasets": list(fitted.known),
        "classes": [{"id": n, "name": name} for n, name in zip(classes.ids, classes.names, strict=True)],
        "ap": [[_number(value) for value in row] for row in fitted.ap_MC.tolist()],
        "mean_ap": [_number(mean_of_defined(row)) for row in fitted.ap_MC],
        "ensemble_mean_ap": _number(fitted.mean_ap),
        "weights": weights.values.tolist(),
        "uniform": weights.uniform.tolist(),
        "notes": list(weights.notes),
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

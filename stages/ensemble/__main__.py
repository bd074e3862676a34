r"""Fuse the predictions of several heads with weights per class.

Every member's AP per class is measured on the fit split, over all data sets with ground truth as one pool
(detected boxes); a class's weights follow from these APs; probabilities are fused for all box sets.
Writes DIR/<dataset>.h5 (all shards of the data set) and DIR/weights.json.

  python -m stages.ensemble --config C.json --index movies=A.h5 movies=B.h5 \
      --predictions acar=movies=P.h5 acar=movies=Q.h5 acar:1=movies=R.h5 ... --out-dir DIR
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stages.ensemble.core import BoxTable, Prediction, fuse, member_aps, weights_of
from stages.ensemble.weights import Weights
from stages.lib.artifacts.loading import joint_fingerprint, load_index, load_predictions
from stages.lib.artifacts.predictions import DETECTED, FUSED, BoxSet, Fused, Predictions
from stages.lib.artifacts.provenance import Provenance
from stages.lib.artifacts.schemas import ENSEMBLE
from stages.lib.artifacts.scored import evaluated_rows, matching_rows, truth_table
from stages.lib.artifacts.tables import Index
from stages.lib.artifacts.writer import write_artifact
from stages.lib.cli import by_name, named_path, parse, run_stage, stage_parser
from stages.lib.config.ensemble import member_parts
from stages.lib.config.payloads import EnsemblePayload
from stages.lib.errors import StageError
from stages.lib.files import write_json
from stages.lib.metrics.ava import mean_of_defined
from stages.lib.metrics.dialects import dialect_named
from stages.lib.metrics.tables import Truth
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
    rows = {name: evaluated_rows(index, cfg.fit_split) for name, (index, _) in indexes.items()}
    truths = {name: truth_table(index, rows[name]) for name, (index, _) in indexes.items()}
    known = [name for name in files[members[0]] if name in truths and len(truths[name].video)]
    marks: dict[str, str] = {f"index/{name}": mark for name, (_, mark) in indexes.items()}
    tables: dict[str, dict[str, Predictions]] = {member: {} for member in members}
    aps = []
    for member in track(members, len(members), "members"):
        for dataset, paths in files[member].items():
            loaded, marks[f"{member}/{dataset}"] = load_predictions(paths, f"{member} on {dataset}")
            tables[member][dataset] = _averaged(loaded, cfg.view_average)
        aps.append(_ap(member, tables[member], indexes, rows, truths, known, payload))
    class_ids = next(iter(tables[members[0]].values())).classes.ids
    weights = weights_of(np.array(aps), class_ids, cfg)
    for dataset in files[members[0]]:
        fused = _fuse(members, {member: tables[member][dataset] for member in members}, dataset, weights)
        inputs = {name: mark for name, mark in marks.items() if name.endswith(f"/{dataset}")}
        inputs["fitted on"] = joint_fingerprint(sorted(marks.values()))
        origin = Provenance("ensemble", payload.version, text, inputs)
        with write_artifact(args.out_dir / f"{dataset}.h5", ENSEMBLE, origin) as writer:
            fused.write(writer)
    names = next(iter(tables[members[0]].values())).classes.names
    write_json(
        args.out_dir / "weights.json",
        _summary(members, class_ids, names, np.array(aps), weights, payload, known),
    )
    return {"members": len(members), "data sets": len(files[members[0]]), "fitted on": len(known)}


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


def _averaged(table: Predictions, how: str) -> Predictions:
    """The same predictions with all views as one matrix of probabilities, in float32."""
    poses = table.classes.pose_indices()
    boxsets = {
        name: BoxSet(
            boxset.boxes, {FUSED: boxset.probabilities(tuple(boxset.values), poses, how).astype(np.float32)}
        )
        for name, boxset in table.boxsets.items()
    }
    return Predictions(table.keyframes, table.classes, boxsets)


def _prediction(member: str, dataset: str, table: Predictions, boxset: BoxSet) -> Prediction:
    keyframes, boxes = table.keyframes, boxset.boxes
    scores = boxset.values[FUSED]
    places = BoxTable(
        keyframes.video_ids, keyframes.video, keyframes.timestamp_ms, boxes.boxes, boxes.row_splits
    )
    return Prediction(member, dataset, places, table.classes.ids, scores)


def _ap(
    member: str,
    tables: Mapping[str, Predictions],
    indexes: Mapping[str, tuple[Index, str]],
    rows: Mapping[str, NDArray[np.int64]],
    truths: Mapping[str, Truth],
    known: Sequence[str],
    payload: EnsemblePayload,
) -> NDArray[np.float64]:
    """AP of each class on the fit split of the data sets with truth; NaN everywhere when there is none."""
    class_ids = next(iter(tables.values())).classes.ids
    if not known:
        return np.full(len(class_ids), np.nan)
    predictions = []
    for name in known:
        where = f"{member} on {name}"
        place = matching_rows(indexes[name][0], rows[name], tables[name].keyframes, where)
        boxset = tables[name].boxset(DETECTED, where).take(place)
        fitted = Predictions(tables[name].keyframes.take(place), tables[name].classes, {})
        predictions.append(_prediction(member, name, fitted, boxset))
    dialect = dialect_named(payload.dialect.dialect, payload.dialect.cap)
    return member_aps([truths[name] for name in known], predictions, class_ids, dialect, payload.dialect.iou)


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
        fused = fuse(parts, weights).scores.astype(np.float32)
        boxsets[name] = BoxSet(first.boxsets[name].boxes, {FUSED: np.clip(fused, 0.0, 1.0)})
    return Fused(first.keyframes, first.classes, boxsets, tuple(members), weights.values)


def _summary(
    members: Sequence[str],
    class_ids: Sequence[int],
    names: Sequence[str],
    ap_MA: NDArray[np.float64],
    weights: Weights,
    payload: EnsemblePayload,
    known: Sequence[str],
) -> dict[str, object]:
    return {
        "members": list(members),
        "rule": payload.ensemble.weights,
        "view_average": payload.ensemble.view_average,
        "dialect": payload.dialect.dialect,
        "fit_split": payload.ensemble.fit_split,
        "fit_datasets": list(known),
        "classes": [{"id": number, "name": name} for number, name in zip(class_ids, names, strict=True)],
        "ap": [[_number(value) for value in row] for row in ap_MA.tolist()],
        "mean_ap": [_number(mean_of_defined(row)) for row in ap_MA],
        "weights": weights.values.tolist(),
        "uniform": weights.uniform.tolist(),
        "notes": list(weights.notes),
    }


def _number(value: float) -> float | None:
    return None if value != value else float(value)


if __name__ == "__main__":
    raise SystemExit(main())

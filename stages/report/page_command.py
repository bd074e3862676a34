"""Write report.html and table.txt from the metrics, histories, tables and pictures of a run."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from stages.lib.artifacts.attention import Attention
from stages.lib.artifacts.loading import joint_fingerprint, load_index, load_predictions
from stages.lib.artifacts.predictions import DETECTED
from stages.lib.artifacts.reader import open_artifact
from stages.lib.artifacts.schemas import ATTENTION
from stages.lib.artifacts.scored import matching_rows
from stages.lib.cli import by_name, named_path, parse, run_stage, stage_parser
from stages.lib.config.load import check
from stages.lib.config.payloads import ReportPayload
from stages.lib.config.report import ReportConfig
from stages.lib.config.root import Config
from stages.lib.config.versions import VERSIONS
from stages.lib.errors import StageError
from stages.lib.files import file_sha, write_text
from stages.report.choice import split_to_show
from stages.report.core import Material, build_page, plain_tables
from stages.report.costs import stage_costs
from stages.report.coverage import read_coverage
from stages.report.errors import errors_of_split
from stages.report.frames import find_frames, stored_frame
from stages.report.looks import Look
from stages.report.metrics import read_models
from stages.report.pictures import Picture, choose, people_of
from stages.report.sheets import shoot

_FILES = (
    (
        "--metrics",
        "NAME",
        "metrics.json of evaluate; several files of one NAME are its seeds; order of the rows",
    ),
    ("--histories", "NAME", "history.json of a training; `train/acar` and `train/linear` share a chart"),
    ("--coverage", "DATASET", "videos.csv of index coverage"),
    ("--coverage-classes", "DATASET", "classes.csv of index coverage"),
    ("--index", "DATASET", "files of index (pictures)"),
    ("--decode", "DATASET", "files of decode (pictures)"),
    ("--scores", "DATASET", "files of predict or ensemble whose answers are shown (pictures)"),
    ("--attention", "DATASET", "files of report attention (pictures of relations; they need --decode)"),
)


def main(argv: Sequence[str]) -> int:
    """Run the command; returns the exit code."""
    parser = stage_parser("report", __doc__)
    for flag, name, text in _FILES:
        parser.add_argument(
            flag, type=named_path, nargs="+", action="extend", default=[], metavar=f"{name}=FILE", help=text
        )
    parser.add_argument("--persons", type=Path, help="json of evaluate persons")
    parser.add_argument("--errors", type=Path, help="errors.json of evaluate; its pictures need --decode")
    parser.add_argument("--weights", type=Path, help="weights.json of ensemble")
    parser.add_argument(
        "--benchmarks", type=Path, help="folder of Snakemake's benchmark files, a folder per stage"
    )
    parser.add_argument(
        "--results", type=Path, help="folder whose subfolders' sizes are shown, a folder per stage"
    )
    parser.add_argument("--configuration", type=Path, help="json file with the run's whole configuration")
    parser.add_argument("--split", default="", help="split of the pictures: val, or what has keyframes")
    bank = "names of --metrics for the statement on the bank: head with bank, its control, head without bank"
    parser.add_argument(
        "--bank", nargs=3, default=("", "", ""), metavar=("WITH", "CONTROL", "BASE"), help=bank
    )
    parser.add_argument("--bank-kind", default="d", help="kind of classes of that statement")
    parser.add_argument("--out-dir", type=Path, required=True)
    return run_stage("report", ReportPayload, parse(parser, argv), _work)


def _work(args: argparse.Namespace, payload: ReportPayload, text: str) -> dict[str, object]:
    histories = {name: _json(paths[0]) for name, paths in by_name(args.histories).items()}
    persons = _json(args.persons) if args.persons else {}
    relation_head, looks = _looks(args)
    errors = errors_of_split(_json(args.errors), args.split, str(args.errors)) if args.errors else {}
    decoded = [path for _, path in args.decode]
    material = Material(
        run=payload.run,
        models=read_models(by_name(args.metrics)),
        persons=persons if isinstance(persons, dict) else {},
        histories=histories,
        weights=_json(args.weights) if args.weights else {},
        coverage={name: read_coverage(path) for name, path in args.coverage},
        class_coverage={name: read_coverage(path, "lost") for name, path in args.coverage_classes},
        costs=stage_costs(args.benchmarks, args.results, list(VERSIONS), _configuration(args.configuration)),
        pictures=_pictures(args, payload.report),
        errors=errors,
        shots=shoot(errors["examples"], decoded, payload.report.errors) if errors else {},
        relation_head=relation_head,
        looks=looks,
        bank=(*args.bank, args.bank_kind),
        configuration=args.configuration.read_text() if args.configuration else "",
        origins=_origins(args),
    )
    write_text(args.out_dir / "report.html", build_page(material))
    write_text(args.out_dir / "table.txt", plain_tables(material))
    return {
        "models": len(material.models),
        "pictures": len(material.pictures),
        "relations": len(looks),
        "trainings": len(histories),
    }


def _configuration(path: Path | None) -> Config | None:
    """The run's configuration, by which the report knows what belongs to the run."""
    return check(Config, _json(path), str(path)) if path else None


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise StageError(
            f"cannot read it as JSON ({error})", str(path), "re-run the stage that writes it"
        ) from None


def _origins(args: argparse.Namespace) -> list[tuple[str, str]]:
    """Fingerprints of artifacts (all shards of a data set as one), and sha256 of the other files."""
    found = []
    for flag in ("index", "decode", "scores", "attention"):
        for name, paths in by_name(getattr(args, flag)).items():
            marks = []
            for path in paths:
                with open_artifact(path) as artifact:
                    marks.append(artifact.fingerprint)
            found.append((f"{flag} {name} ({len(paths)} files)", joint_fingerprint(marks)))
    for flag in ("metrics", "histories", "coverage", "coverage_classes"):
        found += [(f"{flag} {name}", file_sha(path)) for name, path in getattr(args, flag)]
    found += [
        (path.name, file_sha(path)) for path in (args.persons, args.errors, args.weights, args.config) if path
    ]
    return found


def _pictures(args: argparse.Namespace, cfg: ReportConfig) -> list[Picture]:
    """The same number of keyframes from each data set."""
    scores, decoded = by_name(args.scores), by_name(args.decode)
    names = [name for name in by_name(args.index) if name in scores and name in decoded]
    pictures: list[Picture] = []
    for number, name in enumerate(names):
        share = cfg.keyframes // len(names) + (number < cfg.keyframes % len(names))
        files = {"index": by_name(args.index)[name], "decode": decoded[name], "scores": scores[name]}
        pictures += _pictures_of(name, files, share, args.split, cfg)
    return pictures


def _pictures_of(
    name: str, files: Mapping[str, Sequence[Path]], count: int, split: str, cfg: ReportConfig
) -> list[Picture]:
    index, _ = load_index(files["index"], name)
    predictions, _ = load_predictions(files["scores"], name)
    rows = split_to_show(index, split)
    if len(rows) == 0 or count == 0 or not index.classes.ids:
        return []
    keys = index.keyframes.keys()
    with ExitStack() as stack:
        frames = find_frames(files["decode"], stack)
        shown = choose(index, rows[[keys[k] in frames for k in rows]], count)
        stored = [stored_frame(*frames[keys[k]]) for k in shown]
    place = matching_rows(index, shown, predictions.keyframes, name)
    boxset = predictions.boxset(DETECTED, name).take(place)
    probabilities = boxset.probabilities(tuple(boxset.values), predictions.classes.groups(), "logit")
    pictures = []
    for number, k in enumerate(shown):
        time = keys[k][1]
        jpeg, size = stored[number]
        truth, found = index.truth().of(k), boxset.boxes.of(number)
        people = people_of(
            index.truth_boxes[truth],
            index.truth_labels[truth],
            boxset.boxes.boxes[found],
            probabilities[found],
            index.classes.names,
            cfg.top,
            cfg.min_probability,
        )
        row = int(index.keyframes.video[k])
        title = f"{name}: {index.name[row]} at {time / 1000:g} s ({index.split[row]})"
        boxes = tuple(tuple(box) for box in index.truth_boxes[truth].tolist())
        pictures.append(Picture(title, jpeg, size, people, boxes))
    return pictures


def _looks(args: argparse.Namespace) -> tuple[str, list[Look]]:
    """The head whose relations are shown, and a picture for each person whose keyframe is stored."""
    head, looks, decoded = "", [], by_name(args.decode)
    for name, paths in by_name(args.attention).items():
        with ExitStack() as stack:
            frames = find_frames(decoded.get(name, []), stack)
            for path in paths:
                found = Attention.read(stack.enter_context(open_artifact(path, ATTENTION)))
                head = found.head
                for number, key in enumerate(found.keyframes.keys()):
                    if key in frames:
                        looks.append(_look(name, found, number, *stored_frame(*frames[key])))
    return head, looks


def _look(dataset: str, found: Attention, number: int, jpeg: bytes, size: tuple[int, int]) -> Look:
    video, time = found.keyframes.keys()[number]
    rows = found.boxes.of(number)
    height, width = found.context_M2[number].tolist()
    return Look(
        title=f"{dataset}: {video} at {time / 1000:g} s",
        jpeg=jpeg,
        size=size,
        boxes=tuple(tuple(box) for box in found.boxes.boxes[rows].tolist()),
        own=int(found.box_M[number]) - rows.start,
        action=found.class_names[number],
        probability=float(found.probability_M[number]),
        context=(height, width),
        maps_2hw=found.maps[number],
    )

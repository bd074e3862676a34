"""The runs of the relation study on the drawn test world, resampled together, and what happens on its keyframes.

R resamples, C classes. A run is one head on one backbone with one seed.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stages.evaluate.settings import Views, read_kinds
from stages.lib.artifacts.loading import load_index, load_predictions
from stages.lib.artifacts.predictions import DETECTED
from stages.lib.artifacts.scored import detections_table, evaluated_rows, matching_rows, truth_table
from stages.lib.artifacts.tables import Index
from stages.lib.config.root import Config
from stages.lib.metrics.ava import Result, frame_map, mean_of_defined
from stages.lib.metrics.bootstrap import draw_videos, interval_of, resampled_ap
from stages.lib.metrics.tables import DetectionsTable, Truth, concat_detections, concat_truths

SPLIT = "test"
BOX_DIGITS = 1e-3
"""People.csv has six decimals of a box, AVA's csv three."""
Key = tuple[str, int]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


NEAR_SECONDS = 2.0
Box = tuple[float, ...]


@dataclass(frozen=True)
class Record:
    """What the hidden record knows of the test keyframes: s to the nearest cut, and each person's box and whether it moves.

    Somebody moves who walks in any second of the scene; everybody else stands or sits where they are.
    """

    cut: dict[Key, float]
    moves: dict[Key, dict[Box, bool]]

    def keys(self, part: str) -> set[Key]:
        """Keyframes with the nearest cut, before or after, up to 4 s away (`near`), or further away (`far`)."""
        return {key for key, seconds in self.cut.items() if (seconds <= NEAR_SECONDS) == (part == "near")}

    def group(
        self, part: str, videos: Sequence[str], video: NDArray[np.int32], ms: NDArray[np.int64], boxes: Floats
    ) -> Bools:
        """Which rows show somebody who moves (`moves`), or stays in place (`stays`).

        Raises:
            ValueError: a box is nobody's: these are not ground-truth boxes, or another world's.
        """
        kept = np.zeros(len(video), bool)
        for row, (v, t) in enumerate(zip(video, ms.tolist(), strict=True)):
            people = self.moves.get((videos[v], t), {})
            gaps = {box: float(np.abs(np.array(box) - boxes[row]).max()) for box in people}
            nearest = min(gaps, key=gaps.__getitem__, default=None)
            if nearest is None or gaps[nearest] > BOX_DIGITS:
                raise ValueError(f"nobody in people.csv has box {boxes[row]} of {videos[v]} at {t} ms")
            kept[row] = people[nearest] == (part == "moves")
        return kept


@dataclass(frozen=True)
class World:
    """The test world: classes and their kinds, truth, keyframes where an event of each class is live or over, hidden record."""

    class_ids: tuple[int, ...]
    kinds: dict[int, str]
    truth: Truth
    live: dict[int, set[Key]]
    over: dict[int, set[Key]]
    record: Record


@dataclass(frozen=True)
class Figure:
    """Mean over runs with its interval over videos, and the spread (standard deviation) of the runs."""

    mean: float
    low: float
    high: float
    spread: float

    def text(self) -> str:
        """All of it; a dash where the part of the world holds no truth."""
        return "–" if np.isnan(self.mean) else f"{self.interval()}, ± {100 * self.spread:.1f}"

    def interval(self) -> str:
        return f"{100 * self.mean:.1f} ({100 * self.low:.1f} to {100 * self.high:.1f})"


class Study:
    """Results of all runs on the test world, resampled with the same draws of videos.

    `fused` names folders of fused scores that are runs like any other.
    """

    def __init__(
        self, config: Config, root: Path, resamples: int, fused: Mapping[str, Path] | None = None
    ) -> None:
        self.config, self.root = config, root / "results" / config.run
        self._fused = dict(fused or {})
        folders = {dataset: self.root / "index" / dataset for dataset in config.annotated}
        self._indexes = {
            name: load_index(sorted(folder.glob("*.h5")), name)[0] for name, folder in folders.items()
        }
        self.world = read_world(self.root, config, self._indexes)
        truth = self.world.truth
        self._videos = sorted({truth.videos[v] for v in truth.key_video})
        self._draws = draw_videos(len(self._videos), resamples, seed=0)
        self._results: dict[tuple[str, str, str, str], Result] = {}
        self._class_ap: dict[tuple[str, str, str, str], Floats] = {}

    def runs(self, head: str) -> list[str]:
        """The runs of one kind of head: KEY/seedN for each backbone and seed."""
        return [
            f"{key}/seed{seed}"
            for key, chosen in self.config.heads.items()
            if key.removesuffix(f"-{chosen.backbone}") == head
            for seed in chosen.seeds
        ]

    def result(self, run: str, boxset: str = DETECTED, views: str = "", part: str = "all") -> Result:
        """Matches and APs of one run.

        `part` is all; pause or live: kind d where its event is not live, or not over (both hold keyframes without event);
        near or far: keyframes by the nearest cut; moves or stays: people by what they do (ground-truth boxes only).
        """
        key = (run, boxset, views or self.config.extract.views[0], part)
        if key not in self._results:
            detections = self._detections(run, boxset, key[2])
            if part in ("pause", "live"):
                events = self.world.live if part == "pause" else self.world.over
                tables = without_events(events, self.world.truth, detections)
                self._results[key] = frame_map(*tables, self.world.class_ids, "strict")
            elif part != "all":
                tables = part_of(part, self.world.record, self.world.truth, detections)
                self._results[key] = frame_map(*tables, self.world.class_ids)
            else:
                self._results[key] = frame_map(self.world.truth, detections, self.world.class_ids)
        return self._results[key]

    def class_ap(self, number: int, runs: Sequence[str], **choice: str) -> float:
        """AP of one class, mean over the runs."""
        column = self.world.class_ids.index(number)
        return float(np.mean([self.result(run, **choice).ap[column] for run in runs]))

    def figure(
        self, kind: str | None, runs: Sequence[str], against: Sequence[str] = (), **choice: str
    ) -> Figure:
        """Mean AP of a kind (None: all classes) over the runs, or its difference to the mean over other runs."""
        own, other = self._mean(kind, runs, choice), self._mean(kind, against, choice) if against else None
        values, resamples = (own[0], own[1]) if other is None else (own[0] - other[0], own[1] - other[1])
        found = interval_of(float(values), resamples)
        singles = [self._value(run, kind, choice) for run in runs]
        if against:
            singles = [a - self._value(run, kind, choice) for a, run in zip(singles, against, strict=True)]
        spread = float(np.std(singles, ddof=1)) if len(singles) > 1 else 0.0
        return Figure(found.value, found.low, found.high, spread)

    def _mean(self, kind: str | None, runs: Sequence[str], choice: Mapping[str, str]) -> tuple[float, Floats]:
        values = [self._value(run, kind, choice) for run in runs]
        resamples = [self._resampled(run, choice)[:, self._columns(kind)] for run in runs]
        by_run = [[mean_of_defined(ap) for ap in ap_RC] for ap_RC in resamples]
        return float(np.mean(values)), np.mean(by_run, axis=0)

    def _value(self, run: str, kind: str | None, choice: Mapping[str, str]) -> float:
        return mean_of_defined(self.result(run, **choice).ap[self._columns(kind)])

    def _columns(self, kind: str | None) -> Bools:
        return np.array([kind in (None, self.world.kinds[number]) for number in self.world.class_ids])

    def _resampled(self, run: str, choice: Mapping[str, str]) -> Floats:
        key = (run, choice.get("boxset", ""), choice.get("views", ""), choice.get("part", ""))
        if key not in self._class_ap:
            self._class_ap[key] = resampled_ap(self.result(run, **choice), self._videos, self._draws)
        return self._class_ap[key]

    def _detections(self, run: str, boxset: str, views: str) -> DetectionsTable:
        found = []
        for dataset, index in self._indexes.items():
            folder = self.root / "predict" / run / dataset
            fused = run in self._fused
            paths = [self._fused[run] / f"{dataset}.h5"] if fused else sorted(folder.glob("*.h5"))
            predicted, _ = load_predictions(paths, dataset)
            rows = evaluated_rows(index, SPLIT)
            place = matching_rows(index, rows, predicted.keyframes, dataset)
            chosen = predicted.boxset(boxset, dataset).take(place)
            choice = Views.parse("all" if fused else views)
            poses = index.classes.groups()
            scores = chosen.probabilities(choice.of(chosen, dataset), poses, choice.average)
            found.append(
                detections_table(predicted.keyframes.take(place), chosen, scores, predicted.classes.ids)
            )
        return concat_detections(found)


def without_events(
    events: Mapping[int, set[Key]], truth: Truth, detections: DetectionsTable
) -> tuple[Truth, DetectionsTable]:
    """The rows of each class that has events, on the keyframes that are not among them."""
    kept = [away_from(keys, *only_class(truth, detections, number)) for number, keys in events.items()]
    return concat_truths([part[0] for part in kept]), concat_detections([part[1] for part in kept])


def part_of(
    part: str, record: Record, truth: Truth, detections: DetectionsTable
) -> tuple[Truth, DetectionsTable]:
    """The rows of one part of the world: keyframes that are near a cut or far from it, people who move or stay."""
    if part in ("near", "far"):
        evaluated = {
            (truth.videos[v], t) for v, t in zip(truth.key_video, truth.key_ms.tolist(), strict=True)
        }
        return away_from(evaluated - record.keys(part), truth, detections)
    if part not in ("moves", "stays"):
        raise ValueError(f"unknown part {part!r}: near, far, moves or stays")
    return (
        select_truth(
            truth,
            record.group(part, truth.videos, truth.video, truth.timestamp_ms, truth.boxes),
            np.ones(len(truth.key_ms), bool),
        ),
        select_detections(
            detections,
            record.group(
                part, detections.videos, detections.video, detections.timestamp_ms, detections.boxes
            ),
        ),
    )


def away_from(
    keyframes: set[Key], truth: Truth, detections: DetectionsTable
) -> tuple[Truth, DetectionsTable]:
    """The rows, and the evaluated keyframes, that are not among these keyframes."""

    def outside(videos: Sequence[str], video: NDArray[np.int32], ms: NDArray[np.int64]) -> Bools:
        return np.array(
            [(videos[v], t) not in keyframes for v, t in zip(video, ms.tolist(), strict=True)], bool
        )

    return (
        select_truth(
            truth,
            outside(truth.videos, truth.video, truth.timestamp_ms),
            outside(truth.videos, truth.key_video, truth.key_ms),
        ),
        select_detections(detections, outside(detections.videos, detections.video, detections.timestamp_ms)),
    )


def only_class(truth: Truth, detections: DetectionsTable, number: int) -> tuple[Truth, DetectionsTable]:
    """The rows of one class; the evaluated keyframes stay."""
    return (
        select_truth(truth, truth.class_id == number, np.ones(len(truth.key_ms), bool)),
        select_detections(detections, detections.class_id == number),
    )


def select_truth(truth: Truth, rows: Bools, keys: Bools) -> Truth:
    """Some of the labelled boxes, and some of the evaluated keyframes."""
    columns = {
        name: getattr(truth, name)[rows]
        for name in ("video", "timestamp_us", "boxes", "class_id", "person_id")
    }
    kept = {name: getattr(truth, name)[keys] for name in ("key_video", "key_us")}
    return Truth(videos=truth.videos, **columns, **kept)


def select_detections(detections: DetectionsTable, rows: Bools) -> DetectionsTable:
    """Some of the scored boxes."""
    names = ("video", "timestamp_us", "boxes", "class_id", "score")
    return DetectionsTable(detections.videos, **{name: getattr(detections, name)[rows] for name in names})


def read_world(root: Path, config: Config, indexes: Mapping[str, Index]) -> World:
    """Classes and truth from the indexes; from the hidden record of the drawn people events, cuts and who moves."""
    kinds: dict[int, str] = {}
    phases: dict[tuple[str, int], set[Key]] = {}
    record = Record({}, {})
    for dataset in config.annotated:
        folder = root / "synthesize" / dataset / "annotations"
        kinds |= read_kinds(folder / "action_kinds.csv")
        for row in _people(folder / "people.csv"):
            key = (row["video"], round(float(row["timestamp"]) * 1000))
            if row["kind"] == "d":
                phases.setdefault((row["phase"], int(row["matched_class"])), set()).add(key)
            add_person(record, key, row)
    truth = concat_truths([truth_table(index, evaluated_rows(index, SPLIT)) for index in indexes.values()])
    ids = next(iter(indexes.values())).classes.ids
    live, over = (
        {number: phases.get((phase, number), set()) for number in ids} for phase in ("live", "pause")
    )
    return World(ids, kinds, truth, live, over, record)


def add_person(record: Record, key: Key, row: Mapping[str, str]) -> None:
    """Note one row of people.csv."""
    record.cut[key] = min(float(row["seconds_since_cut"]), float(row["seconds_to_cut"]))
    box = tuple(float(row[side]) for side in ("x1", "y1", "x2", "y2"))
    record.moves.setdefault(key, {})[box] = row["moved"] == "1"


def _people(path: Path) -> Iterator[dict[str, str]]:
    """Rows of people.csv that belong to the test world."""
    with path.open() as file:
        yield from (row for row in csv.DictReader(file) if row["split"] == SPLIT)

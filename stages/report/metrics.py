"""The numbers behind the tables: results of the seeds of a model, looked up by split, boxes and views."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from stages.lib.errors import StageError

UNION: Final = "union"
DETECTED: Final = "detected"
TRUTH: Final = "truth"


@dataclass(frozen=True)
class Value:
    """A mean over seeds, its spread (standard deviation; None for one seed), and the number of seeds."""

    mean: float
    spread: float | None
    seeds: int

    def percent(self) -> str:
        """In percent with two decimals, with the spread where there are several seeds."""
        spread = f" ± {100 * self.spread:.2f}" if self.spread is not None else ""
        return f"{100 * self.mean:.2f}{spread}"


@dataclass(frozen=True)
class Model:
    """One row of the tables: its name and the metrics.json of each seed."""

    name: str
    seeds: tuple[Mapping[str, Any], ...]

    @property
    def members(self) -> tuple[str, ...]:
        """Members of an ensemble; empty for a single head."""
        return tuple(self.seeds[0]["members"])

    def splits(self) -> list[str]:
        """Splits that were evaluated."""
        return list(self.seeds[0]["results"])

    def datasets(self, split: str) -> list[str]:
        """Data sets of a split, without the union."""
        for by_views in self.seeds[0]["results"].get(split, {}).values():
            for tables in by_views.values():
                return [name for name in tables if name != UNION]
        return []

    def views(self, split: str) -> list[str]:
        """Choices of views, those with fewer views first, then in the order in which they were asked for."""
        found = self.seeds[0]["results"].get(split, {})
        names = {name for by_views in found.values() for name in by_views}
        ordered = [name for name in self.seeds[0]["choices"] if name in names]
        return sorted(ordered, key=self.number_of_views)

    def number_of_views(self, choice: str) -> int:
        """How many views a choice averages."""
        return len(self.seeds[0]["views"].get(choice, []))

    def table(
        self, split: str, boxset: str, views: str, dataset: str = UNION, seed: int = 0
    ) -> Mapping[str, Any] | None:
        """One table of one seed, or None where it was not made."""
        found: Any = self.seeds[seed]["results"]
        for key in (split, boxset, views, dataset):
            if key not in found:
                return None
            found = found[key]
        return dict(found)

    def mean_ap(
        self, split: str, boxset: str, views: str, dataset: str = UNION, kind: str | None = None
    ) -> Value | None:
        """mAP, or mean AP of one kind of classes; None where there is none."""
        values = []
        for seed, metrics in enumerate(self.seeds):
            table = self.table(split, boxset, views, dataset, seed)
            if table is None:
                continue
            value = table[metrics["metric"]] if kind is None else table["by_kind"].get(kind)
            if value is not None:
                values.append(float(value))
        return _value(values)

    def missing_ap(self, split: str, boxset: str, views: str, way: str) -> Value | None:
        """mAP of the union with missing keyframes counted in one way; None where that is not known."""
        tables = [self.table(split, boxset, views, UNION, seed) or {} for seed in range(len(self.seeds))]
        found = [table["missing"]["mAP"][way] for table in tables if "missing" in table]
        return _value([float(value) for value in found if value is not None])

    def class_ap(
        self, split: str, boxset: str, views: str, class_id: int, dataset: str = UNION
    ) -> Value | None:
        """AP of one class; None where it has no truth."""
        values = []
        for seed in range(len(self.seeds)):
            table = self.table(split, boxset, views, dataset, seed)
            rows = table["per_class"] if table else []
            values += [float(row["ap"]) for row in rows if row["id"] == class_id and row["ap"] is not None]
        return _value(values)


def _value(values: Sequence[float]) -> Value | None:
    if not values:
        return None
    spread = statistics.stdev(values) if len(values) > 1 else None
    return Value(statistics.fmean(values), spread, len(values))


def read_models(files: Mapping[str, Sequence[Path]]) -> list[Model]:
    """The models in the order given; files of one name are its seeds; StageError for other files."""
    return [Model(name, tuple(_read(path) for path in paths)) for name, paths in files.items()]


def _read(path: Path) -> Mapping[str, Any]:
    try:
        value = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise StageError(f"cannot read the metrics ({error})", str(path), "re-run evaluate") from None
    if not isinstance(value, dict) or not {
        "metric",
        "results",
        "classes",
        "choices",
        "views",
        "members",
    } <= set(value):
        raise StageError(
            "not a metrics.json of a run", str(path), "give files that evaluate wrote in a pipeline"
        )
    return value


def kinds_of(models: Sequence[Model]) -> list[str]:
    """Kinds of classes in a fixed order."""
    return sorted({str(row["kind"]) for model in models for row in model.seeds[0]["classes"]})


def note_on(model: Model, split: str, boxset: str, views: str, *, short: bool = False) -> str:
    """Dialect, split, data and number of keyframes of a table, what every caption must say; short: dialect and split."""
    table = model.table(split, boxset, views)
    if table is None:
        return f"split {split}"
    if short:
        return f"dialect {table['dialect']}, split {split}"
    counts = table["counts"]
    return (
        f"{model.seeds[0]['metric']} in percent, dialect {table['dialect']}, split {split}, "
        f"{counts['keyframes']:,} keyframes, {counts['truths']:,} labels"
    )

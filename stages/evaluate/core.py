"""Frame mAP of scored boxes on every data set and on all of them as one pool."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args

from stages.lib.annotations.labelmap import LabelMap
from stages.lib.config.evaluate import EvaluateConfig, MissingName
from stages.lib.errors import StageError
from stages.lib.files import number
from stages.lib.metrics.ava import Result, frame_map
from stages.lib.metrics.bootstrap import bootstrap
from stages.lib.metrics.dialects import dialect_named
from stages.lib.metrics.frequency import frequency_groups
from stages.lib.metrics.lost import Lost, detections_without, truth_without
from stages.lib.metrics.tables import DetectionsTable, Truth, concat_detections, concat_truths

UNION = "union"


@dataclass(frozen=True)
class Scored:
    """A data set's ground truth, the scored boxes on it, and its excluded keyframes as (video, microseconds).

    `lost` are the keyframes whose frames are missing, as (video, milliseconds); None: unknown.
    """

    name: str
    truth: Truth
    detections: DetectionsTable
    exclusions: Collection[tuple[str, int]] = ()
    lost: Lost | None = None


def counted(scored: Scored, missing: MissingName) -> Scored:
    """What counts of truth and detections: all of them, or with `ignore` those on keyframes that are not lost."""
    if missing == "count-as-miss" or not scored.lost:
        return scored
    return replace(
        scored,
        truth=truth_without(scored.truth, scored.lost),
        detections=detections_without(scored.detections, scored.lost),
    )


def evaluate(datasets: Sequence[Scored], classes: LabelMap, cfg: EvaluateConfig) -> dict[str, Result]:
    """Results by data set, and of all keyframes as one pool under `union` (spec 13.23); StageError without any truth."""
    if not datasets:
        raise StageError("nothing to evaluate", "data sets", "name at least one data set with a ground truth")
    results = {scored.name: measure(scored, classes, cfg) for scored in datasets}
    assert len(results) == len(datasets) and UNION not in results, (
        "data sets have distinct names, none is union"
    )
    only = len(datasets) == 1
    results[UNION] = results[datasets[0].name] if only else measure(pool_of(datasets), classes, cfg)
    if not results[UNION].truths.any():
        raise StageError(
            "no listed class has a ground-truth box",
            ", ".join(scored.name for scored in datasets),
            "check that the label map belongs to the ground truth",
        )
    return results


def pool_of(datasets: Sequence[Scored]) -> Scored:
    """All data sets as one: keyframes, detections and exclusions together."""
    return Scored(
        name=UNION,
        truth=concat_truths([scored.truth for scored in datasets]),
        detections=concat_detections([scored.detections for scored in datasets]),
        exclusions={key for scored in datasets for key in scored.exclusions},
        lost=None
        if all(scored.lost is None for scored in datasets)
        else {key for scored in datasets for key in scored.lost or ()},
    )


def measure(scored: Scored, classes: LabelMap, cfg: EvaluateConfig) -> Result:
    """The result of one table of scored boxes by the configured metric."""
    return frame_map(
        scored.truth,
        scored.detections,
        classes.ids,
        dialect_named(cfg.dialect, cfg.cap),
        cfg.iou,
        exclusions=scored.exclusions,
    )


def both_ways(
    datasets: Sequence[Scored], results: Mapping[str, Result], classes: LabelMap, cfg: EvaluateConfig
) -> dict[str, dict[str, Any]]:
    """By data set and for the union: how many keyframes are lost, with how many labels, and the mAP in both ways of counting.

    `datasets` are with their lost keyframes, `results` what is counted as configured. Nothing where losses are unknown.
    """
    tables: dict[str, dict[str, Any]] = {}
    for scored in [*datasets, *([pool_of(datasets)] if len(datasets) > 1 else [])]:
        if scored.lost is None:
            continue
        present = counted(scored, "ignore")
        keyframes = len(scored.truth.key_us) - len(present.truth.key_us)
        told = results[scored.name].mean_ap if scored.name in results else float("nan")
        other = {"count-as-miss": present, "ignore": scored}[cfg.missing]
        same = not keyframes and len(present.detections.video) == len(scored.detections.video)
        rival = told if same else measure(other, classes, cfg).mean_ap
        tables[scored.name] = {
            "keyframes": keyframes,
            "labels": len(scored.truth.video) - len(present.truth.video),
            "counted": cfg.missing,
            "mAP": {name: number(told if name == cfg.missing else rival) for name in get_args(MissingName)},
        }
    if len(datasets) == 1 and tables:
        tables[UNION] = tables[datasets[0].name]
    return tables


def spelled(missing: Mapping[str, Any]) -> str:
    """One of those tables in words, for a log."""
    both = [f"{name} {'none' if value is None else f'{value:.4f}'}" for name, value in missing["mAP"].items()]
    return f"{' / '.join(both)} ({missing['keyframes']} keyframes missing)"


def metrics_json(results: Mapping[str, Result], classes: LabelMap, cfg: EvaluateConfig) -> dict[str, object]:
    """All results as one json-able object: the union's table at the top, the same table per data set under `datasets`."""
    tables = {name: _table(result, classes, cfg) for name, result in results.items()}
    return {**tables[UNION], "datasets": {name: table for name, table in tables.items() if name != UNION}}


def _table(result: Result, classes: LabelMap, cfg: EvaluateConfig) -> dict[str, object]:
    kinds = dict(zip(classes.ids, classes.kinds, strict=True))
    frequency = frequency_groups(result.class_ids, result.truths)
    table: dict[str, object] = {
        f"mAP@{result.iou:g}IOU": number(result.mean_ap),
        "dialect": result.dialect.name,
        "by_kind": {kind: number(value) for kind, value in result.mean_ap_of(kinds).items()},
        "by_frequency": {name: number(value) for name, value in result.mean_ap_of(frequency).items()},
        "per_class": _per_class(result, classes),
        "counts": result.counts.as_dict(),
        "notes": notes(result),
    }
    if cfg.bootstrap:
        interval = bootstrap(result, cfg.bootstrap, cfg.seed)
        table["interval"] = {
            "low": number(interval.low),
            "high": number(interval.high),
            "level": 0.95,
            "resamples": cfg.bootstrap,
            "seed": cfg.seed,
        }
    return table


def _per_class(result: Result, classes: LabelMap) -> list[dict[str, object]]:
    frequency = frequency_groups(result.class_ids, result.truths)
    columns = zip(
        classes.ids, classes.names, classes.kinds, result.ap, result.truths, result.detections, strict=True
    )
    return [
        {
            "id": class_id,
            "name": name,
            "kind": kind,
            "frequency": frequency.get(class_id),
            "ap": number(float(ap)),
            "truths": int(truths),
            "detections": int(detections),
        }
        for class_id, name, kind, ap, truths, detections in columns
    ]


def notes(result: Result) -> list[str]:
    """What a reader of the number should know: detections that did not count, classes without truth."""
    counts = result.counts
    found = [
        (counts.unlisted_class, "detections of classes outside of the list were ignored"),
        (counts.unlisted_keyframe, "detections on keyframes absent from the truth were ignored"),
        (counts.excluded, "detections on excluded keyframes were ignored"),
        (
            counts.beyond_cap,
            f"detections beyond the {result.dialect.cap} best of their keyframe were ignored",
        ),
        (counts.degenerate, "detections with an inverted or empty box were ignored"),
        (int((result.truths == 0).sum()), "classes have no truth and are left out of the mean"),
    ]
    lines = [f"{count} {text}" for count, text in found if count]
    if counts.detections and not counts.used:
        lines.append("no detection counted: class ids or keyframes do not belong to this truth")
    return lines

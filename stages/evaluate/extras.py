"""What the plain form reports on request: further IoUs, switches, persons, curves, and a second model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stages.evaluate.core import UNION, Scored, evaluate
from stages.evaluate.core import notes as core_notes
from stages.lib.annotations.ava_csv import ReadCounts, place_of_first
from stages.lib.annotations.labelmap import LabelMap
from stages.lib.config.evaluate import EvaluateConfig
from stages.lib.files import number
from stages.lib.metrics.ava import Result
from stages.lib.metrics.bootstrap import paired_bootstrap
from stages.lib.metrics.person_tables import persons_of_actions
from stages.lib.metrics.switches import turned_switches

RESAMPLES = 1000
_POINTS = 200


def notes(scored: Scored, result: Result, truth: ReadCounts, detections: ReadCounts, path: Path) -> list[str]:
    """What a reader of the number should know about the files themselves; `path` is that of the detections."""
    lines = detection_notes(scored, result, detections, path)
    if truth.far:
        lines.append(
            f"{truth.far} boxes of the ground truth leave the frame by more than 1 % and count as they are "
            f"(first: {truth.first_far})"
        )
    if truth.inverted:
        lines.append(
            f"{truth.inverted} boxes of the ground truth are inverted or empty: they count, and nothing finds them; the "
            f"official evaluator stops where a detection of the class meets an inverted one (first: {truth.first_inverted})"
        )
    if truth.duplicates:
        lines.append(
            f"{truth.duplicates} rows of the ground truth repeat an earlier one and count again "
            f"(first: {truth.first_duplicate})"
        )
    return lines


def detection_notes(scored: Scored, result: Result, detections: ReadCounts, path: Path) -> list[str]:
    """What a reader should know about a file of detections: it is empty, speaks of other videos, or repeats itself."""
    lines = []
    if not detections.rows:
        lines.append(f"the detections file {path} has no rows: every class with truth has AP 0")
    unknown = sorted(set(scored.detections.videos) - set(scored.truth.videos))
    if unknown:
        table = scored.detections
        first = np.flatnonzero(table.video == table.videos.index(unknown[0]))
        treated = "ignored" if result.dialect.ignore_unlisted_keyframes else "false detections"
        lines.append(
            f"{len(unknown)} videos of the detections are not in the ground truth, their rows are {treated} "
            f"(first: {unknown[0]}, {place_of_first(path, first)})"
        )
    if detections.duplicates:
        lines.append(
            f"{detections.duplicates} detections repeat an earlier row; each copy counts, and is a false one "
            f"(first: {detections.first_duplicate})"
        )
    return lines


def by_iou(scored: Scored, classes: LabelMap, settings: Sequence[EvaluateConfig]) -> dict[str, object]:
    """Mean AP and the AP of each class id at the IoU of each setting."""
    tables: dict[str, object] = {}
    for cfg in settings:
        result = evaluate([scored], classes, cfg)[UNION]
        per_class = {str(c): number(float(ap)) for c, ap in zip(classes.ids, result.ap, strict=True)}
        tables[f"{cfg.iou:g}"] = {"mAP": number(result.mean_ap), "per_class": per_class}
    return tables


def switches(scored: Scored, result: Result) -> list[dict[str, object]]:
    """Mean AP with each switch of the dialect turned alone, and how much that changes it."""
    turned = turned_switches(
        scored.truth,
        scored.detections,
        result.class_ids,
        result.dialect,
        result.iou,
        exclusions=scored.exclusions,
    )
    return [
        {
            "switch": one.switch,
            "turned_to": one.value,
            "mAP": number(one.mean_ap),
            "change": number(one.mean_ap - result.mean_ap),
        }
        for one in turned
    ]


def persons(scored: Scored, iou: float) -> dict[str, object]:
    """AP of the person boxes at an IoU, classes ignored, a box scored by its best class."""
    curve = persons_of_actions(scored.truth, scored.detections, iou)
    return {
        f"AP@{iou:g}IOU": number(curve.all_point),
        "AP_coco": number(curve.coco),
        "truths": curve.truths,
        "boxes": len(curve.scores),
    }


def compared(rival: Scored, classes: LabelMap, result: Result, cfg: EvaluateConfig) -> dict[str, object]:
    """Mean AP minus that of another model's detections, with a paired 95 % interval over resampled videos."""
    other = evaluate([rival], classes, cfg)[UNION]
    resamples = cfg.bootstrap or RESAMPLES
    interval = paired_bootstrap(result, other, resamples, cfg.seed)
    return {
        "dialect": other.dialect.name,
        "notes": core_notes(other),
        "mAP": number(other.mean_ap),
        "difference": number(interval.value),
        "low": number(interval.low),
        "high": number(interval.high),
        "level": 0.95,
        "p_value": interval.p_value,
        "share_above_zero": number(interval.above_zero),
        "resamples": resamples,
        "seed": cfg.seed,
    }


def curves_csv(result: Result, classes: LabelMap) -> str:
    """Recall, precision and score of each class with truth as csv text, at no more than 200 ranks a class."""
    lines = ["dialect,id,name,rank,recall,precision,score"]
    for c in np.flatnonzero(result.truths).tolist():
        precision, recall, score = result.curve(classes.ids[c])
        name = classes.names[c].replace('"', '""')
        for rank in _ranks(recall):
            point = f"{rank + 1},{recall[rank]:.6f},{precision[rank]:.6f},{score[rank]:.6f}"
            lines.append(f'{result.dialect.name},{classes.ids[c]},"{name}",{point}')
    return "\n".join(lines) + "\n"


def _ranks(recall_M: np.ndarray) -> list[int]:
    """Ranks at even steps of recall, and the last one; none without detections."""
    if not len(recall_M):
        return []
    steps = np.linspace(0.0, recall_M[-1], _POINTS)[1:]
    return np.unique([*np.searchsorted(recall_M, steps), len(recall_M) - 1]).tolist()

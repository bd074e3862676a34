"""Understanding the errors of one model: causes, confusions, what-ifs, and where the truth itself is in doubt, for json."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from stages.evaluate.core import Scored
from stages.evaluate.disagreement import LISTED, annotation_tables, corners, milliseconds_of
from stages.evaluate.examples import examples
from stages.lib.annotations.labelmap import LabelMap
from stages.lib.config.evaluate import EvaluateConfig
from stages.lib.files import number
from stages.lib.metrics.ava import Result
from stages.lib.metrics.dialects import dialect_named
from stages.lib.metrics.errors import chains, disagreement, missing
from stages.lib.metrics.errors.causes import CAUSES, FAR, Errors, explain, shares
from stages.lib.metrics.errors.repairs import Case, repairs, what_ifs
from stages.lib.metrics.frequency import frequency_groups

EXAMPLES: Final = 24
"""Most examples of each cause that are kept."""
TRUTH_BOXES: Final = "ground-truth boxes"
"""Row of the what-if table that is measured: the model's answers on the boxes of the truth."""
Table = dict[str, Any]


def error_tables(
    scored: Scored,
    classes: LabelMap,
    cfg: EvaluateConfig,
    measured: Mapping[str, Result] | None = None,
) -> Table:
    """Everything about the errors of scored boxes; `measured` are further rows of the what-if table that were run."""
    errors = explain(
        scored.truth,
        scored.detections,
        classes.ids,
        dialect_named(cfg.dialect, cfg.cap),
        cfg.iou,
        exclusions=scored.exclusions,
    )
    case = Case(scored.truth, scored.detections, errors, scored.exclusions)
    mended = repairs(case)
    better = {**what_ifs(case), **(measured or {})}
    result = errors.result
    return {
        "dialect": result.dialect.name,
        "iou": result.iou,
        "limits": {
            "far": FAR,
            "link": chains.LINK_IOU,
            "gap_ms": chains.GAP_MS,
            "confident": missing.CONFIDENT,
            "keyframes": missing.KEYFRAMES,
            "window": disagreement.WINDOW,
            "double": disagreement.DOUBLE_IOU,
        },
        "mAP": number(result.mean_ap),
        "causes": list(CAUSES),
        "classes": _classes(errors, mended, classes),
        "all": _all(errors, mended),
        "confusion": _confusion(errors, classes),
        "what_if": [
            {"what": name, "mAP": number(one.mean_ap), "change": number(one.mean_ap - result.mean_ap)}
            for name, one in better.items()
        ],
        "missing": _missing(case, classes),
        "annotations": annotation_tables(scored.truth, classes),
        "examples": examples(case, classes, EXAMPLES),
    }


def _classes(errors: Errors, mended: Mapping[str, Result], classes: LabelMap) -> list[Table]:
    result, counts = errors.result, errors.counts()
    share = shares(counts)
    frequency = frequency_groups(result.class_ids, result.truths)
    above = np.bincount(errors.entry_class[errors.above], minlength=len(classes.ids))
    return [
        {
            "id": class_id,
            "name": classes.names[c],
            "kind": classes.kinds[c],
            "frequency": frequency.get(class_id),
            "ap": number(result.ap[c]),
            "truths": int(result.truths[c]),
            "entries": int(above[c]),
            "counts": counts[c].tolist(),
            "shares": [number(value) for value in share[c]],
            "repaired": [number(mended[name].ap[c]) for name in CAUSES],
        }
        for c, class_id in enumerate(classes.ids)
    ]


def _all(errors: Errors, mended: Mapping[str, Result]) -> Table:
    counts = errors.counts().sum(axis=0)
    plain = errors.result.mean_ap
    return {
        "truths": int(errors.result.truths.sum()),
        "entries": int(errors.above.sum()),
        "counts": counts.tolist(),
        "shares": [number(value) for value in shares(counts)],
        "repaired": [number(mended[name].mean_ap) for name in CAUSES],
        "gain": [number(mended[name].mean_ap - plain) for name in CAUSES],
    }


def _confusion(errors: Errors, classes: LabelMap) -> list[Table]:
    """Cells of the confusion table that are not empty, the largest first."""
    table = errors.confusion()
    names = [*classes.names, None]
    said, instead = np.nonzero(table)
    order = np.lexsort((instead, said, -table[said, instead]))
    return [
        {
            "said": classes.names[said[i]],
            "truth": names[instead[i]],
            "entries": float(table[said[i], instead[i]]),
        }
        for i in order
    ]


def _missing(case: Case, classes: LabelMap) -> Table:
    found, table = case.errors.missing, case.detections
    column = {class_id: c for c, class_id in enumerate(classes.ids)}
    listed = [
        {
            "video": table.videos[table.video[first]],
            "from_ms": milliseconds_of(table, first),
            "to_ms": milliseconds_of(table, last),
            "keyframes": int(length),
            "score": round(float(score), 4),
            "class": classes.names[column[int(table.class_id[first])]],
            "box": corners(table.boxes[first]),
        }
        for first, last, length, score in zip(
            found.first[:LISTED], found.last[:LISTED], found.length, found.score, strict=False
        )
    ]
    return {"number": len(found.first), "listed": listed}

"""How much each member of an ensemble counts for each class, from its AP on that class or as a search found.

Legend: M members, C classes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stages.lib.config.ensemble import EnsembleConfig

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Weights:
    """Weights (M, C), each class summing to 1; the classes that had to be weighted evenly, and why."""

    values: Floats
    uniform: Bools
    notes: tuple[str, ...]


def fit_weights(
    ap_MC: ArrayLike, class_ids: tuple[int, ...], cfg: EnsembleConfig, searched_MC: Floats | None = None
) -> Weights:
    """Weights by the configured rule from the members' APs, or those that were searched for; even ones where neither helps.

    The formulas are those of spec 9.4. A class without truth (AP NaN for some member) or on which no member has any AP
    is weighted evenly, with a note.
    """
    ap = np.asarray(ap_MC, dtype=np.float64)
    n_members, n_classes = ap.shape
    assert n_classes == len(class_ids)
    even = np.full_like(ap, 1.0 / n_members)
    unknown: Bools = np.any(np.isnan(ap), axis=0)
    hopeless: Bools = np.logical_and(~unknown, np.all(ap <= 0, axis=0))
    usable: Bools = ~np.logical_or(unknown, hopeless)
    values = even.copy()
    if cfg.weights != "uniform" and usable.any():
        raw = _raw_weights(ap[:, usable], cfg) if searched_MC is None else searched_MC[:, usable]
        total = raw.sum(axis=0)
        values[:, usable] = np.where(total > 0, raw / np.where(total > 0, total, 1.0), even[:, usable])
    notes = _notes(unknown, hopeless, class_ids) if cfg.weights != "uniform" else ()
    return Weights(values, ~usable if cfg.weights != "uniform" else np.ones(n_classes, dtype=bool), notes)


def _raw_weights(ap_MC: Floats, cfg: EnsembleConfig) -> Floats:
    """Weights before they are divided by their sum over members."""
    match cfg.weights:
        case "ap":
            return np.power(ap_MC / ap_MC.max(axis=0), cfg.power)
        case "softmax":
            return np.exp((ap_MC - ap_MC.max(axis=0)) / cfg.temperature)
        case "linear":
            low, high = ap_MC.min(axis=0), ap_MC.max(axis=0)
            spread = high - low
            return np.where(spread > 0, (ap_MC - low) / np.where(spread > 0, spread, 1.0), 1.0)
        case "top-k":
            place = np.argsort(np.argsort(-ap_MC, axis=0, kind="stable"), axis=0, kind="stable")
            return (place < cfg.k).astype(np.float64)
        case "uniform":
            return np.ones_like(ap_MC)
        case "greedy" | "least-squares":
            raise AssertionError(f"{cfg.weights} weights are searched for, not derived from APs")


def _notes(unknown: Bools, hopeless: Bools, class_ids: tuple[int, ...]) -> tuple[str, ...]:
    notes = []
    for mask, reason in (
        (unknown, "without truth in the fitting data"),
        (hopeless, "with AP 0 for every member"),
    ):
        ids = [str(class_id) for class_id, marked in zip(class_ids, mask, strict=True) if marked]
        if ids:
            notes.append(f"classes {reason}, weighted evenly: {', '.join(ids)}")
    return tuple(notes)

"""What an ensemble says about itself: weights.json."""

from __future__ import annotations

from stages.ensemble.fitting import Fitted
from stages.ensemble.members import Members
from stages.ensemble.study import HeldOut
from stages.lib.artifacts.tables import Classes
from stages.lib.config.payloads import EnsemblePayload
from stages.lib.files import number
from stages.lib.metrics.ava import mean_of_defined
from stages.lib.metrics.dialects import dialect_named


def summary(
    members: Members, classes: Classes, fitted: Fitted, payload: EnsemblePayload
) -> dict[str, object]:
    """What weights.json says: members, their APs and weights, what was measured, and notes."""
    weights, cfg = fitted.weights, payload.ensemble
    return {
        "members": list(members.names),
        "rule": "given" if cfg.weights_from else cfg.weights,
        "view_average": cfg.view_average,
        "dialect": dialect_named(payload.metric.dialect, payload.metric.cap).name,
        "fit_split": cfg.fit_split,
        "fit_datasets": list(fitted.known),
        "classes": [{"id": n, "name": name} for n, name in zip(classes.ids, classes.names, strict=True)],
        "ap": [[number(value) for value in row] for row in fitted.ap_MC.tolist()],
        "mean_ap": [number(mean_of_defined(row)) for row in fitted.ap_MC],
        "ensemble_mean_ap": number(fitted.mean_ap),
        "weights": weights.values.tolist(),
        "uniform": weights.uniform.tolist(),
        "notes": [*weights.notes, *members.notes],
        "held_out": _held_out(fitted.held) if fitted.held else None,
        "worth": [number(value) for value in fitted.worth],
    }


def _held_out(held: HeldOut) -> dict[str, object]:
    found: dict[str, object] = {
        name: [number(value) for value in values]
        for name, values in (
            ("in_sample", held.in_sample),
            ("held_out", held.held_out),
            ("best_member", held.best_member),
            ("uniform", held.uniform),
        )
    }
    return found | {"videos": list(held.videos), "optimism": number(held.optimism)}

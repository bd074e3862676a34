"""Tables of errors as evaluate makes them, of films in which everything goes wrong: a small one, and a large world."""

from __future__ import annotations

from typing import Any

import numpy as np

from stages.evaluate.core import Scored
from stages.evaluate.errors import error_tables
from stages.lib.annotations.labelmap import label_map
from stages.lib.config.evaluate import EvaluateConfig
from tests.unit.lib.metrics.tables_for_tests import LEFT, RIGHT, detections_of, truth_of

NOBODY = (0.42, 0.1, 0.5, 0.9)
NEAR = (0.1, 0.1, 0.401, 0.9)


def everything_wrong(name: str) -> dict[str, Any]:
    """Confusions, somebody missed, somebody unannotated, flicker, swaps and doubles; `name` is in all names."""
    truth, found = [], []
    for second in range(902, 914):
        truth += [(name, float(second), LEFT, 1 + second % 2), (name, float(second), RIGHT, 3)]
        found += [(name, float(second), LEFT, 3, 0.6 + second / 1e4), (name, float(second), NOBODY, 1, 0.9)]
    truth += [(name, 902.0, NEAR, 3), (name, 902.0, RIGHT, 1), (name, 904.0, RIGHT, 1)]
    classes = label_map((1, 2, 3), (name, f"2{name}", f"3{name}"))
    scored = Scored("film", truth_of(truth), detections_of(found))
    return {**error_tables(scored, classes, EvaluateConfig()), "name": name, "split": name}


def all_classes_wrong(n_classes: int, films: int = 12) -> dict[str, Any]:
    """Every cause of error in every class, and every table about the truth full."""
    rng = np.random.default_rng(0)
    truth, found = [], []
    for film in range(films):
        name, pair = f"a_video_of_eleven_{film:02d}", rng.integers(0, n_classes, (2, 2)) + 1
        for second in range(902, 962):
            for person, box in enumerate((LEFT, RIGHT)):
                if rng.random() < 0.3:
                    pair[person] = rng.permutation(n_classes)[:2] + 1
                elif rng.random() < 0.5:
                    pair[person, 0] = (pair[person, 0] - 1 ^ 1) + 1  # to its neighbour: a swap
                labels = {int(pair[person, 0]), int(pair[person, rng.integers(2)])}
                truth += [(name, float(second), box, label) for label in labels]
                shift = rng.choice([0.0, 0.0, 0.12, 1.0])
                if shift == 1.0:
                    continue
                moved = (box[0] + shift, box[1], box[2] + shift, box[3])
                said = {*labels, *(rng.integers(0, n_classes, 3) + 1).tolist()}
                found += [(name, float(second), moved, label, rng.uniform(0.1, 1.0)) for label in said]
                if rng.random() < 0.2:
                    again = (box[0] + 0.01, *box[1:])
                    found += [(name, float(second), again, label, rng.uniform(0.1, 1.0)) for label in labels]
            if rng.random() < 0.1:
                truth.append((name, float(second), NEAR, int(rng.integers(n_classes)) + 1))
            if second % 10 < 6:
                found.append((name, float(second), NOBODY, film * 5 % n_classes + 1, 0.9))
    ids = range(1, n_classes + 1)
    classes = label_map(tuple(ids), tuple(f"an action with a long name, number {c}" for c in ids))
    scored = Scored("films", truth_of(truth), detections_of(found))
    return {**error_tables(scored, classes, EvaluateConfig()), "name": "backbone0-acar", "split": "val"}

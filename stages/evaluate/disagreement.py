"""Where a truth disagrees with itself, for json: flicker by class and listed, swaps by pair of classes, doubles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from stages.lib.annotations.labelmap import LabelMap
from stages.lib.metrics.errors.disagreement import Disagreement, examine
from stages.lib.metrics.tables import DetectionsTable, Truth, microseconds_to_milliseconds

LISTED: Final = 200
"""Most entries of a list of candidates or doubtful annotations; the number of all stands beside it."""
Table = dict[str, Any]


def annotation_tables(truth: Truth, classes: LabelMap) -> Table:
    """Where a truth disagrees with itself: flicker by class and listed, swaps by pair of classes, doubles."""
    found = examine(truth, classes.ids)
    flicker, number_of = found.flicker, found.flicker.numbers()
    order = np.lexsort((flicker.before, -number_of[flicker.label]))[:LISTED]
    return {
        "people": found.people,
        "tracks": found.tracks,
        "links": found.links,
        "flicker": [
            {
                "class": classes.names[c],
                "flickers": int(number_of[c]),
                "steady": int(flicker.steady[c]),
                "rate": float(number_of[c] / (number_of[c] + flicker.steady[c])),
            }
            for c in np.flatnonzero(number_of + flicker.steady)
        ],
        "flickers": {
            "number": len(flicker.label),
            "listed": [
                {
                    **_place(truth, int(flicker.before[i])),
                    "to_ms": milliseconds_of(truth, flicker.after[i]),
                    "class": classes.names[flicker.label[i]],
                }
                for i in order
            ],
        },
        "swaps": _swaps(found, classes),
        "doubles": {
            "number": len(found.doubles),
            "same_labels": found.same,
            "listed": [
                {**_place(truth, int(a)), "other": corners(truth.boxes[b])} for a, b in found.doubles[:LISTED]
            ],
        },
    }


def _swaps(found: Disagreement, classes: LabelMap) -> list[Table]:
    """Pairs of classes that were swapped, those furthest above chance first (in standard deviations of a Poisson number)."""
    swaps = found.swaps
    both = swaps.swaps + swaps.swaps.T
    first, second = np.nonzero(np.triu(both, 1))
    expected = swaps.expected[first, second]
    excess = (both[first, second] - expected) / np.sqrt(expected)
    return [
        {
            "first": classes.names[first[i]],
            "second": classes.names[second[i]],
            "there": int(swaps.swaps[first[i], second[i]]),
            "back": int(swaps.swaps[second[i], first[i]]),
            "expected": float(expected[i]),
            "excess": float(excess[i]),
            "returned": int(swaps.returned[first[i], second[i]]),
        }
        for i in np.lexsort((second, first, -excess))
    ]


def _place(truth: Truth, row: int) -> Table:
    return {
        "video": truth.videos[truth.video[row]],
        "ms": milliseconds_of(truth, row),
        "box": corners(truth.boxes[row]),
    }


def corners(box: Sequence[float] | NDArray[np.floating]) -> list[float]:
    """A box xyxy in [0, 1] with six decimals, as the official files have them."""
    return [round(float(side), 6) for side in box]


def milliseconds_of(table: Truth | DetectionsTable, row: int) -> int:
    """The time of one row in whole milliseconds."""
    return microseconds_to_milliseconds(int(table.timestamp_us[row]))

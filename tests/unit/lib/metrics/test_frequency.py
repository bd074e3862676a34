from __future__ import annotations

import numpy as np

from stages.lib.metrics.frequency import frequency_groups


def test_thirds_of_the_classes_with_truth_by_number_of_truths() -> None:
    truths = np.array([5, 0, 100, 5, 1, 50, 20])
    groups = frequency_groups((1, 3, 12, 14, 15, 17, 80), truths)
    assert [groups[i] for i in (12, 17, 80, 1, 14, 15)] == [
        "head",
        "head",
        "middle",
        "middle",
        "tail",
        "tail",
    ]
    assert 3 not in groups
    assert list(frequency_groups((1, 3, 4, 5), np.array([1, 1, 1, 1])).values()) == [
        "head",
        "head",
        "middle",
        "tail",
    ]
    assert frequency_groups((1,), np.array([0])) == {}

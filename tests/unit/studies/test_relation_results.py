"""The reading half of the relation study: parts of the world by cut and by what people do."""

from __future__ import annotations

import numpy as np
import pytest

from stages.lib.metrics.tables import DetectionsTable, Truth
from tests.studies.relation_results import Figure, Record, add_person, part_of, without_events

STILL, WALKER = (0.1, 0.1, 0.3, 0.9), (0.6, 0.1, 0.8, 0.9)


def row(box: tuple[float, ...], moved: str, since: str, until: str) -> dict[str, str]:
    sides = dict(zip(("x1", "y1", "x2", "y2"), map(str, box), strict=True))
    return sides | {"moved": moved, "seconds_since_cut": since, "seconds_to_cut": until}


@pytest.fixture
def record() -> Record:
    """Somebody who stays and somebody who walks, one second and six seconds after a cut."""
    found = Record({}, {})
    for ms, since, until in ((1000, "1.0", "11.0"), (6000, "6.0", "6.0")):
        add_person(found, ("film", ms), row(STILL, "0", since, until))
        add_person(found, ("film", ms), row(WALKER, "1", since, until))
    return found


def tables(shift: float = 0.0) -> tuple[Truth, DetectionsTable]:
    """Both people at both times, and a third keyframe on which nobody is."""
    video, ms = np.zeros(4, np.int32), np.array([1000, 1000, 6000, 6000], np.int64)
    boxes = np.array([STILL, WALKER, STILL, WALKER]) + shift
    number = np.full(4, 15, np.int32)
    keys = np.array([1000, 6000, 9000], np.int64)
    truth = Truth(
        ("film",), np.zeros(3, np.int32), 1000 * keys, video, 1000 * ms, boxes, number, np.arange(4)
    )
    return truth, DetectionsTable(("film",), video, 1000 * ms, boxes, number, np.linspace(0.9, 0.6, 4))


@pytest.mark.parametrize(("part", "ms"), [("near", 1000), ("far", 6000)])
def test_keyframes_by_the_nearest_cut(record: Record, part: str, ms: int) -> None:
    truth, detections = part_of(part, record, *tables())
    assert truth.key_ms.tolist() == [ms], "a keyframe without people is in neither part"
    assert truth.timestamp_ms.tolist() == detections.timestamp_ms.tolist() == [ms, ms]


@pytest.mark.parametrize(("part", "box"), [("moves", WALKER), ("stays", STILL)])
def test_people_by_what_they_do(record: Record, part: str, box: tuple[float, ...]) -> None:
    """Official boxes have three decimals."""
    truth, detections = part_of(part, record, *tables(shift=0.0004))
    assert len(truth.key_ms) == 3
    for table in (truth, detections):
        assert len(table.boxes) == 2
        np.testing.assert_allclose(table.boxes, np.array([box, box]) + 0.0004)


def test_detected_boxes_have_no_identity(record: Record) -> None:
    with pytest.raises(ValueError, match="nobody in people"):
        part_of("moves", record, *tables(shift=0.01))
    with pytest.raises(ValueError, match="unknown part"):
        part_of("sideways", record, *tables())


def test_rows_of_a_class_away_from_its_events() -> None:
    truth, detections = without_events({15: {("film", 1000)}, 74: set()}, *tables())
    assert truth.timestamp_ms.tolist() == detections.timestamp_ms.tolist() == [6000, 6000]
    assert set(truth.class_id.tolist()) == {15}
    assert sorted(set(truth.key_ms.tolist())) == [1000, 6000, 9000], "the other class is asked everywhere"


def test_a_figure_without_truth_is_a_dash() -> None:
    assert Figure(float("nan"), float("nan"), float("nan"), float("nan")).text() == "–"
    assert Figure(0.5, 0.25, 0.75, 0.125).text() == "50.0 (25.0 to 75.0), ± 12.5"

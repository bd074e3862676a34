"""Members beside data sets that have no class list, as own videos may be."""

from __future__ import annotations

import pytest

from stages.ensemble.members import _check_classes, _class_list
from stages.index.core import own_index
from stages.lib.artifacts.tables import Classes
from stages.lib.errors import StageError

LISTED, OTHERS, NONE = Classes((1, 7), ("bend", "jump")), Classes((1, 12), ("bend", "stand")), Classes((), ())


def test_own_videos_without_a_class_list_take_every_member() -> None:
    _check_classes(LISTED, NONE, "acar on own")
    _check_classes(LISTED, LISTED, "acar on own")
    with pytest.raises(StageError, match="another class map"):
        _check_classes(LISTED, OTHERS, "acar on own")


def test_csv_members_take_the_class_list_of_a_data_set_that_has_one() -> None:
    indexes = {"own": own_index([], [], 1.0, NONE), "films": own_index([], [], 1.0, LISTED)}
    assert _class_list(indexes, "theirs") == LISTED
    with pytest.raises(StageError, match="no data set has a class list"):
        _class_list({"own": indexes["own"]}, "theirs")

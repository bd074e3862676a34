"""The page around the tables of the scale study, and what they compute beside the scheduler."""

from __future__ import annotations

import pytest

from tests.studies.model_time import Task
from tests.studies.scale_study import BEGIN, END, between
from tests.studies.scale_tables import PROFILE, gpu_hours, longest_path, slurm
from tests.workflow.flow import ROOT


def test_only_what_stands_between_the_marks_is_replaced() -> None:
    page = f"above\n{BEGIN}\nold\n{END}\nbelow\n"
    once = between(page, "new")
    assert once == f"above\n{BEGIN}\nnew\n{END}\nbelow\n"
    assert between(once, "new") == once
    with pytest.raises(ValueError, match="needs the lines"):
        between(f"{END}{BEGIN}", "new")


def test_the_page_has_its_tables() -> None:
    page = (ROOT / "docs" / "scale.md").read_text()
    assert between(page, "") != page


def test_the_longest_chain() -> None:
    """Forwards in the list and backwards; a long one is no matter of recursion."""
    assert longest_path([Task(1.0, needs=[1, 2]), Task(5.0), Task(2.0, needs=[3]), Task(4.0)]) == 1 + 2 + 4
    assert longest_path([Task(1.0, needs=[k - 1] if k else []) for k in range(5_000)]) == 5_000


def test_hours_of_gpus_count_each_of_them() -> None:
    tasks = [Task(3600.0, "gpu", 4), Task(1800.0, "gpu"), Task(7200.0, "cpu", 9)]
    assert gpu_hours(tasks) == 4.5


def test_a_cluster_is_driven_as_the_profile_says() -> None:
    assert slurm(32).jobs == PROFILE["jobs"] and slurm(32).slots["gpu"] == 32
    assert slurm(32, jobs=7).jobs == 7

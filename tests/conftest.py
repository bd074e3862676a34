"""Settings of all tests: a busy machine must not fail a property for being slow; faults are told to the junit file."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("project", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("project")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """`python -m tests.faults.table` finds the numbers of a test's faults there."""
    for item in items:
        numbers = {number for mark in item.iter_markers("fault") for number in mark.args}
        item.user_properties += [("fault", number) for number in sorted(numbers)]

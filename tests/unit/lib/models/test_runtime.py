"""The device that is used, as the log tells it."""

from __future__ import annotations

import pytest

from stages.lib.errors import StageError
from stages.lib.models.runtime import choose_device, keep_threads, prepare


def test_the_log_names_the_device_that_is_used(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    with keep_threads():
        chosen = prepare("auto", 2)
    (record,) = caplog.records
    assert record.getMessage().startswith(f"device {chosen}")
    assert record.getMessage().endswith(", 2 threads")
    assert "auto" not in record.getMessage()


@pytest.mark.parametrize("name", ["gpu", "cuda:x", "cuda:99"])
def test_other_devices_are_refused(name: str) -> None:
    with pytest.raises(StageError, match="device"):
        choose_device(name)

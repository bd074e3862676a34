"""`python -m stages.inspect inputs`: what was made from files that are not there any more."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from stages.inspect.__main__ import main
from stages.lib.files import file_sha
from tests.unit.inspect.test_inspect import write_weights
from tests.unit.lib.artifacts.samples import ORIGIN, write_sample

pytestmark = pytest.mark.fault("F17")


def test_weights_of_equal_size_and_time_are_told_apart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, weights = tmp_path / "run", write_weights(tmp_path / "w.safetensors", [1.0, 2.0])
    detections = run / "detect/mine/own/000-of-001.h5"
    write_sample(detections, replace(ORIGIN, inputs={"weights": file_sha(weights)}))
    assert main(["inputs", str(run), str(weights)]) == 0
    assert "1 artifacts, 1 inputs" in capsys.readouterr().out
    before = weights.stat()
    write_weights(weights, [1.0, 3.0])
    os.utime(weights, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = weights.stat()
    assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    assert main(["inputs", str(run), str(weights)]) == 2
    said = capsys.readouterr().err
    assert f"{detections} from weights" in said and f"rm {detections} and run again" in said


def test_an_artifact_of_the_run_that_was_replaced_is_missed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, weights = tmp_path / "run", write_weights(tmp_path / "run/w.safetensors", [1.0])
    first = write_sample(run / "a.h5", replace(ORIGIN, inputs={}))
    later = replace(ORIGIN, stage="bank", inputs={"weights": file_sha(weights), "detections": "0" * 64})
    write_sample(run / "b.h5", later)
    assert main(["inputs", str(run)]) == 2
    assert "b.h5 from detections 000000000000;" not in (said := capsys.readouterr().err)
    assert "b.h5 from detections 000000000000" in said and "a.h5 from" not in said
    first.unlink()
    assert main(["inputs", str(run / "nothing")]) == 2
    assert "no artifacts lie here" in capsys.readouterr().err
    assert main(["inputs", str(run), str(tmp_path / "gone")]) == 2
    assert "no such file" in capsys.readouterr().err

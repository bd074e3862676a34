from __future__ import annotations

import pytest

from stages.lib.config.datasets import DatasetConfig
from stages.lib.config.drawn import files
from stages.lib.config.playground import CLIPS, MOVIES
from stages.lib.errors import StageError
from stages.synthesize.annotations import annotation_files


@pytest.mark.parametrize("dataset", [MOVIES, CLIPS])
def test_the_names_are_those_that_synthesize_writes(dataset: str) -> None:
    written = {f"folder/annotations/{name}" for name in annotation_files(dataset, [], 8)}
    named: set[object] = set()
    for value in files(dataset, "folder").values():
        named |= set(value.values()) if isinstance(value, dict) else {value}
    assert named - {"folder/videos"} <= written


@pytest.mark.parametrize("dataset", [MOVIES, CLIPS])
def test_the_keys_are_those_of_a_data_set(dataset: str) -> None:
    assert set(files(dataset, "folder")) <= set(DatasetConfig.model_fields)


def test_other_names_cannot_be_drawn() -> None:
    with pytest.raises(StageError, match=f"{MOVIES} and {CLIPS}"):
        files("holiday", "folder")

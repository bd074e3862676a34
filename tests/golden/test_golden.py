"""Files that were written once are still read, and are what would be written today."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stages.lib.artifacts.reader import open_artifact
from stages.lib.artifacts.schemas import SCHEMAS, Schema
from tests.golden.write import path_of, values_of, write

FINGERPRINTS = {
    ("index", 1): "7ad295b475c581532b6233305712933d08451af3117cb88b99c805f218970a41",
    ("decode", 1): "b7faca086c010ea77b4d9211591a3535de247580622f202e03a921716484f400",
    ("detect", 1): "00463634ed5b710ae810f9a5d4bdb48496626ca8df0ab9ceaaba4465b2738fef",
    ("extract", 1): "715c45b0a8e8f1a27ad2b1a1313c5c505e1897127d553025bea07aac087fe174",
    ("extract", 2): "8b4b68d172d0dcbffe44805bf3beed29f9261006a0960fd799d26ecb6f34b5a0",
    ("bank", 1): "ed04fbebc21a024c34167d2ab3807ef6687c03aedbaa059a14997c5dab7648a8",
    ("predict", 1): "fdaa87ab9cab82d4734e51f8a5981ccb5387317044bfaeeb11e5278148921c96",
    ("predict", 2): "153ef1aa14ed73919fb2a21cb59709aff751891c50c5bcc9dd97b1faff696161",
    ("attention", 1): "ac728275e84103fc01e7e9b0eac91ab706e3cd38d0ff94056b6bb1212d7c3a4e",
    ("ensemble", 1): "07849f33a2c06b9bf7eff97f41b2b2adf846fb0c152cb6b6a753212c284874b4",
}


@pytest.mark.fault("F26")
@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=lambda schema: schema.name)
def test_the_stored_file_of_each_schema_still_reads(schema: Schema) -> None:
    assert path_of(schema).exists(), "a new schema version needs a stored file: python -m tests.golden.write"
    with open_artifact(path_of(schema), schema, FINGERPRINTS[schema.name, schema.version]) as artifact:
        artifact.verify()
        expected = values_of(schema)
        assert artifact.names() == sorted(expected)
        for name, values in expected.items():
            assert np.array_equal(artifact.read(name), values), name


@pytest.mark.fault("F26")
@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=lambda schema: schema.name)
def test_the_fingerprint_of_the_same_content_has_not_changed(schema: Schema, tmp_path: Path) -> None:
    write(schema, tmp_path / "a.h5")
    with open_artifact(tmp_path / "a.h5") as artifact:
        assert artifact.fingerprint == FINGERPRINTS[schema.name, schema.version]


@pytest.mark.fault("F26")
def test_every_stored_file_has_a_known_fingerprint() -> None:
    stored = {path.stem for path in Path(__file__).parent.glob("*.h5")}
    assert stored == {f"{name}-v{version}" for name, version in FINGERPRINTS}

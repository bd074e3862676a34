"""An artifact is whole or absent, the same bytes for the same content, and checked when it is read."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from stages.lib.artifacts.provenance import fingerprint
from stages.lib.artifacts.reader import open_artifact
from stages.lib.artifacts.schemas import BANK, DETECT, INDEX
from stages.lib.artifacts.tables import Boxes, Classes, Index, Keyframes
from stages.lib.artifacts.writer import write_artifact
from stages.lib.errors import StageError
from tests.unit.lib.artifacts.samples import BOXES, KEYFRAMES, ORIGIN, write_sample


def test_what_is_written_is_read(tmp_path: Path) -> None:
    with open_artifact(write_sample(tmp_path / "a.h5"), DETECT) as artifact:
        artifact.verify()
        assert artifact.provenance == ORIGIN
        assert Keyframes.read(artifact).keys() == [("-a", 1000), ("-a", 2000), ("b", 500)]
        boxes = Boxes.read(artifact)
    assert boxes.row_splits.tolist() == [0, 0, 2, 3]
    assert np.array_equal(boxes.boxes, BOXES.boxes)
    assert boxes.boxes.dtype == np.float32
    assert boxes.row_splits.dtype == np.int64


def test_equal_content_gives_equal_bytes(tmp_path: Path) -> None:
    first, second = write_sample(tmp_path / "a.h5"), write_sample(tmp_path / "other" / "b.h5")
    assert first.read_bytes() == second.read_bytes()


def test_the_fingerprint_follows_from_content_and_origin(tmp_path: Path) -> None:
    def mark(name: str, **changes: object) -> str:
        with open_artifact(write_sample(tmp_path / name, replace(ORIGIN, **changes))) as artifact:
            return artifact.fingerprint

    base = mark("a.h5")
    assert base == mark("b.h5")
    assert (
        len({base, mark("c.h5", config="{}"), mark("d.h5", version=2), mark("e.h5", inputs={"decode": "x"})})
        == 4
    )
    other = replace(BOXES, scores=BOXES.scores + np.float32(0.001))
    with open_artifact(write_sample(tmp_path / "f.h5", boxes=other)) as artifact:
        assert artifact.fingerprint != base


def test_digests_are_sha256_of_type_shape_and_bytes(tmp_path: Path) -> None:
    with open_artifact(write_sample(tmp_path / "a.h5")) as artifact:
        digests = json.loads(artifact.attribute("digests"))
        mark = artifact.fingerprint
    content = hashlib.sha256(BOXES.scores.tobytes()).digest()
    assert digests["scores"] == hashlib.sha256(b"<f4(3,)" + content).hexdigest()
    assert mark == fingerprint("detect", 1, ORIGIN, digests)


@pytest.mark.parametrize(
    "error", [KeyError("no"), StageError("bad"), KeyboardInterrupt(), OSError("not ours")]
)
def test_an_interrupted_write_leaves_nothing_and_keeps_its_error(
    tmp_path: Path, error: BaseException
) -> None:
    target = tmp_path / "a.h5"

    def write_half() -> None:
        with write_artifact(target, DETECT, ORIGIN) as writer:
            KEYFRAMES.write(writer)
            raise error

    with pytest.raises(type(error)) as caught:
        write_half()
    assert caught.value is error
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_write_keeps_the_older_file(tmp_path: Path) -> None:
    before = write_sample(tmp_path / "a.h5").read_bytes()
    with pytest.raises(RuntimeError), write_artifact(tmp_path / "a.h5", DETECT, ORIGIN):
        raise RuntimeError
    assert (tmp_path / "a.h5").read_bytes() == before


@pytest.mark.fault("F13")
def test_a_folder_that_cannot_be_made_is_the_users_fault(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StageError, match="cannot write"):
        write_sample(tmp_path / "file" / "a.h5")


@pytest.mark.fault("F13")
def test_a_full_disk_is_the_users_fault(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    many = Boxes.stack(
        [(np.zeros((0, 4)), []), (np.full((60_000, 4), 0.5), np.full(60_000, 0.5)), (np.zeros((0, 4)), [])]
    )
    signal = pytest.importorskip("signal")
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, limits[1]))
    try:
        with pytest.raises(StageError, match="cannot write"):
            write_sample(tmp_path / "a.h5", boxes=many)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert list(tmp_path.iterdir()) == []


def test_arrays_that_the_schema_does_not_declare_are_refused(tmp_path: Path) -> None:
    with (
        pytest.raises(StageError, match="not part of schema detect"),
        write_artifact(tmp_path / "a", DETECT, ORIGIN) as w,
    ):
        w.put("extra", np.zeros(3))
    with (
        pytest.raises(StageError, match="not part of schema bank"),
        write_artifact(tmp_path / "a", BANK, ORIGIN) as w,
    ):
        w.put("maps/8x16/deeper", np.zeros((1, 2, 3, 4)))


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("boxes", np.zeros((2, 5))),
        ("boxes", np.zeros(4)),
        ("scores", np.zeros((2, 1))),
        ("row_splits", np.array([0.5])),
    ],
)
def test_arrays_of_another_shape_or_kind_are_our_own_fault(
    tmp_path: Path, name: str, values: np.ndarray
) -> None:
    with pytest.raises(AssertionError), write_artifact(tmp_path / "a.h5", DETECT, ORIGIN) as writer:
        writer.put(name, values)


def test_rows_of_another_shape_are_not_broadcast(tmp_path: Path) -> None:
    with pytest.raises(AssertionError), write_artifact(tmp_path / "a.h5", DETECT, ORIGIN) as writer:
        writer.stream("boxes", (4,)).append(np.zeros((3, 1), np.float32))


def test_streams_and_whole_arrays_have_the_same_fingerprint(tmp_path: Path) -> None:
    with write_artifact(tmp_path / "b.h5", DETECT, ORIGIN) as writer:
        KEYFRAMES.write(writer)
        writer.put("row_splits", BOXES.row_splits)
        writer.put("scores", BOXES.scores)
        stream = writer.stream("boxes", (4,))
        for row in BOXES.boxes:
            stream.append(row[None])
    with (
        open_artifact(tmp_path / "b.h5") as streamed,
        open_artifact(write_sample(tmp_path / "a.h5")) as whole,
    ):
        assert streamed.fingerprint == whole.fingerprint


@pytest.mark.fault("F11")
def test_no_boxes_no_keyframes_and_no_classes_are_normal(tmp_path: Path) -> None:
    none = np.zeros(0, np.int64)
    index = Index(
        Keyframes((), np.zeros(0, np.int32), none), (), np.zeros(0), (), np.zeros(0, np.uint8), np.zeros(1, np.int64),
        np.zeros((0, 4), np.float32), np.zeros((0, 0), np.uint8), np.zeros(0, np.int32), Classes((), ()),
    )  # fmt: skip
    with write_artifact(tmp_path / "a.h5", INDEX, ORIGIN) as writer:
        index.write(writer)
    with open_artifact(tmp_path / "a.h5", INDEX) as artifact:
        artifact.verify()
        read = Index.read(artifact)
    assert len(read.keyframes) == 0
    assert read.truth_boxes.shape == (0, 4)
    assert read.truth_labels.shape == (0, 0)


def test_people_without_classes_keep_their_shape(tmp_path: Path) -> None:
    index = Index(
        KEYFRAMES, ("", ""), np.zeros(2), ("ä b.mp4", "c"), np.zeros(3, np.uint8), BOXES.row_splits, BOXES.boxes,
        np.zeros((3, 0), np.uint8), np.full(3, -1, np.int32), Classes((), ()),
    )  # fmt: skip
    with write_artifact(tmp_path / "a.h5", INDEX, ORIGIN) as writer:
        index.write(writer)
    with open_artifact(tmp_path / "a.h5", INDEX) as artifact:
        artifact.verify()
        assert Index.read(artifact).truth_labels.shape == (3, 0)
        assert Index.read(artifact).name == ("ä b.mp4", "c")


def test_a_long_configuration_fits_into_the_attributes(tmp_path: Path) -> None:
    long = replace(ORIGIN, config="x" * 300_000)
    with open_artifact(write_sample(tmp_path / "a.h5", long)) as artifact:
        assert artifact.provenance.config == long.config


def _refused(path: Path, match: str, **options: object) -> None:
    with pytest.raises(StageError, match=match), open_artifact(path, **options):  # type: ignore[arg-type]
        pass


@pytest.mark.fault("F12")
def test_files_that_are_no_artifacts_are_refused(tmp_path: Path) -> None:
    _refused(tmp_path / "none.h5", "file not found")
    _refused(tmp_path, "file not found")
    (tmp_path / "text.h5").write_text("hello")
    _refused(tmp_path / "text.h5", "not a readable HDF5 file")
    with h5py.File(tmp_path / "plain.h5", "w") as file:
        file["x"] = [1, 2]
    _refused(tmp_path / "plain.h5", "not an artifact")


@pytest.mark.fault("F12", "F26")
def test_another_schema_version_or_fingerprint_is_refused(tmp_path: Path) -> None:
    path = write_sample(tmp_path / "a.h5")
    _refused(path, "holds schema detect, not index", schema=INDEX)
    _refused(path, "but ffffffffffff was expected", fingerprint="f" * 64)
    with h5py.File(path, "r+") as file:
        file.attrs["schema_version"] = 99
    _refused(path, "schema detect has version 99, this release reads 1")


@pytest.mark.fault("F12")
@pytest.mark.parametrize("kept", [0.05, 0.5, 0.97])
def test_truncated_files_are_refused(tmp_path: Path, kept: float) -> None:
    path = write_sample(tmp_path / "a.h5")
    data = path.read_bytes()
    path.write_bytes(data[: int(kept * len(data))])
    with pytest.raises(StageError), open_artifact(path) as artifact:
        artifact.verify()


@pytest.mark.fault("F12")
def test_no_flipped_byte_goes_unnoticed_or_crashes(tmp_path: Path) -> None:
    """Every 41st byte of the file is flipped: either an error of the user's kind, or nothing that is read has changed."""
    path = write_sample(tmp_path / "a.h5")
    data = path.read_bytes()
    damaged = tmp_path / "b.h5"
    unnoticed = 0
    for place in range(0, len(data), 41):
        damaged.write_bytes(data[:place] + bytes([data[place] ^ 0x10]) + data[place + 1 :])
        try:
            with open_artifact(damaged, DETECT) as artifact:
                artifact.verify()
                assert np.array_equal(Boxes.read(artifact).boxes, BOXES.boxes)
                unnoticed += 1
        except StageError:
            continue
    assert unnoticed > 0, "the test must also have met bytes that mean nothing"


def test_changed_values_and_changed_origin_are_found(tmp_path: Path) -> None:
    path = write_sample(tmp_path / "a.h5")
    with h5py.File(path, "r+") as file:
        file["scores"][0] = 0.123
    with open_artifact(path) as artifact, pytest.raises(StageError, match="scores differs"):
        artifact.verify()
    path = write_sample(tmp_path / "b.h5")
    with h5py.File(path, "r+") as file:
        file.attrs["config"] = "{}"
    with open_artifact(path) as artifact, pytest.raises(StageError, match="were changed after writing"):
        artifact.verify()


@pytest.mark.fault("F12", "S")
def test_links_and_foreign_storage_are_refused(tmp_path: Path) -> None:
    secret = tmp_path / "secret.bin"
    secret.write_bytes(b"\0" * 64)
    for number, plant in enumerate(
        (
            lambda file: file.__setitem__("soft", h5py.SoftLink("/scores")),
            lambda file: file.__setitem__("outside", h5py.ExternalLink("other.h5", "/x")),
            lambda file: file.create_dataset("stolen", (8,), "f4", external=[(str(secret), 0, 32)]),
            lambda file: file.create_dataset("bomb", (1 << 40,), "f4", chunks=(1 << 12,)),
            lambda file: file.create_virtual_dataset("virtual", _layout(secret)),
        )
    ):
        path = write_sample(tmp_path / f"{number}.h5")
        with h5py.File(path, "r+") as file:
            plant(file)
        _refused(path, "is a link|takes its data from elsewhere|declares")


def _layout(path: Path) -> h5py.VirtualLayout:
    layout = h5py.VirtualLayout((4,), "f4")
    layout[:] = h5py.VirtualSource(str(path), "x", (4,))
    return layout


@pytest.mark.fault("F12")
def test_datasets_of_another_type_or_name_are_refused(tmp_path: Path) -> None:
    path = write_sample(tmp_path / "a.h5")
    with h5py.File(path, "r+") as file:
        del file["scores"]
        file["scores"] = np.zeros(3, np.float64)
    _refused(path, "dataset scores is float64")
    path = write_sample(tmp_path / "b.h5")
    with h5py.File(path, "r+") as file:
        file["guest"] = np.zeros(3)
    _refused(path, "guest is not part of schema")


@pytest.mark.fault("F12")
def test_a_missing_dataset_names_the_file(tmp_path: Path) -> None:
    path = write_sample(tmp_path / "a.h5")
    with h5py.File(path, "r+") as file:
        del file["scores"]
    with (
        open_artifact(path) as artifact,
        pytest.raises(StageError, match=r"a\.h5: dataset scores is missing"),
    ):
        Boxes.read(artifact)


def test_no_clock_path_or_host_is_stored(tmp_path: Path) -> None:
    text = write_sample(tmp_path / "a.h5").read_bytes()
    assert str(tmp_path).encode() not in text

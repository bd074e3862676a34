"""Map caches, frame caches, and files that are whole or absent."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

import numpy as np
import pytest

from stages.lib.artifacts.frames import FrameReader
from stages.lib.artifacts.maps import MapReader, MapWriter
from stages.lib.artifacts.provenance import Provenance
from stages.lib.artifacts.reader import open_artifact
from stages.lib.artifacts.schemas import DECODE, EXTRACT
from stages.lib.artifacts.tables import Keyframes, splits_of
from stages.lib.artifacts.writer import write_artifact
from stages.lib.errors import StageError
from stages.lib.files import atomic_path, file_sha, write_json, write_text

KEYFRAMES = Keyframes(("v",), np.zeros(4, np.int32), np.arange(4, dtype=np.int64))


def write_maps(path: Path, maps: list[np.ndarray | None]) -> Path:
    with write_artifact(path, EXTRACT, Provenance("extract", 1, "{}")) as writer:
        KEYFRAMES.write(writer)
        stored = MapWriter(writer, "views/s128/")
        for item in maps:
            stored.append(item)
        stored.finish()
    return path


def map_of(reader: MapReader, owner: int) -> np.ndarray:
    out = np.empty((1, reader.channels or 0, *reader.grid[owner]), np.float16)
    reader.fill(np.array([owner]), out)
    return out[0]


def test_maps_of_several_grids_come_back_in_order(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    maps = [rng.normal(size=shape) for shape in ((3, 2, 4), (3, 5, 1), (3, 2, 4))]
    with open_artifact(write_maps(tmp_path / "a.h5", [maps[0], None, maps[1], maps[2]]), EXTRACT) as artifact:
        artifact.verify()
        reader = MapReader(artifact, "views/s128/")
        assert len(reader) == 4
        assert [reader.has(k) for k in range(4)] == [True, False, True, True]
        for owner, expected in ((0, maps[0]), (2, maps[1]), (3, maps[2])):
            assert np.array_equal(map_of(reader, owner), expected.astype(np.float16))
        pair = np.empty((3, 3, 2, 4), np.float16)
        reader.fill(np.array([3, 0, 3]), pair)
        assert np.array_equal(pair, np.stack([maps[2], maps[0], maps[2]]).astype(np.float16))
        assert reader.channels == 3
        assert reader.grid.tolist() == [[2, 4], [0, 0], [5, 1], [2, 4]]


def test_no_map_at_all_is_a_normal_case(tmp_path: Path) -> None:
    with open_artifact(write_maps(tmp_path / "a.h5", [None] * 4), EXTRACT) as artifact:
        assert not any(MapReader(artifact, "views/s128/").has(k) for k in range(4))


@pytest.mark.parametrize("value", [np.nan, np.inf, 70_000.0])
def test_values_that_float16_cannot_hold_are_refused(tmp_path: Path, value: float) -> None:
    with pytest.raises(StageError, match="float16"):
        write_maps(tmp_path / "a.h5", [np.full((1, 1, 1), value)])
    assert not list(tmp_path.iterdir())


def test_a_damaged_map_is_found_when_it_is_read(tmp_path: Path) -> None:
    maps = [np.full((64, 16, 16), k, np.float32) for k in range(4)]
    path = write_maps(tmp_path / "a.h5", maps)
    data = bytearray(path.read_bytes())
    place = data.find(np.full(64, 2, np.float16).tobytes()) + 1000
    data[place] ^= 0xFF
    path.write_bytes(bytes(data))
    with open_artifact(path) as artifact:
        reader = MapReader(artifact, "views/s128/")
        assert float(map_of(reader, 1).max()) == 1
        with pytest.raises(StageError, match="damaged"):
            map_of(reader, 2)


def write_frames(path: Path) -> Path:
    """Two videos: the first with frames 10, 12, 14 in the cache, the second with none."""
    frames = [b"ten", b"twelve!", b"14"]
    keys = [b"k0", b"", b"key2"]
    with write_artifact(path, DECODE, Provenance("decode", 1, "{}")) as writer:
        Keyframes(("a", "b"), np.array([0, 0, 1], np.int32), np.array([0, 1000, 0])).write(writer)
        writer.put("videos/status", np.array(["ok", "broken"], object))
        writer.put("videos/reason", np.array(["", "no moov"], object))
        writer.put("clip/row_splits", np.array([0, 3, 3]))
        writer.put("clip/frame", np.array([10, 12, 14]))
        writer.put("clip/offsets", splits_of(np.array([len(f) for f in frames])))
        writer.put("clip/data", np.frombuffer(b"".join(frames), np.uint8))
        writer.put("clip/size", np.array([[8, 6], [0, 0]]))
        writer.put("key/offsets", splits_of(np.array([len(f) for f in keys])))
        writer.put("key/data", np.frombuffer(b"".join(keys), np.uint8))
        writer.put("key/size", np.array([[8, 6], [0, 0]]))
    return path


def test_frames_are_found_by_number_and_clamped(tmp_path: Path) -> None:
    with open_artifact(write_frames(tmp_path / "a.h5"), DECODE) as artifact:
        reader = FrameReader(artifact)
        assert reader.has_clip(0)
        assert not reader.has_clip(1)
        assert reader.clip(0, np.array([12, 10, 12])) == [b"twelve!", b"ten", b"twelve!"]
        assert reader.clip(0, np.array([-5, 99])) == [b"ten", b"14"]
        with pytest.raises(AssertionError, match="11"):
            reader.clip(0, np.array([11]))
        assert [reader.key(k) for k in range(3)] == [b"k0", b"", b"key2"]
        assert [reader.has_key(k) for k in range(3)] == [True, False, True]
        assert reader.status == ("ok", "broken")
        assert reader.reason == ("", "no moov")


def test_files_are_replaced_in_one_step(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "a.txt"
    write_text(target, "one")

    def write_half() -> None:
        with atomic_path(target) as temporary:
            temporary.write_text("half")
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        write_half()
    assert target.read_text() == "one"
    assert [path.name for path in target.parent.iterdir()] == ["a.txt"]
    assert file_sha(target) == hashlib.sha256(b"one").hexdigest()


def test_json_is_sorted_and_refuses_nan(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"b": 1, "a": [1.5, None]})
    assert (tmp_path / "a.json").read_text().index('"a"') < (tmp_path / "a.json").read_text().index('"b"')
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", {"x": float("nan")})


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_is_the_users_fault(tmp_path: Path) -> None:
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        with pytest.raises(StageError, match="cannot write"):
            write_text(tmp_path / "a.txt", "x")
    finally:
        tmp_path.chmod(stat.S_IRWXU)

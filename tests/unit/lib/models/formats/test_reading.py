"""Reading checkpoints: every container upstream writes; nothing in a file is run; damage is told."""

from __future__ import annotations

import io
import pickle
import struct
from collections import OrderedDict
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import save_file

from stages.lib.errors import StageError
from stages.lib.models.formats.pickles import load_numbers
from stages.lib.models.formats.reading import read_source, unwrap
from stages.lib.models.formats.settings import Settings, read_settings

TENSORS = {"a.weight": torch.arange(6.0).reshape(2, 3), "b": torch.ones(2)}
OPTIMIZER = {
    "state": {0: {"momentum_buffer": torch.ones(3), "step": torch.tensor(2.0)}},
    "param_groups": [{"lr": 0.1}],
}


class Python2Pickler(pickle._Pickler):
    """Writes texts and bytes as Python 2 wrote its strings."""

    dispatch: ClassVar = dict(pickle._Pickler.dispatch)

    def save_string(self, value: str | bytes) -> None:
        raw = value.encode("latin-1") if isinstance(value, str) else value
        self.write(pickle.BINSTRING + struct.pack("<i", len(raw)) + raw)
        self.memoize(value)

    dispatch[str] = dispatch[bytes] = save_string


def python2_pickle(value: object) -> bytes:
    stream = io.BytesIO()
    Python2Pickler(stream, protocol=2).dump(value)
    return stream.getvalue()


class Wicked:
    """Asks its reader to make a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.mkdir, (self.folder,)


def system_pickle(folder: Path) -> bytes:
    """The oldest form: protocol 0, a shell command."""
    return f"cos\nsystem\n(S'mkdir {folder}'\ntR.".encode()


def blobs() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    return {
        "conv1_w": rng.normal(size=(2, 3, 1, 7, 7)).astype(np.float32),
        "big": rng.normal(size=(3, 4)).astype(">f4"),
        "columns": np.asfortranarray(rng.normal(size=(3, 4)).astype(np.float32)),
        "conv1_w_momentum": np.zeros(3, np.float32),
        "model_iter": np.int64(7),
        "lr": np.float32(0.1),
        "flags": np.array([True, False]),
    }


@pytest.mark.fault("F18")
@pytest.mark.parametrize("legacy", [False, True])
def test_torch_files_of_both_kinds(tmp_path: Path, legacy: bool) -> None:
    path = tmp_path / "x.pth"
    content = {
        "epoch": 5,
        "state_dict": OrderedDict(TENSORS),
        "optimizer": OPTIMIZER,
        "scheduler": {"best": np.float64(2)},
    }
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    source = read_source(path)
    assert source.epoch == 5
    assert source.aside == {"epoch": 0, "optimizer": 2, "scheduler": 0}
    assert all(torch.equal(source.tensors[name], tensor) for name, tensor in TENSORS.items())


def test_pyslowfast_form_and_bare_dictionaries(tmp_path: Path) -> None:
    content = {
        "epoch": 9,
        "model_state": TENSORS,
        "optimizer_state": OPTIMIZER,
        "cfg": "DATA:\n  NUM_FRAMES: 64\n",
    }
    torch.save(content | {"scaler_state": {"scale": torch.tensor(2.0)}}, tmp_path / "x.pyth")
    source = read_source(tmp_path / "x.pyth")
    assert source.settings.startswith("DATA:")
    assert source.aside == {"epoch": 0, "optimizer_state": 2, "cfg": 0, "scaler_state": 1}
    torch.save(TENSORS, tmp_path / "bare.pth")
    assert read_source(tmp_path / "bare.pth").tensors.keys() == TENSORS.keys()
    save_file(TENSORS, tmp_path / "bare.safetensors")
    assert read_source(tmp_path / "bare.safetensors").tensors.keys() == TENSORS.keys()


@pytest.mark.parametrize("form", ["python 2", "protocol 2", "protocol 4"])
def test_caffe2_pickles(tmp_path: Path, form: str) -> None:
    content = {"blobs": blobs(), "cfg": "text"}
    raw = python2_pickle(content) if form == "python 2" else pickle.dumps(content, protocol=int(form[-1]))
    (tmp_path / "x.pkl").write_bytes(raw)
    source = read_source(tmp_path / "x.pkl")
    assert source.aside == {"cfg": 0, "momentum and learning-rate blobs": 3}
    assert set(source.tensors) == {"conv1_w", "big", "columns", "flags"}
    for name in source.tensors:
        wanted = np.ascontiguousarray(blobs()[name]).astype(blobs()[name].dtype.newbyteorder("="))
        assert torch.equal(source.tensors[name], torch.from_numpy(wanted)), name


def test_tensors_in_unknown_places_are_left_over() -> None:
    with pytest.raises(StageError, match=r"belong to no known part.*ema \(2 tensors\)"):
        unwrap({"state_dict": TENSORS, "ema": [TENSORS]}, "x")
    with pytest.raises(StageError, match=r"belong to no known part.*teacher \(2 tensors\)"):
        unwrap({**TENSORS, "teacher": TENSORS}, "x")
    source = unwrap({"state_dict": TENSORS, "note": "kept", "best": 3}, "x")
    assert source.aside == {"note": 0, "best": 0}


def test_counting_tensors_survives_containers_that_hold_themselves() -> None:
    loop: list[Any] = [torch.ones(1)]
    loop.append(loop)
    for _ in range(60):
        loop = [loop, loop]
    assert unwrap({"state_dict": TENSORS, "optimizer": loop}, "x").aside == {"optimizer": 1}


@pytest.mark.parametrize("content", [[1, 2], torch.ones(2), "text"])
def test_something_else_than_a_dictionary(content: object) -> None:
    with pytest.raises(StageError, match="instead of a dictionary of tensors"):
        unwrap(content, "x")


@pytest.mark.fault("F18", "S")
@pytest.mark.parametrize(
    "kind", ["torch", "legacy", "protocol 2", "protocol 4", "protocol 0", "inside blobs"]
)
def test_code_in_a_file_does_not_run(tmp_path: Path, kind: str) -> None:
    path, target = tmp_path / "wicked", tmp_path / "made"
    if kind in ("torch", "legacy"):
        content = {"state_dict": TENSORS, "optimizer": Wicked(target)}
        torch.save(content, path, _use_new_zipfile_serialization=kind == "torch")
    elif kind == "protocol 0":
        path.write_bytes(system_pickle(target))
    else:
        content = {"blobs": blobs() | {"x": Wicked(target)}} if kind == "inside blobs" else Wicked(target)
        path.write_bytes(pickle.dumps(content, protocol=4 if kind == "protocol 4" else 2))
    with pytest.raises(StageError, match=r"wicked: refused: .*it asks for [\w.]+; nothing was run") as caught:
        read_source(path)
    asked = str(caught.value)
    assert "os.system" in asked or "mkdir" in asked or "getattr" in asked or "pathlib" in asked
    assert not target.exists()
    if kind not in ("torch", "legacy"):
        pickle.loads(path.read_bytes())
        assert target.exists(), "read carelessly, it runs"


@pytest.mark.fault("F18", "S")
@pytest.mark.parametrize(
    "opcodes",
    [
        b"\x80\x02cbuiltins\neval\n.",
        b"\x80\x02cnumpy\nload\n.",
        b"\x80\x02cnumpy.core.multiarray\narange\n.",
        b"\x80\x02c__builtin__\ngetattr\n.",
        b"\x80\x02ccollections\ndefaultdict\n.",
        b"\x80\x04\x8c\x0aposix\x8c\x06system\x93.",
        b"\x80\x02U\x011Q.",  # a persistent id
        b"\x80\x02\x82\x01.",  # an extension code
    ],
)
def test_only_the_names_of_arrays_are_looked_up(opcodes: bytes) -> None:
    with pytest.raises(StageError, match=r"refused|damaged"):
        load_numbers(opcodes, "x")


def test_stand_ins_cannot_be_changed() -> None:
    """A state for a class or for what it made: refused, whatever the state is."""
    for name in (b"collections\nOrderedDict", b"_codecs\nencode", b"numpy\ndtype", b"numpy\nndarray"):
        with pytest.raises(StageError, match="damaged"):
            load_numbers(b"\x80\x02c" + name + b"\n}U\x01aK\x01sb.", "x")
    with pytest.raises(StageError, match="damaged"):
        load_numbers(b"\x80\x02ccollections\nOrderedDict\n)R}U\x01aK\x01sb.", "x")


class _Claim:
    """An array that claims another size, or another kind of content, than it has."""

    def __init__(self, shape: tuple[int, ...], code: str, raw: bytes) -> None:
        self.state = (1, shape, np.dtype(code), False, raw)

    def __reduce__(self) -> tuple[object, ...]:
        return np._core.multiarray._reconstruct, (np.ndarray, (0,), b"b"), self.state


@pytest.mark.fault("F18")
@pytest.mark.parametrize(
    ("claim", "message"),
    [
        (_Claim((1 << 40,), "f4", b"\0" * 8), "8 bytes for an array of shape"),
        (_Claim((-1, -2), "f4", b"\0" * 8), "bytes for an array of shape"),
        (_Claim((3,), "f4", b"\0" * 8), "8 bytes for an array of shape"),
        (_Claim((1,), "O", b"\0" * 8), "refused: .* an array of object"),
        (_Claim((1,), "M8[s]", b"\0" * 8), "refused: .* an array of"),
    ],
)
def test_arrays_are_believed_only_as_far_as_their_bytes(claim: _Claim, message: str) -> None:
    with pytest.raises(StageError, match=message):
        load_numbers(pickle.dumps(claim, protocol=2), "x")


def test_an_array_without_content_and_a_sparse_memo() -> None:
    with pytest.raises(StageError, match="an array without values"):
        load_numbers(b"\x80\x02cnumpy\nndarray\n)R.", "x")
    assert load_numbers(b"\x80\x02]r\xff\xff\xff\x7f.", "x") == []


@pytest.mark.fault("F18")
def test_truncated_files(tmp_path: Path) -> None:
    torch.save({"state_dict": TENSORS}, tmp_path / "zip")
    torch.save({"state_dict": TENSORS}, tmp_path / "legacy", _use_new_zipfile_serialization=False)
    (tmp_path / "pickle").write_bytes(python2_pickle({"blobs": blobs()}))
    save_file(TENSORS, tmp_path / "safetensors")
    for name in ("zip", "legacy", "pickle", "safetensors"):
        whole = (tmp_path / name).read_bytes()
        for share in (0.1, 0.5, 0.9, 0.99):
            (tmp_path / "cut").write_bytes(whole[: int(len(whole) * share)])
            with pytest.raises(
                StageError, match=r"cut: .*(damaged|breaks off|readable).* Mend it: copy or download"
            ):
                read_source(tmp_path / "cut")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"hello world, no weights", "neither a torch file"),
        (b"\x89HDF\r\n", "neither"),
    ],
)
def test_files_of_other_kinds(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(StageError, match=message):
        read_source(tmp_path / "x")
    with pytest.raises(StageError, match="cannot be read"):
        read_source(tmp_path / "absent")
    with pytest.raises(StageError, match="cannot be read"):
        read_source(tmp_path)


def test_settings_of_a_configuration() -> None:
    text = "AUG:\n  ALPHA: 0.8\nDATA:\n  NUM_FRAMES: 64\n  SAMPLING_RATE: 2\n"
    text += "DETECTION:\n  ALIGNED: false\nSLOWFAST:\n  ALPHA: 8\n"
    assert read_settings(text) == Settings(aligned=False, fast_frames=64, stride=2, alpha=8)
    assert read_settings("") == read_settings("DATA:\n  OTHER: 1\nALIGNED: true\n") == Settings()


POOLS = [[[1, 1, 1], [1, 1, 2]], [[1, 2, 1], [1, 3, 1]], [[1, 2, 2], [2, 2, 2]], [[3, 3, 3], [4, 4, 4]]]


@pytest.mark.parametrize("flow", [True, False])
def test_settings_of_non_local_blocks(flow: bool) -> None:
    """The slow pathway's pool of res4, in both forms in which YAML writes lists."""
    content = {
        "NONLOCAL": {"GROUP": [[1, 1]], "INSTANTIATION": "softmax", "LOCATION": [[[], []]], "POOL": POOLS},
        "NUM_GPUS": 8,
    }
    text = yaml.safe_dump(content, default_flow_style=None if flow else False)
    assert read_settings(text) == Settings(non_local_pool=(1, 2, 2), non_local="softmax")
    del content["NONLOCAL"]["POOL"]  # type: ignore[attr-defined]
    assert read_settings(yaml.safe_dump(content)).non_local_pool is None

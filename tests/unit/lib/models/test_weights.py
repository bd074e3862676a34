"""Weight files: round trip, equal bytes, and every kind of bad file."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from stages.lib.config.load import canonical_json
from stages.lib.errors import StageError
from stages.lib.files import file_sha
from stages.lib.models.weights import is_own, load_into, load_weights, save_weights

META = {"family": "slowfast", "classes": [1, 3, 80], "mean": [0.45, 0.45, 0.45]}


def tensors() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return {
        "conv.weight": torch.randn(4, 3, 2, 3, 3).to(memory_format=torch.channels_last_3d),
        "bn.num_batches_tracked": torch.tensor(7),
        "half": torch.randn(5).half(),
        "scale": torch.tensor(1.5),
    }


def test_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "new" / "weights.safetensors"
    fingerprint = save_weights(path, tensors(), META)
    loaded = load_weights(path)
    assert loaded.metadata == META
    assert loaded.tensors.keys() == tensors().keys()
    for name, tensor in tensors().items():
        assert loaded.tensors[name].dtype == tensor.dtype
        assert torch.equal(loaded.tensors[name], tensor)
    assert (
        fingerprint == loaded.fingerprint == file_sha(path) == hashlib.sha256(path.read_bytes()).hexdigest()
    )


def test_equal_tensors_give_equal_bytes(tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    save_weights(first, tensors(), META)
    turned = {name: tensor.contiguous() for name, tensor in reversed(tensors().items())}
    save_weights(second, turned, dict(reversed(META.items())))
    assert first.read_bytes() == second.read_bytes()
    save_weights(second, turned | {"scale": torch.tensor(1.25)}, META)
    assert first.read_bytes() != second.read_bytes()


def test_shared_memory_is_no_obstacle(tmp_path: Path) -> None:
    shared = torch.randn(4)
    save_weights(tmp_path / "w", {"a": shared, "b": shared, "c": shared[1:3]}, {})
    assert torch.equal(load_weights(tmp_path / "w").tensors["c"], shared[1:3])


def test_a_failed_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "w"
    save_weights(path, tensors(), META)
    before = path.read_bytes()

    def fail(_: int) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(StageError, match=r"w: cannot write \(disk full\)"):
        save_weights(path, {"other": torch.zeros(3)}, META)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["w"]


@pytest.mark.fault("F18")
def test_missing_damaged_and_foreign_files(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    with pytest.raises(StageError, match="cannot read the weights"):
        load_weights(path)
    save_weights(path, tensors(), META)
    whole = path.read_bytes()
    for content in (whole[:-10], whole[: len(whole) // 4], b"", b"PK\x03\x04 not this"):
        path.write_bytes(content)
        with pytest.raises(StageError, match="not a readable safetensors file"):
            load_weights(path)
    save_file({"a": torch.zeros(2)}, path)
    with pytest.raises(StageError, match="without this project's metadata"):
        load_weights(path)
    assert not is_own(path) and not is_own(tmp_path)
    save_file({"a": torch.zeros(2)}, path, metadata={"acarflow": '{"family":'})
    assert is_own(path)
    with pytest.raises(StageError, match="its metadata is damaged"):
        load_weights(path)


@pytest.mark.fault("F19")
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_values_that_are_not_finite_are_refused(tmp_path: Path, value: float) -> None:
    path = tmp_path / "w"
    bad = {"good": torch.zeros(2), "bad.weight": torch.tensor([0.0, value])}
    with pytest.raises(StageError, match=r"the first is bad\.weight"):
        save_weights(path, bad, META)
    assert not path.exists()
    save_file(bad, path, metadata={"acarflow": canonical_json(META)})
    with pytest.raises(StageError, match=r"the first is bad\.weight"):
        load_weights(path)


def test_strict_loading() -> None:
    layer = nn.Linear(3, 2)
    load_into(layer, {"weight": torch.ones(2, 3), "bias": torch.zeros(2)}, "w")
    assert float(layer.weight.sum()) == 6.0
    with pytest.raises(StageError, match=r"weight has shape \[2, 4\] instead of \[2, 3\]"):
        load_into(layer, {"weight": torch.ones(2, 4), "bias": torch.zeros(2)}, "w")
    with pytest.raises(StageError, match="bias is missing"):
        load_into(layer, {"weight": torch.ones(2, 3)}, "w")
    extra = {f"x{n}": torch.ones(1) for n in range(5)}
    with pytest.raises(StageError, match=r"x0 belongs to no layer.*and 2 more"):
        load_into(layer, {"weight": torch.ones(2, 3), "bias": torch.zeros(2)} | extra, "w")
    assert float(layer.weight.sum()) == 6.0


def test_canonical_json_is_one_text_per_value() -> None:
    assert canonical_json({"b": [1, 2.5], "a": "ü"}) == '{"a":"\\u00fc","b":[1,2.5]}'

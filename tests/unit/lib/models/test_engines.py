"""Every faster way to run the backbone against plain fp32, each with its tolerance; what is refused, and why.

The tolerances are the largest difference of a context map, relative to its largest value.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import sys
from typing import Any

import pytest
import torch
from torch import nn

from stages.lib.config.backbones import Precision
from stages.lib.errors import StageError
from stages.lib.models.builders import backbone_of, build_backbone
from stages.lib.models.engines import Engine, OpenVinoEngine, TorchEngine, build_engine
from stages.lib.models.precision import check_cpu, check_cuda, require_precision
from stages.lib.models.slowfast import SlowFast, context_maps, find_arch, for_inference

CPU = torch.device("cpu")
FP32_TOLERANCE = 1e-5
# bf16 has 8 bits of mantissa, fp16 has 11; the error grows over the 16 convolutions of the small network's longest path
BF16_TOLERANCE = 3e-2
FP16_TOLERANCE = 5e-3
SOUND: dict[str, Any] = {"torch_version": "2.14.1+cu130", "cudnn": 92400, "capability": (9, 0)}

needs_openvino = pytest.mark.skipif(
    importlib.util.find_spec("openvino") is None,
    reason="OpenVINO is an optional extra and not installed (pip install openvino)",
)
needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")


def drawn(name: str) -> SlowFast:
    """A network whose batch norms do something; "non-local" is the small one with a non-local block."""
    torch.manual_seed(3)
    small = dataclasses.replace(find_arch("playground"), non_local=(0,))
    network = backbone_of(small) if name == "non-local" else build_backbone(name)
    for norm in network.modules():
        if isinstance(norm, nn.BatchNorm3d):
            nn.init.uniform_(norm.weight, 0.5, 1.5)
            nn.init.normal_(norm.bias, std=0.3)
            nn.init.normal_(norm.running_mean, std=0.3)
            nn.init.uniform_(norm.running_var, 0.5, 2.0)
    return network.eval()


def deviation(
    network: SlowFast, engine: Engine, clips: int = 2, width: int = 48, device: torch.device = CPU
) -> float:
    """Of the engine from the plain network in fp32 on the CPU, on clips of 8 frames."""
    torch.manual_seed(0)
    fast = torch.randn(clips, 3, 8, 33, width).contiguous(memory_format=torch.channels_last_3d)
    slow = fast[:, :, ::4]
    with torch.no_grad():
        plain = context_maps(*network(slow, fast))
    found = engine(slow.to(device), fast.to(device)).cpu()
    assert found.dtype == torch.float32
    assert found.shape == plain.shape
    return float((found - plain).abs().max() / plain.abs().max())


@pytest.mark.parametrize("name", ["playground", "non-local", "r50"])
def test_folded_and_channels_last_equals_plain(name: str) -> None:
    network = drawn(name)
    assert deviation(network, TorchEngine(network, CPU)) < FP32_TOLERANCE


@pytest.mark.parametrize("name", ["playground", "non-local"])
def test_bf16_is_near_plain(name: str) -> None:
    network = drawn(name)
    found = deviation(network, TorchEngine(network, CPU, torch.bfloat16))
    assert FP32_TOLERANCE < found < BF16_TOLERANCE


@needs_cuda
@pytest.mark.parametrize(("precision", "tolerance"), [("bf16", BF16_TOLERANCE), ("fp16", FP16_TOLERANCE)])
def test_half_precision_on_cuda_is_near_plain(precision: Precision, tolerance: float) -> None:
    network, device = drawn("playground"), torch.device("cuda")
    engine = build_engine(network, "torch", precision, device, 1)
    assert deviation(network, engine, device=device) < tolerance


def test_half_weights_compute_what_autocast_does() -> None:
    network, fast = drawn("playground"), torch.randn(1, 3, 8, 33, 48)
    with torch.autocast("cpu", dtype=torch.bfloat16), torch.inference_mode():
        slow_map, fast_map = for_inference(network)(fast[:, :, ::4], fast)
    wanted = context_maps(slow_map.float(), fast_map.float())
    assert torch.equal(TorchEngine(network, CPU, torch.bfloat16)(fast[:, :, ::4], fast), wanted)


@needs_openvino
@pytest.mark.parametrize("name", ["playground", "non-local"])
def test_openvino_equals_plain_for_each_size_and_batch(name: str) -> None:
    network = drawn(name)
    engine = OpenVinoEngine(network, 1)
    for clips, width in ((2, 48), (1, 70), (3, 48)):
        assert deviation(network, engine, clips, width) < FP32_TOLERANCE


@needs_openvino
def test_openvino_gives_the_same_bytes_again() -> None:
    network, fast = drawn("playground"), torch.randn(1, 3, 8, 33, 48)
    first, second = (OpenVinoEngine(network, 1)(fast[:, :, ::4], fast) for _ in range(2))
    assert torch.equal(first, second)


@needs_openvino
def test_openvino_does_not_report_its_use() -> None:
    OpenVinoEngine(drawn("playground"), 1)
    assert sys.modules["openvino_telemetry"] is None


def test_missing_openvino_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(StageError, match="pip install openvino"):
        build_engine(drawn("playground"), "openvino", "fp32", CPU, 1)


def test_openvino_is_for_the_cpu() -> None:
    with pytest.raises(StageError, match="not on cuda"):
        build_engine(drawn("playground"), "openvino", "fp32", torch.device("cuda"), 1)


def test_the_log_names_engine_and_precision(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    build_engine(drawn("playground"), "torch", "fp32", CPU, 1)
    assert [record.getMessage() for record in caplog.records] == ["engine torch in fp32"]


@pytest.mark.parametrize(
    ("precision", "machine"),
    [
        ("bf16", SOUND),
        ("fp16", SOUND),
        ("fp16", SOUND | {"capability": (7, 0)}),
        ("bf16", SOUND | {"capability": (8, 0), "cudnn": 91500, "torch_version": "2.10.0"}),
    ],
)
def test_half_precision_is_accepted_on_sound_gpus(precision: Precision, machine: dict[str, Any]) -> None:
    check_cuda(precision, **machine)


@pytest.mark.parametrize(
    ("precision", "change", "named"),
    [
        ("bf16", {"capability": (7, 5)}, "capability is 7.5, not 8.0"),
        ("fp16", {"capability": (6, 1)}, "capability is 6.1, not 7.0"),
        ("bf16", {"torch_version": "2.9.1+cu128"}, "torch 2.9.1"),
        ("fp16", {"torch_version": "2.9.0"}, "without cuDNN"),
        ("bf16", {"cudnn": 91002}, "cuDNN 91002"),
        ("bf16", {"cudnn": None}, "no cuDNN"),
    ],
)
def test_half_precision_is_refused_where_it_is_slow_or_wrong(
    precision: Precision, change: dict[str, Any], named: str
) -> None:
    with pytest.raises(StageError, match=named) as caught:
        check_cuda(precision, **(SOUND | change))
    assert caught.value.where == "extract.precision"
    assert "fp32" in caught.value.fix


def test_the_guards_see_the_real_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "__version__", "2.14.1")
    monkeypatch.setattr(torch.backends.cudnn, "version", lambda: 92400)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (7, 5))
    require_precision("fp16", torch.device("cuda"))
    require_precision("fp32", torch.device("cuda"))
    with pytest.raises(StageError, match="slow on this GPU"):
        require_precision("bf16", torch.device("cuda"))


def test_half_precision_on_a_cpu_is_bf16_with_amx(monkeypatch: pytest.MonkeyPatch) -> None:
    check_cpu("bf16", amx=True)
    with pytest.raises(StageError, match="no AMX"):
        check_cpu("bf16", amx=False)
    with pytest.raises(StageError, match="fp16 is for CUDA"):
        check_cpu("fp16", amx=True)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": True})
    require_precision("bf16", CPU)

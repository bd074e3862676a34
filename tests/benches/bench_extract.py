"""How fast does each way of running a SlowFast network go, against plain eager fp32, and what could the machine do at best?

All ways take turns in one run, on normalised clips with random weights: the network and the time mean, without reading and
resizing frames. The best the machine could do is the rate of a large matrix product of torch, measured between them.
Command: python -m tests.benches.bench_extract [--architecture r50] [--size 256 320] [--rounds 3] [--out FILE]
"""

from __future__ import annotations

import argparse
import functools
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import get_args

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from stages.lib.config.backbones import Architecture, Precision
from stages.lib.errors import StageError
from stages.lib.models.builders import build_backbone
from stages.lib.models.engines import Engine, OpenVinoEngine, TorchEngine
from stages.lib.models.precision import DTYPES, require_precision
from stages.lib.models.runtime import prepare
from stages.lib.models.slowfast import SlowFast, context_maps, fold_conv_bn, initialise_backbone

# B clips, F fast frames, H W pixels
COMMAND = "python -m tests.benches.bench_extract"
SIDE = 3072
LEAST_SECONDS = 1.0
HOPELESS = 0.25
EAGER = "plain eager fp32"


@dataclass(frozen=True)
class Case:
    """A network, the threads it gets, and its input: clips of `frames` frames of `height` x `width` pixels."""

    architecture: Architecture
    frames: int
    height: int
    width: int
    batch: int
    threads: int

    @property
    def title(self) -> str:
        size = f"{self.frames} frames of {self.height}x{self.width}"
        return f"{self.architecture}, {size}, batch {self.batch}, threads {self.threads}"


@dataclass
class Way:
    """A way to run a network: what makes its engine, whether its input is in channels-last memory, and what was measured."""

    name: str
    make: Callable[[SlowFast], Engine]
    channels_last: bool = True
    remark: str = ""
    unmeasured: str = ""
    seconds: list[float] = field(default_factory=list)
    deviation: float = 0.0


def plain(network: nn.Module) -> Engine:
    """The network as it stands."""
    return torch.inference_mode()(lambda slow, fast: context_maps(*network(slow, fast)))


def ways(device: torch.device, threads: int) -> list[Way]:
    """Every way on `device`, the plain one first; a half precision that the stage refuses here says so."""
    found = [
        Way(EAGER, lambda network: plain(network.to(device)), channels_last=False),
        Way("folded", lambda network: plain(fold_conv_bn(network).to(device)), channels_last=False),
        Way("folded, channels-last-3d (default)", lambda network: TorchEngine(network, device)),
        _half("bf16", device),
    ]
    if device.type == "cuda":
        return [*found, _half("fp16", device)]
    return [*found, Way("OpenVINO fp32", lambda network: OpenVinoEngine(network, threads))]


def _half(precision: Precision, device: torch.device) -> Way:
    way = Way(f"the same in {precision}", lambda network: TorchEngine(network, device, DTYPES[precision]))
    try:
        require_precision(precision, device)
    except StageError as error:
        way.remark = f"refused by the stage: {error.what}"
    return way


def flops(case: Case) -> float:
    """Floating-point operations for one clip, two for a multiply-add."""
    with torch.device("meta"), FlopCounterMode(display=False) as counter, torch.no_grad():
        fast = torch.empty(1, 3, case.frames, case.height, case.width)
        network = build_backbone(case.architecture)
        network(fast[:, :, :: network.alpha], fast)
    return float(counter.get_total_flops())


def seconds_of(work: Callable[[], Tensor]) -> float:
    """Seconds until the result is in the CPU's memory: the mean of as many runs as take a second, at least one."""
    start, runs = time.perf_counter(), 0
    while runs == 0 or time.perf_counter() - start < LEAST_SECONDS:
        work().cpu()
        runs += 1
    return (time.perf_counter() - start) / runs


def measure(case: Case, candidates: Sequence[Way], rounds: int, device: torch.device) -> float:
    """Fill in what is measured of each way; returns the best rate of a matrix product in operations per second."""
    torch.manual_seed(0)
    torch.set_num_threads(case.threads)
    network = build_backbone(case.architecture)
    initialise_backbone(network)
    network.eval()
    fast = torch.randn(case.batch, 3, case.frames, case.height, case.width, device=device)
    square = torch.randn(SIDE, SIDE, device=device)
    work = _prepared(network, fast, candidates)
    rates = []
    for _ in range(rounds):
        for way, run in work:
            way.seconds.append(seconds_of(run))
        rates.append(2 * SIDE**3 / seconds_of(lambda: (square @ square)[:1]))
    return max(rates)


def _prepared(
    network: SlowFast, fast_BCFHW: Tensor, candidates: Sequence[Way]
) -> list[tuple[Way, Callable[[], Tensor]]]:
    """The ways that can run, each having run once, with their work."""
    work, exact = [], None
    for way in candidates:
        if way.unmeasured:
            continue
        try:
            engine = way.make(network)
        except StageError as error:
            way.unmeasured = error.what
            continue
        layout = torch.channels_last_3d if way.channels_last else torch.contiguous_format
        own = fast_BCFHW.contiguous(memory_format=layout)
        run = functools.partial(engine, own[:, :, :: network.alpha], own)
        maps = run().cpu()
        exact = maps if exact is None else exact
        way.deviation = float((maps - exact).abs().max() / exact.abs().max())
        work.append((way, run))
    return work


def ratio(way: Way, eager: Way) -> float:
    """How many times faster than eager: the median over rounds."""
    return statistics.median(slow / own for slow, own in zip(eager.seconds, way.seconds, strict=True))


def table(case: Case, measured: Sequence[Way], peak: float) -> list[str]:
    """Markdown: clips/s (median, least to most), times eager, share of the peak, largest relative deviation from eager."""
    work = flops(case)
    lines = [
        f"## {case.title}",
        "",
        f"{work / 2e9:.1f} G multiply-adds per clip; the matrix product reaches {peak / 1e9:.0f} GFLOP/s, which would be "
        f"{peak / work:.3g} clips/s.",
        "",
        "| way | clips/s | range | times eager | share of the matrix product's rate | deviation | remark |",
        "|---|---|---|---|---|---|---|",
    ]
    for way in measured:
        if not way.seconds:
            lines.append(f"| {way.name} | | | | | | not measured: {way.unmeasured} |")
            continue
        rates = [case.batch / seconds for seconds in way.seconds]
        middle = statistics.median(rates)
        lines.append(
            f"| {way.name} | {middle:.3g} | {min(rates):.3g} to {max(rates):.3g} | {ratio(way, measured[0]):.2f} "
            f"| {100 * middle * work / peak:.0f} % | {way.deviation:.0e} | {way.remark} |"
        )
    return [*lines, ""]


def machine(device: torch.device) -> str:
    """What the numbers depend on: processor and what it can do, library versions."""
    installed = {one.metadata["Name"] for one in metadata.distributions()}
    names = [name for name in ("torch", "openvino") if name in installed]
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in names)
    if device.type == "cuda":
        return f"{torch.cuda.get_device_name(device)}, {versions}"
    traits = torch.cpu.get_capabilities()
    has = [name for name in ("avx2", "avx512_f", "avx512_bf16", "amx_bf16") if traits.get(name)]
    return f"{traits.get('cpu_name', 'CPU')} ({', '.join(has)}), {versions}"


def report(lines: Sequence[str], command: str, where: str) -> str:
    """The page: how it was made and how to read it, then the tables."""
    head = f"""# Extraction: clips per second of every way to run the backbone

Command: `{command}` (or `make bench-extract`).

On: {where}.

The ways take turns in one run; clips/s are the median over the rounds, "times eager" is the median of each round's quotient.
Measured is the network with the time mean, on normalised clips and random weights. Deviation: the largest difference from plain
eager fp32, relative to the largest value. The stage takes the default; `extract.engine` and `extract.precision` of the
configuration choose another way.

"""
    return head + "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure the playground's network and a large one, print the tables and write them to `--out`."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--architecture", choices=get_args(Architecture), default="r50", help="large network")
    parser.add_argument(
        "--size", type=int, nargs=2, default=(256, 320), help="its height and width in pixels"
    )
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each way")
    parser.add_argument("--threads", type=int, default=2, help="its threads")
    parser.add_argument("--device", default="auto", help="auto (CUDA when present), cpu, cuda or cuda:N")
    parser.add_argument("--out", type=Path, default=None, help="markdown file")
    args = parser.parse_args(argv)
    device = prepare(args.device, args.threads)
    height, width = args.size
    small = Case("playground", 8, 128, 228, batch=4, threads=1)
    large = Case(args.architecture, 32, height, width, batch=1, threads=args.threads)
    first, second = ways(device, small.threads), ways(device, large.threads)
    lines = table(small, first, measure(small, first, args.rounds, device))
    print("\n".join(lines), flush=True)
    for tried, way in zip(first, second, strict=True):
        if tried.seconds and ratio(tried, first[0]) < HOPELESS:
            times = 1 / ratio(tried, first[0])
            way.unmeasured = f"{times:.0f} times slower than eager on the small network"
    more = table(large, second, measure(large, second, args.rounds, device))
    print("\n".join(more))
    if args.out:
        options = " ".join([COMMAND, *(sys.argv[1:] if argv is None else argv)])
        args.out.write_text(report([*lines, *more], options, machine(device)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

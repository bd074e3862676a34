"""What a run cost: seconds and memory from Snakemake's benchmark files, bytes from the results' folders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stages.lib.config.made import Parts, belongs, made
from stages.lib.config.root import Config

Names = Mapping[str, frozenset[Parts]]
_COLUMNS: Final = ("s", "max_rss")


@dataclass(frozen=True)
class Cost:
    """Of one stage: jobs, their seconds in all, the largest memory in MiB (None: unknown), bytes on disk."""

    stage: str
    jobs: int
    seconds: float
    peak_mib: float | None
    files: int
    size: int


def stage_costs(
    benchmarks: Path | None, results: Path | None, stages: Sequence[str], config: Config | None = None
) -> list[Cost]:
    """One cost per stage that left a trace, in the order of `stages`; unknown folders come last.

    With a configuration only what its run makes: heads that it no longer has and other numbers of shards do not count.
    """
    names = made(config) if config else {}
    times = _times(benchmarks, names) if benchmarks and benchmarks.is_dir() else {}
    sizes = _sizes(results, names) if results and results.is_dir() else {}
    found = sorted(
        {*times, *sizes}, key=lambda name: (stages.index(name) if name in stages else len(stages), name)
    )
    costs = []
    for name in found:
        jobs, seconds, peak = times.get(name, (0, 0.0, None))
        files, size = sizes.get(name, (0, 0))
        costs.append(Cost(name, jobs, seconds, peak, files, size))
    return costs


def _times(folder: Path, names: Names) -> dict[str, tuple[int, float, float | None]]:
    """Jobs, seconds and peak by the first folder below the benchmarks, or the file's name up to a dot."""
    found: dict[str, tuple[int, float, float | None]] = {}
    for path in sorted(folder.rglob("*.tsv")):
        stage, *parts = _parts(path, folder)
        if not belongs(names, stage, tuple(parts)):
            continue
        lines = path.read_text().splitlines()
        head = lines[0].split("\t") if lines else []
        for line in lines[1:]:
            row = dict(zip(head, line.split("\t"), strict=False))
            seconds, memory = (_number(row.get(column)) for column in _COLUMNS)
            jobs, total, peak = found.get(stage, (0, 0.0, None))
            top = memory if peak is None else max(peak, memory or 0.0)
            found[stage] = (jobs + 1, total + (seconds or 0.0), top)
    return found


def _parts(path: Path, folder: Path) -> tuple[str, ...]:
    """The names below a folder, the last without its ending."""
    below = path.relative_to(folder)
    return (*below.parts[:-1], below.name.split(".")[0])


def _sizes(folder: Path, names: Names) -> dict[str, tuple[int, int]]:
    found: dict[str, tuple[int, int]] = {}
    for child in sorted(folder.iterdir()):
        if child.is_dir():
            files = [path for path in child.rglob("*") if path.is_file()]
            sizes = [path.stat().st_size for path in files if belongs(names, child.name, _parts(path, child))]
            found[child.name] = (len(sizes), sum(sizes))
    return found


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text is not None else None
    except ValueError:
        return None


def spell_seconds(seconds: float) -> str:
    """Seconds as `12 s`, `3 min 05 s` or `2 h 07 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def spell_bytes(size: int) -> str:
    """Bytes in the largest unit that keeps the number above one."""
    value, unit = float(size), "B"
    for larger in ("KB", "MB", "GB", "TB"):
        if value < 1000:
            break
        value, unit = value / 1000, larger
    return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"

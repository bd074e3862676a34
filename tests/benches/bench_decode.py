"""How fast decode reads a film, against ffmpeg with the same scaling on the same file, and what its cache takes on disk.

  python -m tests.benches.bench_decode                 full size, writes docs/bench-decode.md (some minutes)
  python -m tests.benches.bench_decode --video FILE    measures FILE, too
  python -m tests.benches.bench_decode --quick         small: shows that it works, measures nothing

The ffmpeg program is no part of the environment: it is found on PATH (Debian: apt install ffmpeg) or given by --ffmpeg.
In one run every round does each kind of work once, one after the other, so that a busy machine slows them alike.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stages.decode.__main__ import main as decode_main
from stages.lib.video.jpeg import clip_size
from stages.lib.video.source import open_video
from tests.benches.decode_disk import disk_table, filmed
from tests.benches.decode_files import decode_words, draw_film

COMMAND = "python -m tests.benches.bench_decode"
WANTED = 0.70
SHORT_SIDE = 340
SAMPLING = {"fast_frames": 32, "stride": 2}
SIZES = {(340, 256): 2400, (1280, 720): 600, (1920, 1080): 300}
QUICK = {(340, 256): 45, (640, 480): 45}
"""Sizes of the drawn films, and their numbers of frames."""
FFMPEG, FFMPEG_HALF = "ffmpeg, every frame", "ffmpeg, every second frame"
SCALED, SCALED_HALF, STAGE = (
    "decode and scale, every frame",
    "decode and scale, every second frame",
    "stage decode",
)
PAIRS = ((SCALED, FFMPEG), (SCALED_HALF, FFMPEG_HALF), (STAGE, FFMPEG), (STAGE, FFMPEG_HALF))


@dataclass(frozen=True)
class Film:
    """A film and what each kind of work took: wall-clock and processor seconds of each round."""

    title: str
    frames: int
    engine: str
    size: tuple[int, int]
    wall: dict[str, list[float]]
    cpu: dict[str, list[float]]

    def ratio(self, ours: str, theirs: str) -> np.ndarray[Any, Any]:
        """Frames per second of ours over theirs, round by round."""
        return np.divide(self.wall[theirs], self.wall[ours])


def measure(title: str, path: Path, folder: Path, ffmpeg: str, rounds: int) -> Film:
    """Do every kind of work in turns, after one unmeasured round."""
    with open_video(path, unscaled_side=SHORT_SIDE) as source:
        info, engine = source.info, source.engine
    size = clip_size(info.width, info.height, SHORT_SIDE)
    words = decode_words(folder, path, {"short_side": SHORT_SIDE}, SAMPLING)
    works: dict[str, Callable[[], object]] = {
        FFMPEG: lambda: run_ffmpeg(ffmpeg, path, size, step=1),
        SCALED: lambda: scale(path, size, step=1),
        FFMPEG_HALF: lambda: run_ffmpeg(ffmpeg, path, size, step=2),
        SCALED_HALF: lambda: scale(path, size, step=2),
        STAGE: lambda: decode_main(words),
    }
    film = Film(title, info.frames, engine, size, {name: [] for name in works}, {name: [] for name in works})
    for number in range(rounds + 1):
        for name, work in works.items():
            start, used = time.perf_counter(), sum(os.times()[:4])
            work()
            if number:
                film.wall[name].append(time.perf_counter() - start)
                film.cpu[name].append(sum(os.times()[:4]) - used)
    return film


def run_ffmpeg(program: str, path: Path, size: tuple[int, int], step: int) -> None:
    """Decode the film and scale every `step`-th frame, with ffmpeg's own choice of threads, into nothing."""
    chosen = f"select=not(mod(n\\,{step}))," if step > 1 else ""
    scaled = ["-vf", f"{chosen}scale={size[0]}:{size[1]}", "-vsync", "passthrough"]
    subprocess.run(
        [program, "-v", "error", "-nostdin", "-i", str(path), "-map", "0:v:0", *scaled, "-f", "null", "-"],
        check=True,
    )


def scale(path: Path, size: tuple[int, int], step: int) -> None:
    """Decode the film and turn every `step`-th frame into RGB pixels of the cache's size, in two threads as decode does."""
    waiting: deque[Future[Any]] = deque()
    with open_video(path, unscaled_side=SHORT_SIDE) as source, ThreadPoolExecutor(2) as pool:
        last = source.info.frames - 1
        for _, picture in source.read(np.union1d(np.arange(0, last, step), [last])):
            waiting.append(pool.submit(picture.rgb, size))
            if len(waiting) > 16:
                waiting.popleft().result()
        for job in waiting:
            job.result()


def main(argv: Sequence[str] | None = None) -> int:
    """Run the bench; exit code 1 when the wanted ratio is missed, 2 without ffmpeg."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--ffmpeg", default="ffmpeg", help="the ffmpeg program, if it is not on PATH")
    parser.add_argument(
        "--video", type=Path, nargs="*", default=[], help="films to measure beside the drawn ones"
    )
    parser.add_argument("--quick", action="store_true", help="small; nothing is written")
    parser.add_argument("--out", type=Path, default=None, help="default docs/bench-decode.md, none if quick")
    args = parser.parse_args(argv)
    program = shutil.which(args.ffmpeg)
    if program is None:
        fix = "give --ffmpeg PATH, or install it (Debian: apt install ffmpeg)"
        print(f"{args.ffmpeg} is no program here: {fix}", file=sys.stderr)
        return 2
    sizes, rounds = (QUICK, 1) if args.quick else (SIZES, 3)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        drawn = {
            f"drawn, {width}x{height}": draw_film(folder / f"{width}.mp4", (width, height), frames)
            for (width, height), frames in sizes.items()
        }
        films = [
            measure(title, path, folder, program, rounds)
            for title, path in (*drawn.items(), *((path.stem, path) for path in args.video))
        ]
        table = disk_table(drawn if args.quick else {**filmed(), **drawn}, quick=args.quick)
    text = _report(films, table, program, rounds)
    print(text)
    out = args.out or (None if args.quick else Path("docs/bench-decode.md"))
    if out:
        out.write_text(text)
    met = all(
        np.median(film.ratio(ours, theirs)) >= WANTED
        for film in films
        for ours, theirs in PAIRS[:1] + PAIRS[2:3]
    )
    return 0 if met or args.quick else 1


def _report(films: Sequence[Film], table: str, program: str, rounds: int) -> str:
    version = subprocess.run(
        [program, "-version"], check=True, capture_output=True, text=True
    ).stdout.split()[2]
    load = os.getloadavg()[1]
    return f"""# Bench: decode against ffmpeg, and the cache on disk

Command: `{COMMAND}` (or `make bench-decode`); one run, {os.cpu_count()} cores, load average {load:.1f} (this bench included),
ffmpeg {version} from PATH, rounds of all kinds of work in turns: {rounds}.

## Frames per second

- **ffmpeg** decodes the file and scales each frame (or each second one) to the cache's size, `-vf scale=W:H -f null -`:
  no conversion to RGB, no JPEG. It chooses its threads; its start is part of the time.
- **decode and scale** is the source behind stage decode with two threads that convert: the same frames, scaled *and*
  converted to RGB.
- **stage decode** is the whole command: sha256 of the file, one pass, every second frame (8x8 at whole seconds) and each second's
  keyframe as JPEG of quality 95, written to HDF5 with checksums. Only the start of Python is left out.

Frames per second are those of the file, whether they are used or not. Wanted: {WANTED:.2f} of ffmpeg that scales every frame.

{chr(10).join(_film(film) for film in films)}
{table}"""


def _film(film: Film) -> str:
    rows = [
        f"| {name} | {film.frames / np.median(wall):,.0f} | {film.frames / max(wall):,.0f} to {film.frames / min(wall):,.0f} "
        f"| {1000 * np.median(film.cpu[name]) / film.frames:.2f} |"
        for name, wall in film.wall.items()
    ]
    ratios = []
    for ours, theirs in PAIRS:
        found = film.ratio(ours, theirs)
        verdict = f", **{'met' if np.median(found) >= WANTED else 'NOT met'}**" if theirs == FFMPEG else ""
        ratios.append(
            f"- {ours} / {theirs}: {np.median(found):.2f} ({found.min():.2f} to {found.max():.2f}){verdict}"
        )
    return f"""### {film.title}, {film.frames} frames, cached at {film.size[0]}x{film.size[1]}, read with {film.engine}

| work | frames/s, median | rounds | processor ms a frame |
|---|---|---|---|
{chr(10).join(rows)}

{chr(10).join(ratios)}
"""


if __name__ == "__main__":
    raise SystemExit(main())

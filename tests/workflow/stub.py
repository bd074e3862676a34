"""Stands in for `python` in the jobs of workflow tests: makes the outputs that a stage's flags name, and a log of it.

    python -m stages.<stage> --config FILE --config-sha SHA ... --out FILE

As the real stages do, it exits with 2 when the settings are not those expected. Everything else goes to the real
interpreter. The environment may ask for more: STUB_LOG (a line of JSON per job), STUB_SECONDS (how long a job takes),
STUB_REFUSE (a stage that refuses its input), STUB_HUNGRY (a stage whose first attempt in this folder ends for want of
memory), STUB_LATE (seconds after a job's end at which its outputs appear, as on a slow network disk).
"""

import hashlib
import json
import os
import sys
import time
from pathlib import Path


def main(argv: list[str]) -> int:
    if argv[:1] != ["-m"] or not argv[1].startswith("stages."):
        os.execv(sys.executable, [sys.executable, *argv])
    start, stage, words = time.time(), argv[1].removeprefix("stages."), argv[2:]
    time.sleep(float(os.environ.get("STUB_SECONDS", "0")))
    late = float(os.environ.get("STUB_LATE", "0"))
    if late and os.fork() == 0:
        os.setsid()
        time.sleep(late)
        os._exit(work(stage, flags(words)))
    code = 0 if late else work(stage, flags(words))
    log = os.environ.get("STUB_LOG")
    if log:
        line = {
            "stage": stage,
            "words": words,
            "start": start,
            "end": time.time(),
            "gpu": os.environ.get("CUDA_VISIBLE_DEVICES"),
            "invocation": os.environ.get("ACARFLOW_INVOCATION"),
        }
        with Path(log).open("a") as handle:
            handle.write(json.dumps(line) + "\n")
    return code


def flags(words: list[str]) -> dict[str, list[str]]:
    """The words behind each flag."""
    found: dict[str, list[str]] = {}
    current = ""
    for word in words:
        if word.startswith("--"):
            current, _, value = word.partition("=")
            found.setdefault(current, [value] if value else [])
        elif current:
            found[current].append(word)
    return found


def work(stage: str, given: dict[str, list[str]]) -> int:
    text = Path(given["--config"][0]).read_text().strip()
    if hashlib.sha256(text.encode()).hexdigest()[:16] != given["--config-sha"][0]:
        print("ERROR: the configuration file is stale")
        return 2
    if os.environ.get("STUB_REFUSE") == stage:
        print(f"ERROR: {stage} refuses its input")
        return 2
    hungry = Path(f"{stage}.hungry")
    if os.environ.get("STUB_HUNGRY") == stage and not hungry.exists():
        hungry.touch()
        return 137
    for flag in ("--out", "--out-views", "--out-weights", "--out-head", "--out-history"):
        for path in given.get(flag, []):
            write(Path(path), stage)
    for flag in ("--out-videos", "--out-annotations"):
        for path in given.get(flag, []):
            write(Path(path) / "one.txt", stage)
    for folder in given.get("--out-dir", []):
        for name in names(stage, given):
            write(Path(folder) / name, stage)
    return 0


def names(stage: str, given: dict[str, list[str]]) -> list[str]:
    """What a stage with --out-dir puts there."""
    if stage == "ensemble":
        datasets = {word.partition("=")[0] for word in given["--index"]}
        return ["weights.json", *(f"{dataset}.h5" for dataset in datasets)]
    if stage == "evaluate":
        return [
            "metrics.json",
            "per_class.csv",
            *(f"submission-{split}.csv" for split in given["--splits"]),
        ]
    if stage == "index":
        return ["videos.csv", "classes.csv", "lost.h5", "lost.csv"]
    return ["report.html", "table.txt", "detections.csv"]


def write(path: Path, stage: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{stage} {time.time_ns()}\n")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

"""The processes that work in a folder, whoever started them: Snakemake, stages, shells between them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

STAGE: Final = re.compile(rb"stages\.(\w+)")


def processes_in(folder: Path) -> list[tuple[int, bytes]]:
    """Process ids and command lines, sorted, of what runs in this folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if (path / "cwd").resolve() == folder.resolve():
                found.append((int(path.name), (path / "cmdline").read_bytes()))
        except OSError:
            continue
    return sorted((number, words) for number, words in found if words)


def kind_of(words: bytes) -> str:
    """What a command line is: `shell`, the name of a stage, `snakemake` or `helper`."""
    stage = STAGE.search(words)
    if b"bash" in words.split(b"\0")[0]:
        return "shell"
    if stage:
        return stage[1].decode()
    return "snakemake" if b"snakemake" in words else "helper"

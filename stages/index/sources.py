"""The videos below a folder: video files, and frame trees (a folder of numbered images for each video)."""

from __future__ import annotations

import os
from pathlib import Path

from stages.lib.config.sheets import EXTENSIONS
from stages.lib.video.tree_source import is_tree


def find_sources(root: Path) -> list[str]:
    """Paths relative to `root`, in order; of a tree the folder is given, and what is in it is not."""
    found: list[str] = []
    for folder, inner, files in os.walk(root):
        relative = Path(folder).relative_to(root)
        if relative != Path() and is_tree(files, relative.name):
            found.append(relative.as_posix())
            inner.clear()
            continue
        found += [(relative / name).as_posix() for name in files if Path(name).suffix.lower() in EXTENSIONS]
    return sorted(found)

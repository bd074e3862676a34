"""Where the videos of a run are, and what became of them in decode."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from stages.lib.artifacts.frames import FrameReader
from stages.lib.artifacts.reader import open_artifact
from stages.lib.artifacts.schemas import DECODE
from stages.lib.errors import StageError


def video_paths(manifests: Sequence[Path]) -> dict[str, Path]:
    """Path of each video by its id; StageError for a file that is no manifest."""
    paths = {}
    for manifest in manifests:
        try:
            with manifest.open(newline="", encoding="utf-8") as handle:
                for row in csv.DictReader(handle, delimiter="\t", quoting=csv.QUOTE_NONE):
                    paths[row["video"]] = Path(row["path"])
        except (OSError, KeyError) as error:
            raise StageError(
                f"not a manifest ({error})", str(manifest), "let snakemake write it again"
            ) from None
    return paths


def read_reasons(files: Sequence[Path]) -> tuple[dict[str, str], dict[str, str]]:
    """Reasons by video: of those that decode could not read, and of those that it read with something missing."""
    unread, lacking = {}, {}
    for path in files:
        with open_artifact(path, DECODE) as artifact:
            reader = FrameReader(artifact)
            for video, status, reason in zip(
                reader.keyframes.video_ids, reader.status, reader.reason, strict=True
            ):
                if status != "ok":
                    unread[video] = f"{status}: {reason}"
                elif reason:
                    lacking[video] = f"({reason})"
    return unread, lacking

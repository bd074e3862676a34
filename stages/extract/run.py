"""The loop over a shard: load clips, extract maps of all views, hand them to the writers in keyframe order.

Shapes: B clips, F frames, H W pixels, C channels, h w cells, K keyframes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stages.extract.core import Extractor, Plan, maps_of_views
from stages.extract.loader import ClipSource, Request, load_batches
from stages.lib.artifacts.maps import MapWriter
from stages.lib.artifacts.writer import Writer
from stages.lib.geometry.views import View
from stages.lib.progress import track
from stages.lib.video.jpeg import decode_jpeg


@dataclass(frozen=True)
class Job:
    """What is extracted: the clip of each keyframe (K), the order of work, which keyframes are evaluated, how many clips."""

    requests: Sequence[Request]
    plans: Sequence[Plan]
    is_eval_K: NDArray[np.bool_]
    clips: int


@dataclass(frozen=True)
class Outputs:
    """Where maps go: the canonical view's file, the other views' file, and the views."""

    canonical_file: Writer
    views_file: Writer
    canonical: View
    others: tuple[View, ...]


def run(extractor: Extractor, job: Job, source: ClipSource, outputs: Outputs) -> dict[str, int]:
    """Extract and write all maps; returns the number of clips and of maps."""
    names = [outputs.canonical.name, *(view.name for view in outputs.others)]
    files = [outputs.canonical_file, *(outputs.views_file for _ in outputs.others)]
    writers = {name: MapWriter(file, f"views/{name}/") for name, file in zip(names, files, strict=True)}
    batches = [batch for plan in job.plans for batch in plan.batches]
    loaded = load_batches(([job.requests[row] for row in batch] for batch in batches), source, decode_jpeg)
    clips = iter(track(loaded, len(batches), "extract"))
    written = 0
    for plan in job.plans:
        found: dict[str, dict[int, NDArray[np.float32]]] = {name: {} for name in names}
        for batch in plan.batches:
            rows = np.array(batch)
            is_eval_B = job.is_eval_K[rows]
            maps, others = maps_of_views(extractor, next(clips), outputs.canonical, outputs.others, is_eval_B)
            found[outputs.canonical.name].update(zip(batch, maps, strict=True))
            for name, view_maps in others.items():
                found[name].update(zip(rows[is_eval_B].tolist(), view_maps, strict=True))
        for name, writer in writers.items():
            for row in plan.rows:
                writer.append(found[name].get(row))
            written += len(found[name])
    for writer in writers.values():
        writer.finish()
    return {"clips": job.clips, "maps": written}

"""Archive the actors of one shard's videos, second by second, for heads with a long-term memory."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from stages.lib.cli import parse, run_stage, stage_parser
from stages.lib.config.heads import score_of
from stages.lib.config.payloads import BankPayload

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from stages.lib.models.headfile import TrainedHead


def main(argv: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = stage_parser("bank", __doc__)
    parser.add_argument("--index", type=Path, required=True, help="index of the shard")
    parser.add_argument("--maps", type=Path, required=True, help="canonical maps of the shard")
    parser.add_argument("--detections", type=Path, required=True, help="person boxes of the shard")
    parser.add_argument("--head-weights", type=Path, default=None, help="trained ACAR head (acfb)")
    parser.add_argument("--dataset", help="data set of the shard, where some have a score of their own")
    parser.add_argument("--out", type=Path, required=True, help="bank file to write")
    return run_stage("bank", BankPayload, parse(parser, argv), _work)


def _work(args: argparse.Namespace, payload: BankPayload, text: str) -> dict[str, object]:
    import numpy as np

    from stages.bank.core import archived_boxes, pooled_vectors, relation_maps
    from stages.lib.artifacts.lineage import input_of
    from stages.lib.artifacts.maps import MapReader, MapWriter
    from stages.lib.artifacts.provenance import Provenance
    from stages.lib.artifacts.reader import open_artifact
    from stages.lib.artifacts.schemas import BANK, DETECT, EXTRACT, INDEX
    from stages.lib.artifacts.tables import ROLE_BANK, Boxes, Index, Keyframes
    from stages.lib.artifacts.writer import write_artifact
    from stages.lib.models.mapstore import MapTable
    from stages.lib.models.runtime import prepare

    device = prepare(args.device, payload.threads)
    least = score_of(args.dataset, payload.bank.min_scores, payload.bank.min_score)
    head = _load_head(args.head_weights, payload)
    with (
        open_artifact(args.index, INDEX) as index_file,
        open_artifact(args.maps, EXTRACT) as map_file,
        open_artifact(args.detections, DETECT) as box_file,
    ):
        index, detections = Index.read(index_file), Boxes.read(box_file)
        for file in (map_file, box_file):
            Keyframes.read(file).require_same(index.keyframes, str(file.path), str(args.index))
        backbone_sha = input_of(map_file, "weights")
        if head is not None:
            head.require_backbone(backbone_sha, str(args.maps))
        maps = MapTable([MapReader(map_file, f"views/{view}/") for view in map_file.group("views")])
        present = (index.roles & ROLE_BANK).astype(bool) & maps.has_K
        boxes = archived_boxes(detections, present, least)
        inputs = {
            "index": index_file.fingerprint,
            "maps": map_file.fingerprint,
            "detections": box_file.fingerprint,
            "weights": backbone_sha,
            **({"head_weights": head.fingerprint} if head else {}),
        }
        with write_artifact(args.out, BANK, Provenance("bank", payload.version, text, inputs)) as writer:
            index.keyframes.write(writer)
            boxes.write(writer)
            if head is None:
                pooled = pooled_vectors(
                    maps,
                    boxes,
                    device,
                    aligned=payload.bank.roi_aligned,
                    by_pixels=payload.bank.roi_scale == "pixels",
                )
                parts = list(_shown(pooled, len(boxes)))
                channels = maps.channels() or 0
                writer.put("vectors", np.concatenate([np.zeros((0, channels), np.float32), *parts]))
            else:
                archive = MapWriter(writer)
                for part in _shown(relation_maps(maps, boxes, head.head, device), len(boxes)):  # type: ignore[arg-type]
                    for relation_map in part:
                        archive.append(relation_map)
                archive.finish()
    return {"seconds": int(present.sum()), "actors": len(boxes), "without map": int((~maps.has_K).sum())}


def _shown(parts: Iterator[NDArray[np.float32]], total: int) -> Iterator[NDArray[np.float32]]:
    """The parts, while the number of actors in them is shown."""
    from stages.lib.progress import Progress

    progress = Progress(total, "bank")
    for part in parts:
        yield part
        progress.add(len(part))
    progress.close()


def _load_head(path: Path | None, payload: BankPayload) -> TrainedHead | None:
    """The head that makes the relation maps; none for actor vectors."""
    from stages.lib.errors import StageError
    from stages.lib.models.headfile import load_head

    if (payload.bank.kind == "acfb") != (path is not None):
        raise StageError(
            f"a bank of kind {payload.bank.kind} takes {'a' if path is None else 'no'} head",
            "--head-weights",
            "see --help",
        )
    if path is None:
        return None
    head = load_head(path)
    if head.kind != "acar":
        raise StageError(
            f"a head of kind {head.kind} cannot fill an acfb bank", str(path), "give an acar head"
        )
    return head


if __name__ == "__main__":
    raise SystemExit(main())

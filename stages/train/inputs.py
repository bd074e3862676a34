"""Opening and checking everything a training reads: indexes, maps, detections and the bank, shard by shard.

Shapes: K keyframes, M archived seconds, N archived actors.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stages.lib.artifacts.banks import BankShard, bank_identity, require_readable
from stages.lib.artifacts.lineage import input_of, require_equal, require_input
from stages.lib.artifacts.maps import MapReader
from stages.lib.artifacts.reader import Artifact, open_artifact
from stages.lib.artifacts.schemas import BANK, DETECT, EXTRACT, INDEX
from stages.lib.artifacts.tables import Boxes, Classes, Index, Keyframes, splits_of
from stages.lib.config.heads import HeadConfig, MemoryConfig
from stages.lib.errors import StageError
from stages.lib.models.mapstore import MapTable
from stages.lib.models.memory import BankMemory, require_channels
from stages.lib.models.slots import Archive, video_words
from stages.train.core import Bank
from stages.train.samples import Shard


@dataclass(frozen=True)
class Inputs:
    """All shards together, and what they were made with."""

    shards: tuple[Shard, ...]
    maps: MapTable
    bank: Bank | None
    classes: Classes
    backbone_sha: str
    identity: Mapping[str, Any] | None
    fingerprints: Mapping[str, str]


def open_inputs(
    stack: ExitStack,
    indexes: Sequence[Path],
    maps: Sequence[Path],
    detections: Sequence[Path],
    banks: Sequence[Path],
    head: HeadConfig,
    *,
    foreign_bank: bool = False,
) -> Inputs:
    """Open the files of all shards (lists in one order); they stay open until `stack` closes.

    A foreign bank was archived by another network, the one that the maps' own was fine-tuned with.

    Raises:
        StageError: lists of different length, files that do not belong together, different class maps, or a bank that the
            head cannot read.
    """
    memory = head.memory
    _check_lengths(indexes, {"--maps": maps, "--detections": detections, "--bank": banks}, memory)
    index_files = [stack.enter_context(open_artifact(path, INDEX)) for path in indexes]
    map_files = [stack.enter_context(open_artifact(path, EXTRACT)) for path in maps]
    box_files = [stack.enter_context(open_artifact(path, DETECT)) for path in detections]
    bank_files = [stack.enter_context(open_artifact(path, BANK)) for path in banks]
    tables = [Index.read(file) for file in index_files]
    backbone_sha = input_of(map_files[0], "weights")
    readers, shards = [], []
    for index, map_file, box_file in zip(tables, map_files, box_files, strict=True):
        require_input(map_file, "weights", backbone_sha, f"the maps {maps[0]}")
        for file in (map_file, box_file):
            Keyframes.read(file).require_same(index.keyframes, str(file.path), "the index")
        readers.append(_canonical(map_file))
        shards.append(Shard(index, Boxes.read(box_file), readers[-1].row >= 0))
    classes = _common_classes(tables, indexes)
    for bank_file in bank_files:
        require_readable(bank_file, head.kind, roi_aligned=head.roi_aligned, roi_scale=head.roi_scale)
    identity = _check_banks(bank_files, box_files, None if foreign_bank else backbone_sha)
    bank = _open_bank(bank_files, tables, memory) if memory is not None else None
    if bank is not None and head.kind == "acar-acfb":
        require_channels(bank.memory, head.hidden, str(banks[0]))
    files = [*index_files, *map_files, *box_files, *bank_files]
    fingerprints = {f"input {place}": file.fingerprint for place, file in enumerate(files)}
    return Inputs(tuple(shards), MapTable(readers), bank, classes, backbone_sha, identity, fingerprints)


def _check_lengths(
    indexes: Sequence[Path], others: Mapping[str, Sequence[Path]], memory: MemoryConfig | None
) -> None:
    for flag, paths in others.items():
        expected = 0 if flag == "--bank" and memory is None else len(indexes)
        if len(paths) != expected:
            raise StageError(
                f"{len(paths)} files where {expected} belong",
                flag,
                "give one file per --index, in the same order",
            )


def _canonical(file: Artifact) -> MapReader:
    views = file.group("views")
    if len(views) != 1:
        raise StageError(
            f"holds {len(views)} views, not the canonical one", str(file.path), "give the file of --out"
        )
    return MapReader(file, f"views/{views[0]}/")


def _common_classes(tables: Sequence[Index], paths: Sequence[Path]) -> Classes:
    for index, path in zip(tables, paths, strict=True):
        require_equal(index.classes.ids, tables[0].classes.ids, "the class map", path, paths[0])
        require_equal(index.classes.groups(), tables[0].classes.groups(), "exclusive", path, paths[0])
    if not tables[0].classes.ids:
        raise StageError("the index knows no classes", str(paths[0]), "train on annotated data sets")
    return tables[0].classes


def _check_banks(
    banks: Sequence[Artifact], boxes: Sequence[Artifact], backbone_sha: str | None
) -> Mapping[str, Any] | None:
    for bank, detections in zip(banks, boxes, strict=False):
        if backbone_sha is not None:
            require_input(bank, "weights", backbone_sha, "the maps")
        require_input(bank, "detections", detections.fingerprint, f"the detections {detections.path} are")
        require_equal(
            bank_identity(bank), bank_identity(banks[0]), "the bank's origin", bank.path, banks[0].path
        )
    return bank_identity(banks[0]) if banks else None


def _open_bank(files: Sequence[Artifact], tables: Sequence[Index], memory: MemoryConfig) -> Bank:
    parts = [BankShard.read(file) for file in files]
    for file, part, index in zip(files, parts, tables, strict=True):
        part.keyframes.require_same(index.keyframes, str(file.path), "the index")
    first = itertools.accumulate((len(part.keyframes.video_ids) for part in parts), initial=0)
    archive = Archive(
        np.concatenate(
            [
                number + part.keyframes.video.astype(np.int64)
                for number, part in zip(first, parts, strict=False)
            ]
        ),
        np.concatenate([part.keyframes.timestamp_ms for part in parts]),
        splits_of(np.concatenate([np.diff(part.boxes.row_splits) for part in parts])),
        np.concatenate([part.boxes.scores for part in parts]),
    )
    relation = [part.items for part in parts if isinstance(part.items, MapReader)]
    vectors = [part.items for part in parts if not isinstance(part.items, MapReader)]
    filled = [rows for rows in vectors if len(rows)]
    items = MapTable(relation) if relation else np.concatenate(filled or vectors[:1])
    words = video_words([name for part in parts for name in part.keyframes.video_ids])
    return Bank(BankMemory(archive, items, memory.window), words, memory.slots)

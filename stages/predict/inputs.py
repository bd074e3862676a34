"""Opening and checking what a prediction reads: maps of all views, and the bank of a head that has one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stages.lib.artifacts.banks import BankShard, bank_identity, require_readable
from stages.lib.artifacts.lineage import input_of, require_equal, require_input
from stages.lib.artifacts.maps import MapReader
from stages.lib.artifacts.reader import Artifact
from stages.lib.artifacts.tables import Classes, Index, Keyframes
from stages.lib.config.heads import MemoryConfig
from stages.lib.errors import StageError
from stages.lib.models.headfile import TrainedHead, memory_facts
from stages.lib.models.mapstore import MapTable
from stages.lib.models.memory import BankMemory
from stages.lib.models.slots import Archive


def open_views(
    files: Sequence[Artifact], names: Sequence[str], index: Index, trained: TrainedHead
) -> dict[str, MapTable]:
    """The maps of each view, from whichever file holds it; StageError for a missing view or a foreign backbone."""
    found: dict[str, MapTable] = {}
    for file in files:
        trained.require_backbone(input_of(file, "weights"), str(file.path))
        Keyframes.read(file).require_same(index.keyframes, str(file.path), "the index")
        found |= {name: MapTable([MapReader(file, f"views/{name}/")]) for name in file.group("views")}
    missing = [name for name in names if name not in found]
    if missing:
        where = ", ".join(str(file.path) for file in files)
        raise StageError(
            f"there are no maps of view {missing[0]}", where, "re-run extract with the views of the config"
        )
    return {name: found[name] for name in names}


def class_map(index: Index, trained: TrainedHead, where: str) -> Classes:
    """The head's class map with its own groups; StageError when the index has another (an index of own videos has none)."""
    facts = trained.metadata
    classes = Classes(tuple(facts["class_ids"]), tuple(facts["class_names"]), trained.exclusive)
    if index.classes.ids and index.classes.ids != classes.ids:
        raise StageError(
            f"the head knows {len(classes.ids)} classes, the index {len(index.classes.ids)} others",
            where,
            "give the head that was trained with this label map",
        )
    return classes


def open_bank(
    file: Artifact | None,
    trained: TrainedHead,
    memory: MemoryConfig | None,
    index: Index,
    detections: Artifact,
    weights: Path,
) -> BankMemory | None:
    """The bank as the head reads it, or None for a head without; StageError for a missing or foreign bank."""
    reads_bank = trained.kind.endswith("fb")
    if reads_bank != (file is not None) or reads_bank != (memory is not None):
        needs = "reads a bank" if reads_bank else "reads no bank"
        raise StageError(
            f"a head of kind {trained.kind} {needs}", "--bank", "give --bank and memory for such heads only"
        )
    if file is None or memory is None:
        return None
    facts = trained.metadata
    for name, said in memory_facts(facts).items():
        if getattr(memory, name) != said:
            raise StageError(
                f"the head was trained with memory.{name} {str(said).lower()}, the configuration says otherwise",
                str(weights),
                "set the key to what the head was trained with, or train the head again",
            )
    require_readable(
        file,
        trained.kind,
        roi_aligned=facts.get("roi_aligned", False),
        roi_scale=facts.get("roi_scale", "grid"),
    )
    require_input(file, "weights", str(facts["bank"]["weights"]), "the head's bank in training was")
    require_input(file, "detections", detections.fingerprint, f"this prediction works on {detections.path},")
    made, expected = bank_identity(file)["head_weights"], facts["bank"]["head_weights"]
    require_equal(made, expected, "the bank's head_weights", file.path, weights)
    shard = BankShard.read(file)
    shard.keyframes.require_same(index.keyframes, str(file.path), "the index")
    archive = Archive(
        shard.keyframes.video.astype(np.int64),
        shard.keyframes.timestamp_ms,
        shard.boxes.row_splits,
        shard.boxes.scores,
    )
    items = MapTable([shard.items]) if isinstance(shard.items, MapReader) else shard.items
    return BankMemory(archive, items, memory.window)

"""A checkpoint understood: whose naming, which network and head, every tensor under our names, the rest set aside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from torch import Tensor

from stages.lib.errors import StageError
from stages.lib.models.formats.mapping import (
    backbone_shapes,
    head_shapes,
    require_names,
    require_shapes,
    shapes_of,
    to_ours,
)
from stages.lib.models.formats.naming import Head, Naming
from stages.lib.models.formats.reading import Source
from stages.lib.models.formats.variant import find_naming, find_row, infer_arch
from stages.lib.models.slowfast import SlowFastArch
from stages.lib.models.weights import check_finite

# Numbers of classes of Kinetics: such a projection answers for clips, not for people.
CLIP_CLASSES: Final = (400, 600, 700)


@dataclass(frozen=True)
class Model:
    """A foreign checkpoint under our names.

    row: name in the architecture table, None without a backbone; backbone, weights: tensors of backbone and head
    (empty where there is none); aside: how many tensors of what were left out on purpose.
    """

    naming: Naming
    row: str | None
    arch: SlowFastArch | None
    head: Head | None
    backbone: dict[str, Tensor]
    weights: dict[str, Tensor]
    aside: dict[str, int]


def identify(source: Source, *, with_head: bool = True, head_classes: int | None = None) -> Model:
    """Map every tensor of a checkpoint exactly once.

    Args:
        source: the checkpoint.
        with_head: false to set any head aside.
        head_classes: number of outputs of a head that is an action head although it has as many as Kinetics.

    Raises:
        StageError: no known naming, no known network, or a tensor left over, missing, misshapen or not finite.
    """
    naming = find_naming(source.tensors, source.where)
    tensors, originals = _plain(naming, source)
    found, aside = naming.head(shapes_of(tensors)), dict(source.aside)
    head = found if found and with_head and _is_action_head(found, head_classes) else None
    if found is not None and head is None:
        names = [name for name in found.table if name in tensors]
        aside[f"{originals[names[0]]} and the rest of a head of {found.classes} outputs"] = len(names)
        tensors = {name: tensor for name, tensor in tensors.items() if name not in names}
    shapes = shapes_of(tensors)
    whole = head is None or bool(naming.backbone_markers & shapes.keys())
    arch = infer_arch(naming, shapes, source.where) if whole else None
    row = find_row(arch, source.where) if arch else None
    table = {**(naming.table(arch) if arch else {}), **(head.table if head else {})}
    require_names(shapes, table, originals, source.where)
    of_backbone = backbone_shapes(arch) if arch else {}
    of_head = head_shapes(head, source.where) if head else {}
    require_shapes(shapes, table, of_backbone | of_head, originals, source.where)
    fix = "take another copy of the checkpoint, or one of an earlier epoch"
    check_finite({originals[name]: tensor for name, tensor in tensors.items()}, source.where, fix)
    mapped = to_ours(tensors, table, of_backbone | of_head, source.where)
    backbone, weights = ({name: mapped[name] for name in part} for part in (of_backbone, of_head))
    return Model(naming, row, arch, head, backbone, weights, aside)


def _plain(naming: Naming, source: Source) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors by their plain names, and the name in the file of each."""
    originals: dict[str, str] = {}
    for name in source.tensors:
        first = originals.setdefault(naming.plain(name), name)
        if first != name:
            fix = "save the state dict of one model in a file and import that"
            raise StageError(f"{first} and {name} are the same tensor of the network", source.where, fix)
    return {plain: source.tensors[name] for plain, name in originals.items()}, originals


def _is_action_head(head: Head, classes: int | None) -> bool:
    """Kinetics' projections answer for clips, not for people, unless their number of classes is asked for."""
    return head.classes not in CLIP_CLASSES or head.classes == classes

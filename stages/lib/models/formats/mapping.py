"""Tensors from an upstream's names to ours and back: each exactly once, nothing missing, nothing left over."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final

import torch
from torch import Tensor

from stages.lib.errors import StageError
from stages.lib.models.builders import backbone_of, build_head
from stages.lib.models.formats.naming import COUNTER, Head, Shapes
from stages.lib.models.slowfast import SlowFastArch

LISTED: Final = 12


def shapes_of(tensors: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    """The shape of each tensor."""
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}


def backbone_shapes(arch: SlowFastArch) -> dict[str, tuple[int, ...]]:
    """Shapes of our backbone's tensors by our names; no memory is spent on values."""
    with torch.device("meta"):
        return shapes_of(backbone_of(arch).state_dict())


def head_shapes(head: Head, where: str) -> dict[str, tuple[int, ...]]:
    """Shapes of our head's tensors by our names, without the factor that only ours has; StageError for a size of zero."""
    sizes = {
        "reduce": head.reduce,
        "hidden": head.hidden,
        "depth": head.depth,
        "output_kernel": head.output_kernel,
    }
    given: dict[str, Any] = {name: size for name, size in sizes.items() if size is not None}
    if 0 in (head.channels, head.classes, *given.values()):
        fix = "give the whole, unchanged checkpoint of one model"
        raise StageError(f"the sizes of the {head.kind} head cannot be told from its tensors", where, fix)
    with torch.device("meta"):
        module = build_head(head.kind, channels=head.channels, classes=head.classes, bias=head.bias, **given)
    return {name: shape for name, shape in shapes_of(module.state_dict()).items() if name != "input_scale"}


def require_names(
    found: Collection[str], table: Mapping[str, str], originals: Mapping[str, str], where: str
) -> None:
    """Raise a StageError that lists the tensors that are left over or missing.

    found: plain upstream names; table: our name by plain upstream name; originals: the name in the file by plain name.
    Counters of batch norms may be missing: they are not weights.
    """
    assert len(set(table.values())) == len(table)
    missing = [name for name, ours in table.items() if name not in found and not ours.endswith(COUNTER)]
    parts = {"left over": [originals[name] for name in found if name not in table], "missing": missing}
    _refuse({title: names for title, names in parts.items() if names}, where)


def require_shapes(
    found: Shapes, table: Mapping[str, str], wanted: Shapes, originals: Mapping[str, str], where: str
) -> None:
    """Raise a StageError that lists the tensors of another shape than the network's; `wanted` goes by our names."""
    pairs = [(name, found[name], wanted[ours]) for name, ours in table.items() if name in found]
    odd = [
        f"{originals[name]} ({list(shape)} instead of {list(right)})"
        for name, shape, right in pairs
        if shape != right
    ]
    _refuse({"of another shape": odd} if odd else {}, where)


def _refuse(faults: Mapping[str, Sequence[str]], where: str) -> None:
    if faults:
        told = "; ".join(f"{len(names)} {title}: {listed(names)}" for title, names in faults.items())
        fix = "give the whole, unchanged checkpoint of one model"
        raise StageError(f"its tensors are not those of the network; {told}", where, fix)


def to_ours(
    tensors: Mapping[str, Tensor], table: Mapping[str, str], wanted: Shapes, where: str
) -> dict[str, Tensor]:
    """The tensors under our names, in single precision; counters that the source lacks are zero.

    Raises:
        StageError: a tensor holds whole numbers, or doubles that single precision cannot hold exactly.
    """
    mapped = {}
    for name, ours in table.items():
        if name in tensors:
            counter = ours.endswith(COUNTER)
            mapped[ours] = tensors[name].to(torch.int64) if counter else _single(tensors[name], name, where)
    for ours in wanted:
        if ours.endswith(COUNTER):
            mapped.setdefault(ours, torch.zeros((), dtype=torch.int64))
    assert mapped.keys() == wanted.keys()
    return mapped


def to_theirs(tensors: Mapping[str, Tensor], table: Mapping[str, str]) -> dict[str, Tensor]:
    """The tensors under an upstream's names; the reverse of `to_ours`."""
    assert set(table.values()) == tensors.keys()
    return {name: tensors[ours] for name, ours in table.items()}


def listed(texts: Iterable[str]) -> str:
    """At most twelve texts, and how many more there are."""
    every = list(texts)
    more = f" and {len(every) - LISTED} more" if len(every) > LISTED else ""
    return ", ".join(every[:LISTED]) + more


def _single(tensor: Tensor, name: str, where: str) -> Tensor:
    single = tensor.to(torch.float32)
    exact = tensor.is_floating_point() and (
        tensor.dtype != torch.float64 or torch.equal(single.double(), tensor)
    )
    if not exact:
        fix = "save the model in single precision (.float()) and import that file"
        raise StageError(f"{name} holds {str(tensor.dtype).removeprefix('torch.')} numbers", where, fix)
    return single

"""Opening checkpoints of every origin, and writing what becomes of them."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import torch

from stages.checkpoint.core import Choices, Given, Part, assumed, backbone_part, head_part
from stages.checkpoint.export import Exported, Format, Whole, export_acar, export_pyslowfast
from stages.lib.errors import StageError
from stages.lib.files import file_sha, write_bytes
from stages.lib.models.builders import backbone_of
from stages.lib.models.formats.identify import identify
from stages.lib.models.formats.reading import read_source
from stages.lib.models.formats.settings import read_settings
from stages.lib.models.headfile import load_head
from stages.lib.models.slowfast import SlowFastArch, find_arch
from stages.lib.models.weights import (
    Weights,
    is_own,
    load_weights,
    require_fit,
    save_weights,
)

BACKBONE, HEAD = "backbone.safetensors", "head.safetensors"
NEEDED: Final = ("architecture", "sampling", "mean", "std")


@dataclass(frozen=True)
class Content:
    """What a file holds or is to hold.

    aside: how many tensors of what were left out on purpose; assumed: facts that nothing but the family speaks for.
    """

    title: str
    backbone: Part | None
    head: Part | None
    aside: Mapping[str, int] = field(default_factory=dict)
    assumed: tuple[str, ...] = ()


def read_foreign(path: Path, choices: Choices, backbone: Path | None = None) -> Content:
    """An upstream's checkpoint as it would be imported; `backbone` is the file that a head alone belongs to.

    Raises:
        StageError: not readable, not understood, or a head whose backbone is not given.
    """
    source = read_source(path)
    classes = len(choices.labels.ids) if choices.labels else None
    model = identify(source, with_head=choices.with_head, head_classes=classes)
    origin = {"format": model.naming.title, "sha256": file_sha(path), "epoch": source.epoch}
    given = Given(model, read_settings(source.settings), choices, origin, str(path))
    body, head = backbone_part(given) if model.arch else None, None
    if model.head is None and (choices.evaluated_only or choices.labels):
        raise StageError("holds no action head", str(path), "leave --classes and --labelmap out")
    if body is not None and backbone is not None:
        raise StageError("holds a backbone itself", str(path), "leave --backbone out")
    if model.head is not None:
        head = _head_with_backbone(given, backbone) if model.arch is None else head_part(given, model.arch)
    return Content(model.naming.title, body, head, model.aside, assumed(given))


def _head_with_backbone(given: Given, backbone: Path | None) -> Part:
    if backbone is None:
        fix = "name the backbone that it was trained on with --backbone FILE.safetensors"
        raise StageError("holds a head without its backbone", given.where, fix)
    weights, arch = load_own_backbone(backbone)
    part = head_part(given, arch)
    return Part(part.tensors, part.facts | {"backbone_sha": weights.fingerprint})


def read_own(path: Path, backbone: Path | None = None) -> Content:
    """A file of this project, checked against the network that its metadata names.

    Raises:
        StageError: damaged, or neither a backbone nor a head.
    """
    family = load_weights(path).metadata.get("family")
    if family == "backbone":
        if backbone is not None:
            raise StageError("holds a backbone itself", str(path), "leave --backbone out")
        weights, _ = load_own_backbone(path)
        return Content("acarflow", Part(weights.tensors, weights.metadata), None)
    if family != "head":
        fix = "give weights of a backbone or a head; a detector's are used as they are"
        raise StageError(f"holds weights of the family {family!r}", str(path), fix)
    head = load_head(path)
    if backbone is not None:
        head.require_backbone(load_own_backbone(backbone)[0].fingerprint, str(backbone))
    return Content("acarflow", None, Part(head.head.state_dict(), head.metadata))


def load_own_backbone(path: Path) -> tuple[Weights, SlowFastArch]:
    """A backbone's file and its network's numbers; StageError when the file is of another family or does not fit them."""
    weights = load_weights(path)
    missing = [name for name in NEEDED if name not in weights.metadata]
    if weights.metadata.get("family") != "backbone" or missing:
        why = f"its metadata lacks {', '.join(missing)}" if missing else "it is of another family"
        fix = "give weights of stage pretrain, or an imported backbone"
        raise StageError(f"these are not the weights of a backbone ({why})", str(path), fix)
    arch = find_arch(weights.metadata["architecture"])
    with torch.device("meta"):
        own = backbone_of(arch).state_dict()
    require_fit(weights.tensors, own, str(path))
    return weights, arch


def import_file(
    source: Path, folder: Path, choices: Choices, backbone: Path | None
) -> tuple[Content, dict[Path, Part]]:
    """Write backbone.safetensors and head.safetensors, whichever the source holds, into the folder.

    Raises:
        StageError: the source is refused, or a file stands there already; then nothing is written.
    """
    if is_own(source):
        return _copy_own(source, folder, choices, backbone)
    content = read_foreign(source, choices, backbone)
    parts = {BACKBONE: content.backbone, HEAD: content.head}
    targets = {folder / name: part for name, part in parts.items() if part is not None}
    _require_free(targets)
    sha = None
    for path, part in targets.items():
        facts = part.facts if path.name == BACKBONE or sha is None else part.facts | {"backbone_sha": sha}
        written = save_weights(path, part.tensors, facts)
        sha = written if path.name == BACKBONE else sha
    return content, targets


def _copy_own(
    source: Path, folder: Path, choices: Choices, backbone: Path | None
) -> tuple[Content, dict[Path, Part]]:
    """The same bytes, so that heads still know their backbone."""
    if choices != Choices():
        fix = "leave the options out: the file's own metadata says all this"
        raise StageError("is a file of this project, whose facts are not changed", str(source), fix)
    content = read_own(source, backbone)
    part = content.backbone or content.head
    assert part is not None
    target = folder / (BACKBONE if content.backbone else HEAD)
    _require_free({target: None})
    write_bytes(target, source.read_bytes())
    return content, {target: part}


def _require_free(paths: Mapping[Path, object]) -> None:
    taken = [path for path in paths if path.exists()]
    if taken:
        raise StageError(
            "there is such a file already", str(taken[0]), "give another folder, or remove the file"
        )


def export_file(
    source: Path, head: Path | None, target: Path, form: Format, prefix: bool | None
) -> tuple[Exported, int]:
    """Write a torch file in an upstream's form, and return what it holds and how many tensors.

    `source` is a folder of `import_file`, or a backbone's file, to which `head` adds a head's.

    Raises:
        StageError: a file is refused, the head belongs to another backbone, or the form has no place for a part.
    """
    whole = _whole(source, head)
    exported = export_acar(whole, prefix=prefix) if form == "acar" else export_pyslowfast(whole)
    _require_free({target: None})
    buffer = io.BytesIO()
    torch.save(exported.content, buffer)
    write_bytes(target, buffer.getvalue())
    return exported, len(_tensors(exported.content))


def _whole(source: Path, head: Path | None) -> Whole:
    body, beside = (source / BACKBONE, source / HEAD) if source.is_dir() else (source, None)
    weights, arch = load_own_backbone(body)
    if head is None and beside is not None and beside.exists():
        head = beside
    if head is None:
        return Whole(weights, arch, str(body))
    trained = load_head(head)
    trained.require_backbone(weights.fingerprint, str(head))
    return Whole(weights, arch, str(body), trained, str(head))


def _tensors(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """The tensors in an exported dictionary, inside its wrapper or not."""
    return content.get("state_dict") or content.get("model_state") or content

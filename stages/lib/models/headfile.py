"""A trained head from its weight file: built from the sizes in the metadata, loaded strictly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stages.lib.errors import StageError
from stages.lib.models.builders import build_head
from stages.lib.models.heads import Head
from stages.lib.models.weights import load_into, load_weights

NEEDED = (
    "kind",
    "channels",
    "reduce",
    "hidden",
    "depth",
    "output_kernel",
    "class_ids",
    "class_names",
    "backbone_sha",
)


def groups_as_json(groups: Sequence[Sequence[int]]) -> list[int] | list[list[int]]:
    """How the metadata `pose_indices` spells groups: the one of AVA's poses flat, as ever, several as a list of lists."""
    if len(groups) > 1:
        return [list(group) for group in groups]
    return [index for group in groups for index in group]


def groups_from(value: Any) -> tuple[tuple[int, ...], ...] | None:
    """What `groups_as_json` wrote; None for None."""
    if not value:
        return None if value is None else ()
    nested = value if isinstance(value[0], list) else [value]
    return tuple(tuple(group) for group in nested)


@dataclass(frozen=True)
class TrainedHead:
    """A head in evaluation mode, what its file says about it, and the sha256 of that file."""

    head: Head
    metadata: dict[str, Any]
    fingerprint: str

    @property
    def kind(self) -> str:
        """linear, acar, linear-afb, acar-afb or acar-acfb."""
        return str(self.metadata["kind"])

    @property
    def exclusive(self) -> tuple[tuple[int, ...], ...] | None:
        """Groups of outputs that share a softmax; None where the file, an old one, does not say."""
        return groups_from(self.metadata.get("pose_indices"))

    def require_kind(self, kind: str, where: str) -> None:
        """Raise a StageError unless the head, whose file is `where`, is of this kind."""
        if self.kind != kind:
            raise StageError(
                f"these are the weights of a head of kind {self.kind}, the configuration says {kind}",
                where,
                "set the head's kind to that of its weights, or name other weights",
            )

    def require_backbone(self, sha: str, where: str) -> None:
        """Raise a StageError unless the head was trained with the backbone weights `sha`, those of the file `where`."""
        expected = str(self.metadata["backbone_sha"])
        if sha != expected:
            raise StageError(
                f"the head was trained with backbone weights {expected[:12]}, not {sha[:12] or 'unknown ones'}",
                where,
                "give the two that belong together: that backbone and maps it made, or a head trained on these maps",
            )


def memory_facts(facts: Mapping[str, Any]) -> dict[str, bool]:
    """How a head takes what its bank holds, by its file's metadata; files that do not say it take the defaults."""
    said = facts.get("memory") or {}
    return {"mask_padding": said.get("mask_padding", True), "include_live": said.get("include_live", False)}


def load_head(path: Path) -> TrainedHead:
    """Read a head's weights; StageError when the file is of another family, incomplete or does not fit its own sizes."""
    weights = load_weights(path)
    facts = weights.metadata
    missing = [name for name in NEEDED if name not in facts]
    if facts.get("family") != "head" or missing:
        why = f"its metadata lacks {', '.join(missing)}" if missing else f"family {facts.get('family')!r}"
        raise StageError(
            f"these are not the weights of a head ({why})", str(path), "give weights written by stage train"
        )
    memory = memory_facts(facts)
    head = build_head(
        facts["kind"],
        channels=facts["channels"],
        classes=len(facts["class_ids"]),
        reduce=facts["reduce"],
        hidden=facts["hidden"],
        depth=facts["depth"],
        output_kernel=facts["output_kernel"],
        dropout=facts.get("dropout", 0.0),
        roi_aligned=facts.get("roi_aligned", False),
        roi_scale=facts.get("roi_scale", "grid"),
        bias=facts.get("bias", False),
        mask_padding=memory["mask_padding"],
        include_live=memory["include_live"],
    )
    load_into(head, weights.tensors, str(path))
    return TrainedHead(head.eval(), facts, weights.fingerprint)

"""A weight file in words: what it is, which variant, how it wants its input, its classes, how it was trained."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, Final

from torch import Tensor

from stages.lib.models.formats.variant import describe_arch
from stages.lib.models.headfile import groups_from
from stages.lib.models.slowfast import find_arch

WIDTH: Final = 100
FIRST: Final = 5


def describe_backbone(tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> dict[str, str]:
    """Title and text of everything about a backbone's file."""
    sampling = facts["sampling"]
    clip = f"{sampling['fast_frames']} fast frames, {sampling['stride']} apart"
    clip += f" at {facts['rate']:g} Hz" if "rate" in facts else ""
    return {
        "family": "backbone",
        "architecture": str(facts["architecture"]),
        **describe_arch(find_arch(facts["architecture"])),
        "sampling": clip,
        "slow frames": str(sampling["slow_rule"]),
        "normalisation": f"mean {facts['mean']}, deviation {facts['std']} of RGB in [0, 1]",
        "classes": _classes(facts.get("classes") or ()),
        "parameters": _parameters(tensors),
        **_history(facts),
    }


def describe_head(tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> dict[str, str]:
    """Title and text of everything about a head's file."""
    sizes = {name: facts[name] for name in ("channels", "reduce", "hidden", "depth", "output_kernel")}
    told = ", ".join(f"{name} {size}" for name, size in sizes.items() if size is not None)
    groups = groups_from(facts.get("pose_indices")) or ()
    softmax = " and ".join(f"softmax over {len(group)} poses" for group in groups)
    return {
        "family": "head",
        "kind": str(facts["kind"]) + (" with bias" if facts.get("bias") else ""),
        "sizes": told,
        "classes": _classes(facts["class_names"]),
        "probabilities": f"{softmax}, sigmoids for the rest" if groups else "sigmoids",
        "RoIAlign": ("shifted by half a pixel" if facts.get("roi_aligned") else "not shifted")
        + (", a cell is 16 pixels" if facts.get("roi_scale") == "pixels" else ", the frame covers the map"),
        "backbone": str(facts.get("backbone_sha", "the one in the same file"))[:24],
        "parameters": _parameters(tensors),
        **_history(facts),
    }


def as_text(facts: Mapping[str, str]) -> str:
    """The facts one below the other, long ones broken over several lines."""
    wide = max(map(len, facts))
    lines = []
    for title, text in facts.items():
        folded = textwrap.wrap(text, WIDTH - wide - 2) or [""]
        lines += [f"{title if row == 0 else '':<{wide}}  {part}" for row, part in enumerate(folded)]
    return "\n".join(lines)


def config_lines(facts: Mapping[str, Any], path: str) -> str:
    """The entry of `backbones` or `heads` in a configuration that uses the file at `path`."""
    entry = {"kind": facts.get("kind"), "backbone": "imported", "weights": json.dumps(path)}
    if facts["family"] == "backbone":
        sampling = ", ".join(f"{key}: {value}" for key, value in facts["sampling"].items())
        entry = {name: facts[name] for name in ("architecture", "mean", "std")}
        entry |= {"sampling": f"{{{sampling}}}", "weights": json.dumps(path)}
    lines = [f"    {name}: {value}" for name, value in entry.items()]
    return "\n".join([f"{facts['family']}s:", "  imported:", *lines])


def _classes(names: Sequence[str]) -> str:
    if not names:
        return "none"
    shown = ", ".join(map(str, names[:FIRST]))
    return f"{len(names)}: {shown}" + (", ..." if len(names) > FIRST else "")


def _parameters(tensors: Mapping[str, Tensor]) -> str:
    """Learned numbers: without the statistics of batch norms and the fixed factor."""
    fixed = ("running_mean", "running_var", "num_batches_tracked", "input_scale")
    return f"{sum(tensor.numel() for name, tensor in tensors.items() if not name.endswith(fixed)):,}"


def _history(facts: Mapping[str, Any]) -> dict[str, str]:
    training, origin = facts.get("training"), facts.get("origin")
    told = {"training": json.dumps(training) if training else "no record"}
    if origin:
        epoch = "" if origin.get("epoch") is None else f", epoch {origin['epoch']}"
        told["origin"] = f"{origin['format']}{epoch}, sha256 {str(origin['sha256'])[:24]}"
    return told

"""The configuration described from its own models: every key with its default, its limits and its meaning.

The example entries make the described file a valid configuration; they are the only values that are not defaults.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from stages.lib.config.root import Config

WIDTH: Final = 110
HEADER: Final = """\
# Every key of the configuration, with its default. Made by `python -m stages.lib.config` from the models in
# stages/lib/config; a run's own file names only what it changes. The keys `example` stand for names of your choice:
# there may be several data sets, detectors, backbones, banks, heads and ensembles. Blocks that are commented out are
# optional and absent by default.
"""

EXAMPLES: Final[Mapping[str, Any]] = {
    "run": "example",
    "datasets.example.format": "videos",
    "datasets.example.videos": "videos",
    "datasets.example.detector": "example",
    "detectors.example.architecture": "frcnn-r50-fpn",
    "detectors.example.weights": "weights/detector.safetensors",
    "backbones.example.architecture": "r50",
    "backbones.example.weights": "weights/backbone.safetensors",
    "backbones.example.pretrain.dataset": "example",
    "backbones.example.finetune.backbone": "example",
    "backbones.example.finetune.head": "example",
    "banks.example.kind": "afb",
    "banks.example.backbone": "example",
    "heads.example.kind": "acar",
    "heads.example.backbone": "example",
    "heads.example.memory.bank": "example",
    "ensembles.example.members": ["example"],
}
"""Values of the keys without a default (and of those without which the example would not be valid)."""


def default_yaml() -> str:
    """The text of `configs/default.yaml`."""
    return HEADER + "\n".join(_section(Config, "", 0)) + "\n"


def schema_json() -> str:
    """The JSON schema of the whole configuration, for editors and other validators."""
    return json.dumps(Config.model_json_schema(), indent=2) + "\n"


def _section(model: type[BaseModel], path: str, depth: int) -> Iterator[str]:
    schema = model.model_json_schema()
    for name, field in model.model_fields.items():
        where = f"{path}{name}"
        if depth == 0:
            yield ""
        yield from _comment(_meaning(field, schema["properties"][name], where), depth)
        yield from _entry(name, field, where, depth)


def _entry(name: str, field: FieldInfo, where: str, depth: int) -> Iterator[str]:
    nested, kind = _nested(field.annotation)
    pad = "  " * depth
    if nested is None:
        yield f"{pad}{name}: {scalar(_value(where, field))}"
    elif kind == "table":
        yield f"{pad}{name}:"
        yield f"{pad}  example:"
        yield from _section(nested, f"{where}.example.", depth + 2)
    elif kind == "optional":
        block = [f"{pad}{name}:", *_section(nested, f"{where}.", depth + 1)]
        yield from (f"{pad}# {line[len(pad) :]}" for line in block)
    else:
        yield f"{pad}{name}:"
        yield from _section(nested, f"{where}.", depth + 1)


def _nested(annotation: Any) -> tuple[type[BaseModel] | None, str]:
    """The model inside an annotation, and whether it is the section itself, optional, or a table by name."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, "section"
    for part in get_args(annotation):
        if isinstance(part, type) and issubclass(part, BaseModel):
            return part, "table" if getattr(annotation, "__origin__", None) is dict else "optional"
    return None, "plain"


def _value(where: str, field: FieldInfo) -> Any:
    if where in EXAMPLES:
        return EXAMPLES[where]
    assert not field.is_required(), f"{where} has no default and needs an example"
    return field.get_default(call_default_factory=True)


def _meaning(field: FieldInfo, limits: Mapping[str, Any], where: str) -> str:
    assert field.description, f"{where} has no description"
    text = re.sub(r"\s+", " ", field.description).strip()
    notes = ["required"] if field.is_required() else []
    notes += _limits(limits)
    return f"{text} [{', '.join(notes)}]" if notes else text


def _limits(schema: Mapping[str, Any]) -> list[str]:
    """What the JSON schema says about a plain value: choices and bounds."""
    found: list[str] = []
    for part in (schema, *schema.get("anyOf", ()), schema.get("items") or {}):
        if "enum" in part:
            found.append("one of " + ", ".join(str(value) for value in part["enum"]))
        bounds = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}
        found += [f"{sign} {part[name]:g}" for name, sign in bounds.items() if name in part]
    return list(dict.fromkeys(found))


def _comment(text: str, depth: int) -> Iterator[str]:
    pad, line = "  " * depth + "# ", ""
    for word in text.split(" "):
        if line and len(pad) + len(line) + 1 + len(word) > WIDTH:
            yield pad + line
            line = word
        else:
            line = f"{line} {word}".strip()
    yield pad + line


def scalar(value: Any) -> str:
    """A value as JSON, which is YAML too; exponents get the dot without which YAML 1.1 reads a string."""
    if isinstance(value, float):
        text = json.dumps(value)
        return text.replace("e", ".0e") if "e" in text and "." not in text else text
    if isinstance(value, tuple | list):
        return "[" + ", ".join(scalar(item) for item in value) + "]"
    return json.dumps(value, sort_keys=True)

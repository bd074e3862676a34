"""From a raw mapping to a checked `Config`, and to the canonical text that is fingerprinted."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from stages.lib.config.root import Config
from stages.lib.errors import StageError

Model = TypeVar("Model", bound=BaseModel)


def load_config(raw: Mapping[str, Any], where: str = "configuration") -> Config:
    """Check a raw mapping (defaults < `--configfile` < `--config`); a bad key or value is a StageError naming it."""
    return check(Config, raw, where)


def check(model: type[Model], raw: Mapping[str, Any], where: str) -> Model:
    """Validate `raw` as `model`; every fault is listed with its key in one StageError."""
    try:
        return model.model_validate(dict(raw))
    except ValidationError as error:
        faults = "; ".join(_fault(detail) for detail in error.errors())
        raise StageError(
            faults, where, "correct the named key; configs/default.yaml describes every key"
        ) from None


def _fault(detail: Mapping[str, Any]) -> str:
    key = ".".join(str(part) for part in detail["loc"])
    message = str(detail["msg"]).removeprefix("Value error, ")
    if detail["type"] == "extra_forbidden":
        return f"unknown key {key}"
    if detail["type"] == "missing":
        return f"key {key} is missing"
    if not key:
        return message
    given = detail.get("input")
    shown = f" (got {given!r})" if isinstance(given, str | int | float | bool) else ""
    return f"{key}: {message}{shown}"


def canonical_json(value: Mapping[str, Any]) -> str:
    """The one text of a JSON value: sorted keys, no spaces, ASCII."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def text_sha(text: str) -> str:
    """First 16 hex digits of the sha256 of a text, as used by `--config-sha`."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]

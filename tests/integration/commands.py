"""Configuration files and flags for running a stage's command in the tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from stages.lib.config.ensemble import EnsembleConfig
from stages.lib.config.evaluate import EvaluateConfig, MetricConfig
from stages.lib.config.load import canonical_json
from stages.lib.config.payloads import EnsemblePayload, EvaluatePayload, Payload, ReportPayload
from stages.lib.config.report import ReportConfig
from stages.lib.config.versions import VERSIONS


def write_config(path: Path, payload: Payload) -> Path:
    """The payload as the file that a rule would write."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(canonical_json(payload.model_dump(mode="json")))
    return path


def evaluate_config(folder: Path, **keys: object) -> Path:
    """Configuration of evaluate."""
    cfg = EvaluateConfig.model_validate(keys)
    return write_config(folder / "evaluate.json", EvaluatePayload(version=VERSIONS["evaluate"], evaluate=cfg))


def ensemble_config(folder: Path, members: Sequence[str], **keys: object) -> Path:
    """Configuration of ensemble."""
    cfg = EnsembleConfig.model_validate({"members": tuple(members), **keys})
    payload = EnsemblePayload(version=VERSIONS["ensemble"], ensemble=cfg, metric=MetricConfig())
    return write_config(folder / "ensemble.json", payload)


def report_config(folder: Path, **keys: object) -> Path:
    """Configuration of report."""
    payload = ReportPayload(version=VERSIONS["report"], report=ReportConfig.model_validate(keys), run="demo")
    return write_config(folder / "report.json", payload)


def named(files: Mapping[str, Sequence[Path]]) -> list[str]:
    """Flag values NAME=FILE."""
    return [f"{name}={path}" for name, paths in files.items() for path in paths]

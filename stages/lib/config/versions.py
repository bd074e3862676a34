"""Version number of each stage: raised when the stage's output changes, never for a refactor."""

from __future__ import annotations

from typing import Final

VERSIONS: Final[dict[str, int]] = {
    "synthesize": 2,
    "index": 3,
    "decode": 2,
    "train_detector": 1,
    "pretrain": 1,
    "detect": 1,
    "finetune": 1,
    "extract": 3,
    "bank": 2,
    "train": 2,
    "predict": 3,
    "ensemble": 4,
    "evaluate": 6,
    "report": 7,
}

from __future__ import annotations

from typing import Any

import pytest

from stages.lib.config.load import canonical_json, load_config
from stages.lib.config.payloads import payload
from stages.lib.config.versions import VERSIONS
from tests.unit.lib.config.raw import small

TUNED = {
    "backbones__tuned": {"architecture": "playground", "finetune": {"backbone": "small", "head": "tuned"}},
    "heads__tuned": {"kind": "acar", "backbone": "tuned"},
}
VARIANT = {
    "synthesize": "films",
    "index": "films",
    "decode": "films",
    "train_detector": "person",
    "detect": "person",
    "pretrain": "small",
    "finetune": "tuned",
    "extract": "small",
    "bank": "acfb",
    "train": "long",
    "predict": "long",
    "ensemble": "all",
    "evaluate": "all",
    "report": "all",
}


def texts(raw: dict[str, Any]) -> dict[str, str]:
    """The settings of every stage."""
    config = load_config(raw)
    return {
        stage: canonical_json(payload(config, stage, key).model_dump(mode="json"))
        for stage, key in VARIANT.items()
    }


CHANGES: list[tuple[dict[str, Any], set[str]]] = [
    ({"run": "other"}, {"report"}),
    ({"videos": "elsewhere"}, set()),
    ({"datasets__films__sheet": "other.tsv"}, set()),
    ({"datasets__films__shards": 7}, set()),
    ({"datasets__films__exclusive": [[1, 2], [5, 9]]}, {"index"}),
    ({"synthesize": {"seed": 1}}, {"synthesize"}),
    ({"decode__jpeg_quality": 80}, {"decode"}),
    ({"decode__rate": 25}, {"decode", "pretrain", "finetune", "extract"}),
    ({"backbones__small__weights": "other.safetensors"}, {"pretrain"}),
    ({"backbones__small__sampling": {"stride": 4}}, {"decode", "pretrain", "extract"}),
    (
        {f"backbones__{key}__sampling": {"slow_rule": "full-span"} for key in ("small", "tuned")},
        {"pretrain", "finetune", "extract"},
    ),
    ({"backbones__tuned__finetune__recipe": {"lr": 0.1}}, {"finetune"}),
    ({"backbones__tuned__finetune__splits": ["train", "val-a"]}, {"finetune"}),
    ({"heads__tuned__hidden": 64}, {"finetune"}),
    ({"heads__tuned__recipe": {"lr": 0.1}}, set()),
    ({"heads__tuned__min_score": 0.1}, set()),
    ({"extract__views": ["s224"]}, {"finetune", "extract", "predict"}),
    ({"detectors__person__train": {"lr": 0.1}}, {"train_detector"}),
    ({"detectors__person__min_score": 0.2}, {"train_detector", "detect"}),
    ({"extract__batch": 2}, {"extract"}),
    ({"extract__engine": "openvino"}, {"extract"}),
    ({"extract__precision": "bf16"}, {"extract"}),
    ({"extract__keep_views": True}, set()),
    ({"banks__acfb__min_score": 0.5}, {"bank"}),
    ({"heads__long__recipe": {"lr": 0.1}}, {"train"}),
    ({"heads__long__min_score": 0.1}, {"predict"}),
    ({"heads__linear__recipe": {"lr": 0.1}}, set()),
    ({"ensembles__all__power": 2}, {"ensemble"}),
    ({"evaluate": {"iou": 0.6}}, {"ensemble", "evaluate"}),
    ({"report": {"top": 5}}, {"report"}),
]


@pytest.mark.parametrize(("change", "stages"), CHANGES, ids=[str(change) for change, _ in CHANGES])
def test_a_key_reaches_only_the_stages_that_read_it(change: dict[str, Any], stages: set[str]) -> None:
    before, after = texts(small(**TUNED)), texts(small(**(TUNED | change)))
    assert {stage for stage in VARIANT if before[stage] != after[stage]} == stages


def test_seeds_are_not_part_of_a_training() -> None:
    """A seed more must not train the others again."""
    before = payload(load_config(small()), "train", "linear")
    assert payload(load_config(small(heads__linear__seeds=[0, 1])), "train", "linear") == before


def test_every_stage_has_a_payload_with_its_version() -> None:
    config = load_config(small(**TUNED))
    assert set(VARIANT) == set(VERSIONS)
    assert all(payload(config, stage, key).version == VERSIONS[stage] for stage, key in VARIANT.items())


def test_given_boxes_need_no_detector() -> None:
    assert payload(load_config(small()), "detect", "given").model_dump()["detector"] is None

"""Fine-tuned networks in the configuration: what they name, what they may not, and who is made in which order."""

from __future__ import annotations

from typing import Any

import pytest

from stages.lib.config.load import load_config
from stages.lib.config.made import made
from stages.lib.config.origins import backbones_in_use, mapped_keyframes, trained_backbones, with_parents
from stages.lib.errors import StageError
from tests.unit.lib.config.raw import SMALL, small

TUNED: dict[str, Any] = {
    "backbones__one": {"architecture": "playground", "finetune": {"backbone": "small", "head": "one"}},
    "heads__one": {"kind": "acar", "backbone": "one"},
    "banks__one": {"kind": "acfb", "backbone": "one", "head": "one"},
    "backbones__two": {
        "architecture": "playground",
        "finetune": {"backbone": "small", "head": "two", "bank": "one", "ratio": {"films": 0.5}},
    },
    "heads__two": {"kind": "acar-acfb", "backbone": "two", "memory": {"bank": "one"}},
}
"""A network of its own for ACAR, and one for ACAR with the bank that the first archives."""

FAULTS: list[tuple[str, dict[str, Any], str]] = [
    (
        "parent",
        {"backbones__one__finetune__backbone": "none"},
        "backbones.one.finetune.backbone: there is no 'none'",
    ),
    (
        "head",
        {"backbones__one__finetune__head": "none"},
        "backbones.one.finetune.head: there is no 'none'",
    ),
    ("bank", {"backbones__two__finetune__bank": "none"}, "backbones.two.finetune.bank: there is no 'none'"),
    ("data set", {"backbones__one__finetune__datasets": ["none"]}, "backbones.one.finetune.datasets"),
    (
        "ratio",
        {"backbones__one__finetune__ratio": {"own": 2}},
        "backbones.one.finetune.ratio: own is none of",
    ),
    (
        "data sets of other groups of classes",
        {"datasets__other": SMALL["datasets"]["films"] | {"exclusive": []}},
        "backbones.one.finetune.datasets: films and other differ in `exclusive`",
    ),
    ("ratio of a head", {"heads__linear__ratio": {"own": 2}}, "heads.linear.ratio: own is none of"),
    ("no passes", {"heads__linear__ratio": {"films": 0}}, "heads.linear.ratio.films"),
    ("split", {"backbones__one__finetune__splits": ["val-c"]}, "backbones.one.finetune.splits"),
    (
        "head of another backbone",
        {"heads__one__backbone": "small", "banks__one__backbone": "small"},
        "heads.one reads backbone small, not one",
    ),
    (
        "bank that the head does not read",
        {"backbones__one__finetune__bank": "acfb"},
        "backbones.one.finetune.bank: it is acfb, but heads.one reads none",
    ),
    (
        "bank that the network was not trained with",
        {"backbones__two__finetune__bank": None},
        "heads.two.memory.bank: banks.one archives another backbone's maps",
    ),
    (
        "another architecture",
        {"backbones__one__architecture": "r50"},
        "backbones.one.finetune.backbone: architecture is r50 here, but playground in backbones.small",
    ),
    (
        "another choice of slow frames",
        {"backbones__one__sampling": {"slow_rule": "full-span"}},
        "sampling.slow_rule is full-span here",
    ),
    ("pretrain beside it", {"backbones__one__pretrain": {"dataset": "films"}}, "either pretrain or finetune"),
    ("weights of its head", {"heads__one__weights": "h.safetensors"}, "heads.one.weights: backbones.one"),
    ("another seed", {"heads__two__seeds": [0, 1]}, "heads.two.seeds: backbones.two.finetune trains"),
    (
        "start from a head elsewhere",
        {"heads__two__init": "one"},
        "heads.two.init: heads.one reads another backbone than small",
    ),
    (
        "its own parent",
        {"backbones__one__finetune__backbone": "one"},
        "backbones.one.finetune.backbone: what is made from what comes back to one",
    ),
    (
        "its own grandparent",
        {"backbones__small": {"architecture": "playground", "finetune": {"backbone": "two", "head": "acar"}}},
        "comes back to",
    ),
    (
        "its own bank",
        {
            "banks__afb": {"kind": "afb", "backbone": "three"},
            "backbones__three": {
                "architecture": "playground",
                "finetune": {"backbone": "small", "head": "three", "bank": "afb"},
            },
            "heads__three": {"kind": "linear-afb", "backbone": "three", "memory": {"bank": "afb"}},
        },
        "backbones.three from banks.afb",
    ),
]


@pytest.mark.parametrize(
    ("change", "named"), [fault[1:] for fault in FAULTS], ids=[fault[0] for fault in FAULTS]
)
def test_faults_name_the_key(change: dict[str, Any], named: str) -> None:
    with pytest.raises(StageError) as caught:
        load_config(small(**(TUNED | change)))
    assert named in str(caught.value)


def test_a_head_may_not_be_made_from_its_own_bank() -> None:
    with pytest.raises(StageError, match="comes back to"):
        load_config(small(heads__acar={"kind": "acar", "backbone": "small", "init": "long"}))


def test_the_chain_of_two_networks_is_sound() -> None:
    config = load_config(small(**TUNED))
    assert config.is_finetuned("one") and config.is_finetuned("two")
    assert config.is_trained_alone("linear") and not config.is_trained_alone("two")
    assert config.reads_foreign_bank(config.heads["two"]) and not config.reads_foreign_bank(
        config.heads["long"]
    )
    names = made(config)
    assert names["finetune"] == {("one",), ("two",)}
    assert not names["pretrain"]
    assert {variant for variant, *_ in names["train"]} == {"linear", "acar", "long"}
    assert {variant for variant, *_ in names["extract"]} == {"small", "one", "two"}


def test_given_weights_take_the_place_of_the_training() -> None:
    """Then the head is trained on cached maps, and the parent is read no more where nothing else reads it."""
    given = {"backbones__one__weights": "one.safetensors", "backbones__two__weights": "two.safetensors"}
    heads = {key: {"kind": kind, "backbone": key} for key, kind in (("one", "acar"), ("two", "acar-acfb"))}
    heads["two"]["memory"] = {"bank": "one"}  # type: ignore[assignment]
    raw = small(**TUNED, **given, heads=heads, ensembles={})
    del raw["banks"]["acfb"]
    config = load_config(raw)
    assert config.is_trained_alone("two") and config.reads_foreign_bank(config.heads["two"])
    assert with_parents(config) == backbones_in_use(config) == ("one", "two")
    assert trained_backbones(config) == ()
    assert not made(config)["finetune"]


def test_parents_of_parents_are_needed() -> None:
    raw = small(
        **TUNED,
        backbones__small={"architecture": "playground", "pretrain": {"dataset": "films"}},
        heads={"one": TUNED["heads__one"], "two": TUNED["heads__two"]},
        ensembles={},
    )
    del raw["banks"]["acfb"]
    config = load_config(raw)
    assert backbones_in_use(config) == ("one", "two")
    assert trained_backbones(config) == ("one", "small", "two")


def test_maps_are_made_of_what_somebody_reads() -> None:
    """One is archived by a bank, two answers alone; small is read by a head that learns from maps, until it is given."""
    config = load_config(small(**TUNED))
    found = {key: mapped_keyframes(config, key) for key in ("one", "two", "small")}
    assert found == {"one": "all", "two": "evaluated", "small": "all"}
    raw = small(**TUNED)
    raw["backbones"]["two"]["weights"] = "two.safetensors"
    assert mapped_keyframes(load_config(raw), "two") == "labelled"
    raw["heads"]["two"]["weights"] = "head.safetensors"
    assert mapped_keyframes(load_config(raw), "two") == "evaluated"

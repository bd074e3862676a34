from __future__ import annotations

from typing import Any

import pytest

from stages.lib.config.load import load_config
from stages.lib.errors import StageError
from tests.unit.lib.config.raw import SMALL, small

HEAD = {"kind": "acar", "backbone": "small"}
AFB = {"kind": "afb", "backbone": "small"}
READER = {"kind": "acar-afb", "backbone": "small", "memory": {"bank": "afb"}}
FAULTS: list[tuple[str, dict[str, Any], str]] = [
    ("a class in two groups", {"datasets__films__exclusive": [[1, 2], [2, 3]]}, "names class 2 twice"),
    ("a group of one", {"datasets__films__exclusive": [[1]]}, "needs two classes or more"),
    ("groups without a list", {"datasets__own__exclusive": [[1, 2]]}, "give labelmap"),
    (
        "groups that differ between data sets of one head",
        {
            "datasets__other": SMALL["datasets"]["films"] | {"exclusive": []},
            "heads__linear__datasets": ["films", "other"],
        },
        "films and other differ in `exclusive`",
    ),
    ("detector", {"datasets__films__detector": "none"}, "datasets.films.detector: there is no 'none'"),
    ("data set of a detector", {"detectors__person__dataset": "none"}, "detectors.person.dataset"),
    ("backbone of a head", {"heads__linear__backbone": "none"}, "heads.linear.backbone"),
    ("data set of a head", {"heads__linear__datasets": ["none"]}, "heads.linear.datasets"),
    ("bank of a head", {"heads__long__memory": {"bank": "none"}}, "heads.long.memory.bank"),
    ("member", {"ensembles__all__members": ["none"]}, "ensembles.all.members"),
    ("seed of a member", {"ensembles__all__members": ["acar:1"]}, "not trained with seed 1"),
    ("member twice", {"ensembles__all__members": ["acar", "acar:0"]}, "stand twice"),
    ("seed of init", {"heads__long__seeds": [0, 1]}, "lacks some of these seeds"),
    ("seed of a bank's head", {"banks__acfb__head_seed": 3}, "not trained with seed 3"),
    (
        "bank of another kind",
        {"banks__acfb": {"kind": "afb", "backbone": "small"}},
        "cannot read a bank of kind afb",
    ),
    (
        "bank that pools otherwise",
        {"banks__afb": AFB, "heads__drawn": READER | {"roi_aligned": True}},
        "heads.drawn.roi_aligned: it is True, but False in banks.afb",
    ),
    (
        "bank on another scale",
        {"banks__afb": AFB | {"roi_scale": "pixels"}, "heads__drawn": READER},
        "heads.drawn.roi_scale: it is grid, but pixels in banks.afb",
    ),
    (
        "pooling of relation maps",
        {"banks__acfb": {"kind": "acfb", "backbone": "small", "head": "acar", "roi_aligned": True}},
        "roi_aligned and roi_scale of an acfb bank are those of its head",
    ),
    (
        "bank of other sizes",
        {"heads__acar": HEAD | {"hidden": 64}},
        "heads.long.hidden: it is 512, but 64 in heads.acar",
    ),
    ("bank made by a linear head", {"banks__acfb__head": "linear"}, "needs kind acar"),
    ("cycle of heads", {"heads__acar": HEAD | {"init": "acar"}}, "comes back to acar"),
    ("memory without bank kind", {"heads__linear__memory": {"bank": "acfb"}}, "the others take none"),
    ("bank kind without memory", {"heads__long__memory": None}, "need memory"),
    (
        "live actors beside vectors",
        {"heads__reader": READER | {"memory": {"bank": "afb", "include_live": True}}},
        "memory.include_live belongs to the kind acar-acfb",
    ),
    (
        "padding of relation maps",
        {"heads__long__memory": {"bank": "acfb", "mask_padding": False}},
        "memory.mask_padding belongs to the kinds that end in -afb",
    ),
    ("two origins", {"backbones__small__pretrain": {"dataset": "films"}}, "either weights or pretrain"),
    ("no origin", {"backbones__small__weights": None}, "either weights or pretrain"),
    ("boxes and detector", {"datasets__own__detector": "person"}, "either detector or boxes"),
    ("sheet for a folder", {"datasets__own__sheet": "x.tsv"}, "format videos takes only a folder"),
    ("included seconds of a folder", {"datasets__own__included": "x.txt"}, "it is for format ava"),
    ("no label map", {"datasets__films__labelmap": None}, "needs sheet and labelmap"),
    ("drawn, with paths", {"datasets__films__synthesized": True}, "takes no videos, sheet or annotations"),
    ("repeated view", {"extract__views": ["s256", "s256"]}, "views repeat"),
    (
        "half precision in openvino",
        {"extract__engine": "openvino", "extract__precision": "bf16"},
        "openvino computes in fp32",
    ),
    ("flipped canonical view", {"extract__views": ["s256-flip"]}, "not flipped"),
    ("view above the cache", {"decode__short_side": 300}, "below the largest view, 320"),
    ("too many shards", {"datasets__films__shards": 401}, "datasets.films.shards"),
]


def test_the_small_configuration_is_sound() -> None:
    config = load_config(small())
    assert config.annotated == ("films",)
    assert config.training_sets(config.heads["linear"]) == ("films",)


def test_a_bank_may_pool_as_its_head_does_and_given_weights_are_compared_later() -> None:
    like = {"roi_aligned": True, "roi_scale": "pixels"}
    assert load_config(small(banks__afb=AFB | like, heads__drawn=READER | like)).heads["drawn"].roi_aligned
    given = READER | {"weights": "head.safetensors"}
    assert load_config(small(banks__afb=AFB | like, heads__drawn=given)).banks["afb"].roi_aligned


@pytest.mark.parametrize(
    ("change", "named"), [fault[1:] for fault in FAULTS], ids=[fault[0] for fault in FAULTS]
)
def test_faults_between_sections_name_the_key(change: dict[str, Any], named: str) -> None:
    with pytest.raises(StageError) as caught:
        load_config(small(**change))
    assert named in str(caught.value)


def test_a_longer_cycle_is_found() -> None:
    heads = {"a": HEAD | {"init": "b"}, "b": HEAD | {"init": "c"}, "c": HEAD | {"init": "a"}}
    with pytest.raises(StageError, match="comes back to"):
        load_config(small(heads=heads, banks={}, ensembles={}))

"""Starting a head from another one's weights."""

from __future__ import annotations

import pytest
import torch

from stages.lib.errors import StageError
from stages.train.initial import check_start, fresh_head, start_from
from tests.integration.learning_world import head_config


def test_seed_decides_the_draw() -> None:
    one, two, other = (fresh_head(head_config("acar"), 20, 3, 1.0, seed).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert not torch.equal(one["fc2.weight"], other["fc2.weight"])


@pytest.mark.parametrize("kind", ["linear", "linear-afb", "acar", "acar-afb", "acar-acfb"])
def test_heads_pool_as_configured(kind: str) -> None:
    for aligned, scale in ((False, "grid"), (True, "grid"), (False, "pixels")):
        head = fresh_head(head_config(kind, roi_aligned=aligned, roi_scale=scale), 20, 3, 1.0, 0)
        assert (head.aligned, head.by_pixels) == (aligned, scale == "pixels")


def test_acfb_takes_all_of_acar() -> None:
    given = fresh_head(head_config("acar"), 20, 3, 2.0, 0).state_dict()
    head = fresh_head(head_config("acar-acfb"), 20, 3, 1.0, 1)
    assert start_from(head, given, "here") == ()
    assert all(torch.equal(head.state_dict()[name], value) for name, value in given.items())
    assert float(head.input_scale) == 2.0


def test_wider_classifier_keeps_its_new_columns() -> None:
    given = fresh_head(head_config("acar"), 20, 3, 1.0, 0).state_dict()
    head = fresh_head(head_config("acar-afb"), 20, 3, 1.0, 1)
    before = head.state_dict()["fc2.weight"].clone()
    kept = start_from(head, given, "here")
    after = head.state_dict()["fc2.weight"]
    assert torch.equal(after[:, :16], given["fc2.weight"])
    assert torch.equal(after[:, 16:], before[:, 16:])
    assert "fc2.weight" in kept
    assert any(name.startswith("afb.") for name in kept)


def test_misfits_are_named() -> None:
    given = fresh_head(head_config("linear"), 20, 3, 1.0, 0).state_dict()
    with pytest.raises(StageError, match=r"fc\.weight.*no such tensor"):
        start_from(fresh_head(head_config("acar"), 20, 3, 1.0, 0), given, "here")
    with pytest.raises(StageError, match="instead of"):
        start_from(fresh_head(head_config("linear"), 24, 5, 1.0, 0), given, "here")
    facts = {"family": "head", "class_ids": [1, 2], "backbone_sha": "a" * 64}
    check_start(facts, (1, 2), "a" * 64, "here")
    for wrong, text in (
        ({"class_ids": [1]}, "classes"),
        ({"backbone_sha": "b" * 64}, "bbbb"),
        ({"family": "x"}, "head"),
    ):
        with pytest.raises(StageError, match=text):
            check_start(facts | wrong, (1, 2), "a" * 64, "here")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"family": "backbone"}, "not the weights of a head"),
        ({"class_ids": [1, 2]}, "other classes"),
        ({"backbone_sha": "c" * 64}, "cccccccccccc, these maps come from bbbbbbbbbbbb"),
    ],
)
def test_a_start_of_another_kind_is_refused(changes: dict[str, object], message: str) -> None:
    facts: dict[str, object] = {"family": "head", "class_ids": [1, 2, 3], "backbone_sha": "b" * 64}
    check_start(facts, [1, 2, 3], "b" * 64, "w")
    with pytest.raises(StageError, match=message) as refusal:
        check_start(facts | changes, [1, 2, 3], "b" * 64, "w")
    assert refusal.value.where == "w"
    assert refusal.value.fix

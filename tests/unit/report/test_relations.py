"""Where relations look: both maps against loops, who is chosen, and the pictures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from stages.lib.artifacts.tables import Boxes
from stages.lib.models.builders import build_head
from stages.lib.models.heads import AcarHead
from stages.lib.models.inputs import HeadInput
from stages.report.choice import people_to_show, split_to_show
from stages.report.core import Material, build_page
from stages.report.looks import Look, cell_edges, look_card
from stages.report.relations import relation_maps
from tests.integration.small_run import CLASSES, IDS, KINDS, World, draw_world

KIND_OF = dict(zip(IDS, KINDS, strict=True))
IMAGE = torch.tensor([0, 1, 1, 1])


def head_and_inputs(kind: str, depth: int) -> tuple[AcarHead, HeadInput]:
    torch.manual_seed(3)
    head = build_head(kind, channels=5, classes=4, reduce=6, hidden=7, depth=depth, output_kernel=3).eval()
    assert isinstance(head, AcarHead)
    corner = torch.rand(4, 2) * 0.5
    return head, HeadInput(torch.randn(2, 5, 8, 11), torch.cat([corner, corner + 0.4], dim=1), IMAGE)


@pytest.mark.parametrize(("kind", "depth"), [("acar", 1), ("acar", 2), ("acar-afb", 1), ("acar-acfb", 2)])
@torch.no_grad()
def test_both_maps_equal_loops(kind: str, depth: int) -> None:
    head, inputs = head_and_inputs(kind, depth)
    found = relation_maps(head, inputs)
    running = head.first_order(inputs)[1]
    for layer in head.hr2o.layers():
        query, key, value = layer.conv_q(running), layer.conv_k(running), layer.conv_v(running)
        mixed, moved = torch.zeros_like(value), torch.zeros(running.shape[0], *running.shape[2:])
        for i in range(4):
            readers = [j for j in range(4) if IMAGE[j] == IMAGE[i]]
            for y in range(running.shape[2]):
                for x in range(running.shape[3]):
                    scores = torch.stack([query[i, :, y, x] @ key[j, :, y, x] / 7**0.5 for j in readers])
                    weights = scores.softmax(dim=0)
                    mixed[i, :, y, x] = sum(
                        w * value[j, :, y, x] for w, j in zip(weights, readers, strict=True)
                    )
                    change = sum(
                        w * (value[j, :, y, x] - value[i, :, y, x])
                        for w, j in zip(weights, readers, strict=True)
                    )
                    moved[i, y, x] = float(torch.linalg.vector_norm(change))
        running = running + layer.conv(torch.relu(layer.norm(mixed)))
    torch.testing.assert_close(found.others_Nhw, moved, rtol=1e-4, atol=1e-5)
    assert float(found.others_Nhw[0].abs().max()) < 1e-5, "somebody who is alone reads no other"
    relation_AD = head.fc2.weight[:, 7:14]
    torch.testing.assert_close(
        found.score_NAhw.mean(dim=(2, 3)), running.mean(dim=(2, 3)) @ relation_AD.T, rtol=1e-4, atol=1e-5
    )
    if kind == "acar":
        actor_NA = torch.relu(head.fc1(head.first_order(inputs)[0])) @ head.fc2.weight[:, :7].T
        torch.testing.assert_close(
            actor_NA + found.score_NAhw.mean(dim=(2, 3)), head(inputs), rtol=1e-4, atol=1e-5
        )


def scene() -> tuple[World, np.ndarray, Boxes, np.ndarray]:
    world = draw_world(5, [("a", "train"), ("b", "val"), ("c", "val")])
    rows = split_to_show(world.index)
    boxes = world.index.truth().take(rows)
    return world, rows, boxes, np.random.default_rng(0).random((len(boxes), len(CLASSES.ids)))


def test_people_of_kind_c_come_first() -> None:
    world, rows, boxes, probabilities = scene()
    assert all(world.index.split[v] == "val" for v in world.index.keyframes.video[rows])
    shown = people_to_show(world.index, rows, boxes, probabilities, KIND_OF, 4)
    assert len(shown) == 4 == len({person.place for person in shown})
    assert {KIND_OF[CLASSES.ids[person.column]] for person in shown} == {"c"}
    assert len({person.column for person in shown}) == 2, "the classes take turns"
    for person in shown:
        own = boxes.of(person.place)
        assert own.stop - own.start > 1
        assert own.start <= person.box < own.stop
        truth = world.index.truth().of(int(rows[person.place]))
        assert world.index.truth_labels[truth.start + person.box - own.start, person.column]
    assert shown == people_to_show(world.index, rows, boxes, probabilities, KIND_OF, 4)


def test_without_kinds_the_surest_come_first() -> None:
    world, rows, boxes, probabilities = scene()
    shown = people_to_show(world.index, rows, boxes, probabilities, {}, 50)
    assert shown and not {person.column for person in shown} & set(CLASSES.groups()[0])
    nobody = Boxes.stack([(np.zeros((0, 4)), np.zeros(0))] * len(rows))
    assert people_to_show(world.index, rows, nobody, np.zeros((0, len(CLASSES.ids))), {}, 4) == []


def test_cells_stand_over_what_they_read() -> None:
    np.testing.assert_allclose(cell_edges(3, 8) * 8, [0.5, 2.5, 4.5, 6.5])


LOOK = Look(
    "films: <a> at 3 s", b"jpeg", (160, 80), ((0.1, 0.1, 0.3, 0.9), (0.5, 0.1, 0.7, 0.9)), 1,
    "ride", 0.5, (8, 11), np.array([np.arange(12).reshape(3, 4), np.linspace(-1, 3, 12).reshape(3, 4)], np.float16),
)  # fmt: skip


def test_the_pictures() -> None:
    html = look_card(LOOK)
    assert html.count("data:image/jpeg;base64,") == 2
    assert html.count("<rect") == 2 * (12 + 2)
    assert "the relation adds +1.00 to its logit" in html
    assert "<a>" not in html
    still = look_card(replace(LOOK, maps_2hw=np.zeros((2, 3, 4), np.float16)))
    assert 'fill-opacity="0.00"' in still and "nan" not in still


def test_a_page_has_the_section_only_with_pictures() -> None:
    page = build_page(Material(run="x", relation_head="acar/seed0", looks=[LOOK]))
    assert 'id="relations"' in page and "acar/seed0, last HR2O layer" in page
    without = build_page(Material(run="x"))
    assert 'id="relations"' not in without and "Where relations look" not in without

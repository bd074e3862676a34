"""Batches are halved where memory runs out, and only there; every stage that runs a network gives the same with less of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from stages.bank.core import pooled_vectors, relation_maps
from stages.lib.artifacts.tables import Boxes, Keyframes, splits_of
from stages.lib.geometry.views import parse_view
from stages.lib.halving import Batches, is_out_of_memory
from stages.lib.models.builders import build_backbone, build_head
from stages.lib.models.mapstore import MapTable
from stages.predict.core import logits_by_view
from tests.unit.bank.test_core import setting
from tests.unit.extract.test_core import extractor_of, frames
from tests.unit.lib.detectors.test_detector import _detector, _images
from tests.unit.predict.test_core import CPU, Maps, draw_maps, make_use

pytestmark = pytest.mark.fault("F14")


def full(room: int, work: Callable[..., Any], size: Callable[..., int]) -> Callable[..., Any]:
    """`work` on a device whose memory holds `room` items, as torch says it."""

    def limited(*words: Any, **named: Any) -> Any:
        if size(*words, **named) > room:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return work(*words, **named)

    return limited


@given(count=st.integers(0, 40), size=st.integers(1, 40), room=st.integers(1, 40))
def test_every_item_is_done_once_in_order_and_no_batch_exceeds_the_room(
    count: int, size: int, room: int
) -> None:
    batches, tried = Batches(size), []

    def work(items: slice) -> list[int]:
        tried.append(items.stop - items.start)
        if tried[-1] > room:
            raise torch.OutOfMemoryError
        return list(range(count))[items]

    done = list(batches.of(count, work))
    assert [item for part in done for item in part] == list(range(count))
    assert all(1 <= len(part) <= min(room, size) for part in done)
    assert len(tried) - len(done) <= 6, "what was too much is not tried again and again"
    assert batches.used == ({} if min(count, size) <= room else {"batch": batches.size})


def test_what_is_want_of_memory() -> None:
    assert is_out_of_memory(MemoryError()) and is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 60)
    assert is_out_of_memory(caught.value), caught.value
    assert not is_out_of_memory(RuntimeError("shapes differ")) and not is_out_of_memory(OSError("no space"))


@pytest.mark.parametrize(("error", "count"), [(torch.OutOfMemoryError("one"), 1), (RuntimeError("other"), 8)])
def test_what_smaller_batches_do_not_mend_is_raised(error: Exception, count: int) -> None:
    def work(_items: slice) -> None:
        raise error

    with pytest.raises(type(error), match=str(error)):
        list(Batches(8).of(count, work))


def same(found: np.ndarray, expected: np.ndarray) -> None:
    assert found.shape == expected.shape and found.size
    assert np.abs(found - expected).max() <= 1e-4 * max(1.0, float(np.abs(expected).max()))


def test_extract(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    extractor = extractor_of(build_backbone("playground").eval())
    expected = extractor.maps(frames(5), parse_view("s48"))
    assert extractor.batches.used == {}
    monkeypatch.setattr(extractor, "_engine", full(2, extractor._engine, lambda slow, _fast: len(slow)))
    same(extractor.maps(frames(5), parse_view("s48")), expected)
    assert extractor.batches.used == {"batch": 2}


@pytest.mark.parametrize("kind", ["linear", "acar", "acar-acfb"])
def test_predict(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    keyframes = Keyframes(
        ("a", "b", "c", "d"), np.repeat(np.arange(4, dtype=np.int32), 3), np.tile([1000, 2000, 3000], 4)
    )
    counts = rng.integers(1, 4, 12)
    corner = rng.random((int(counts.sum()), 2)) * 0.5
    boxes = Boxes(
        splits_of(counts), np.concatenate([corner, corner + 0.4], 1).astype(np.float32), np.ones(len(corner))
    )
    views, use = {"s128": MapTable([Maps(draw_maps(rng, [(7, 8)] * 12))])}, make_use(kind, rng, 12)
    expected = logits_by_view(use, views, keyframes, np.arange(12), boxes, CPU)["s128"]
    room = full(3, use.head.forward, lambda inputs: len(inputs.maps_BCHW))
    monkeypatch.setattr(use.head, "forward", room)
    same(logits_by_view(use, views, keyframes, np.arange(12), boxes, CPU)["s128"], expected)
    assert use.batches.used == {"batch": 3}


def test_detect(monkeypatch: pytest.MonkeyPatch) -> None:
    detector, images = _detector(), _images()[:4]
    expected = detector.detect(images)
    step = full(1, detector.model.test_step, lambda data: len(data["inputs"]))
    monkeypatch.setattr(detector.model, "test_step", step)
    found = detector.detect(images)
    assert detector.batches.used == {"batch": 1}
    for one, other in zip(found, expected, strict=True):
        same(one.boxes, other.boxes)
        same(one.scores, other.scores)


def test_bank(monkeypatch: pytest.MonkeyPatch) -> None:
    table, boxes, _ = setting()
    torch.manual_seed(0)
    head: Any = build_head("acar", channels=6, classes=5, reduce=4, hidden=4, roi_aligned=True)
    expected = [row for part in relation_maps(table, boxes, head, CPU) for row in part]
    vectors = np.concatenate(list(pooled_vectors(table, boxes, CPU, aligned=True, by_pixels=False)))
    batches = Batches(16)
    monkeypatch.setattr(
        head, "relation_maps", full(1, head.relation_maps, lambda inputs: len(inputs.maps_BCHW))
    )
    found = [row for part in relation_maps(table, boxes, head, CPU, batches) for row in part]
    for one, other in zip(found, expected, strict=True):
        same(one, other)
    assert batches.used == {"batch": 1}
    again = pooled_vectors(table, boxes, CPU, Batches(1), aligned=True, by_pixels=False)
    same(np.concatenate(list(again)), vectors)

"""The first-order encoder and HR2O: loop twins without tricks, and the invariants of the attention."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from stages.lib.models import relation
from stages.lib.models.relation import (
    HR2O,
    FirstOrderEncoder,
    attend,
    attention,
    fit_archive,
    window_permissions,
)


def loop_layer(
    layer: relation.HighOrderLayer, live: torch.Tensor, archive: list[list[torch.Tensor]]
) -> torch.Tensor:
    """One layer by definition; `archive[n]` lists the maps that actor n reads."""
    outputs = []
    for n in range(live.shape[0]):
        query = layer.conv_q(live[n : n + 1])[0]
        keys = [layer.conv_k(other[None])[0] for other in archive[n]]
        values = [layer.conv_v(other[None])[0] for other in archive[n]]
        hidden, height, width = query.shape
        mixed = torch.zeros_like(query)
        for y in range(height):
            for x in range(width):
                scores = [float(query[:, y, x] @ key[:, y, x]) / math.sqrt(hidden) for key in keys]
                peak = max(scores)
                total = sum(math.exp(score - peak) for score in scores)
                for score, value in zip(scores, values, strict=True):
                    mixed[:, y, x] += math.exp(score - peak) / total * value[:, y, x]
        centred = mixed - mixed.mean()
        normal = centred / (mixed.var(unbiased=False) + 1e-5).sqrt()
        normal = normal * layer.norm.weight[:, None, None] + layer.norm.bias[:, None, None]
        outputs.append(live[n] + layer.conv(normal.relu()[None])[0])
    return torch.stack(outputs)


def make(depth: int = 1, kernel: int = 1, hidden: int = 6) -> HR2O:
    torch.manual_seed(depth + 10 * kernel)
    stack = HR2O(hidden, depth=depth, output_kernel=kernel, dropout=0.2).eval()
    for layer in stack.layers():
        torch.nn.init.uniform_(layer.norm.weight, 0.5, 1.5)
        torch.nn.init.normal_(layer.norm.bias)
        torch.nn.init.normal_(layer.conv_q.weight, std=0.3)
        torch.nn.init.normal_(layer.conv_k.weight, std=0.3)
    return stack


IMAGE = torch.tensor([0, 2, 0, 2, 2])


@torch.no_grad()
def test_encoder_equals_the_concatenated_form() -> None:
    torch.manual_seed(0)
    encoder = FirstOrderEncoder(5, 7)
    context, actors = torch.randn(3, 5, 8, 11), torch.randn(5, 5)
    found = encoder(context, actors, IMAGE)
    for n in range(5):
        tiled = actors[n][:, None, None].expand(5, 8, 11)
        joint = torch.cat([context[IMAGE[n]], tiled])[None]
        wanted = F.conv2d(F.relu(F.conv2d(joint, encoder.conv1.weight)), encoder.conv2.weight).relu()
        torch.testing.assert_close(found[n], F.max_pool2d(wanted, 3, 2, 1)[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("grid", "out"), [((16, 22), (7, 10)), ((16, 29), (7, 14)), ((16, 39), (7, 19)), ((8, 16), (3, 7))]
)
def test_relation_grid(grid: tuple[int, int], out: tuple[int, int]) -> None:
    with torch.device("meta"):
        maps = FirstOrderEncoder(4, 6)(
            torch.empty(1, 4, *grid), torch.empty(1, 4), torch.zeros(1, dtype=torch.int64)
        )
    assert maps.shape == (1, 6, *out)


@pytest.mark.parametrize(("depth", "kernel"), [(1, 1), (2, 3)])
@torch.no_grad()
def test_hr2o_equals_loops(depth: int, kernel: int) -> None:
    stack, live = make(depth, kernel), torch.randn(5, 6, 3, 4)
    wanted = live
    for layer in stack.layers():
        wanted = loop_layer(
            layer, wanted, [[wanted[j] for j in range(5) if IMAGE[j] == IMAGE[n]] for n in range(5)]
        )
    torch.testing.assert_close(stack(live, IMAGE), wanted, rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_one_actor_mixes_only_its_own_value() -> None:
    layer, live = make().layers()[0], torch.randn(1, 6, 3, 4)
    key, value = layer.key_value(live)
    torch.testing.assert_close(
        attend(layer.conv_q(live), key, value, torch.ones(1, 1, dtype=torch.bool)), value
    )


@torch.no_grad()
def test_permuting_actors_permutes_outputs() -> None:
    stack, live = make(2, 3), torch.randn(5, 6, 3, 4)
    order = torch.tensor([3, 0, 4, 2, 1])
    torch.testing.assert_close(
        stack(live[order], IMAGE[order]), stack(live, IMAGE)[order], rtol=1e-4, atol=1e-5
    )


@torch.no_grad()
def test_actors_of_different_frames_never_interact() -> None:
    stack, live = make(2, 3), torch.randn(5, 6, 3, 4)
    changed = live.clone()
    changed[IMAGE == 2] += 100.0
    torch.testing.assert_close(
        stack(changed, IMAGE)[IMAGE == 0], stack(live, IMAGE)[IMAGE == 0], rtol=0, atol=0
    )
    trace: list[torch.Tensor] = []
    stack(live, IMAGE, trace=trace)
    same = IMAGE[:, None] == IMAGE[None]
    for weights in trace:
        assert float(weights[~same].abs().max()) == 0.0
        torch.testing.assert_close(weights.sum(dim=1), torch.ones(5, 3, 4))


@torch.no_grad()
def test_a_batch_of_two_is_two_batches_of_one() -> None:
    stack, live = make(2, 3), torch.randn(5, 6, 3, 4)
    joint = stack(live, IMAGE)
    for image in (0, 2):
        chosen = image == IMAGE
        torch.testing.assert_close(joint[chosen], stack(live[chosen], IMAGE[chosen]), rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_small_groups_give_the_same_mixture(monkeypatch: pytest.MonkeyPatch) -> None:
    query, key, value = torch.randn(7, 6, 2, 3), torch.randn(9, 6, 2, 3), torch.randn(9, 6, 2, 3)
    allowed = torch.rand(7, 9) < 0.4
    allowed[:, 4] = True
    whole = attend(query, key, value, allowed)
    monkeypatch.setattr(relation, "MAX_SCORES", 2 * 9 * 6)
    torch.testing.assert_close(attend(query, key, value, allowed), whole)
    by_weights = torch.einsum("nshw,schw->nchw", attention(query, key, allowed), value)
    torch.testing.assert_close(by_weights, whole, rtol=1e-4, atol=1e-5)


class Largest(TorchDispatchMode):
    """Remembers the number of values in the largest tensor that any operator made."""

    values = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        made = [result] if isinstance(result, torch.Tensor) else [t for t in result if torch.is_tensor(t)]
        self.values = max([self.values, *(tensor.numel() for tensor in made)])
        return result


@pytest.mark.parametrize("archived", [0, 105])
def test_scores_are_never_multiplied_out_over_channels(archived: int) -> None:
    """50 actors of a frame, 105 archived: no tensor is larger than a set of maps at the published widths."""
    with torch.device("meta"):
        stack, live = HR2O(512, depth=2, output_kernel=1, dropout=0.0), torch.empty(50, 512, 7, 14)
        image, memory = torch.zeros(50, dtype=torch.int64), None
        if archived:
            keys = stack.key_values(torch.empty(archived, 512, 7, 14))
            allowed = torch.ones(50, archived, dtype=torch.bool)
            memory = relation.Memory(keys, allowed, torch.zeros(0, dtype=torch.int64))
        with Largest() as largest:
            stack(live, image, memory).sum().backward()
    maps = max(50, archived) * 512 * 7 * 14
    assert largest.values <= max(maps, 512 * 512 * 9), "maps, or the gradient of a 3x3 convolution's weights"


def test_window_permissions_from_slots() -> None:
    window = torch.tensor([[0, 3, 3], [1, 9, 2], [0, 0, 0]])
    mask = torch.tensor([[True, True, True], [True, False, True], [False, False, False]])
    found = window_permissions(window, mask, 4)
    assert found.int().tolist() == [[1, 0, 0, 1], [0, 1, 1, 0], [0, 0, 0, 0]]
    assert window_permissions(
        torch.zeros(2, 0, dtype=torch.int64), torch.zeros(2, 0, dtype=torch.bool), 0
    ).shape == (2, 0)


def test_archive_fits_the_live_view() -> None:
    maps = torch.arange(2 * 3.0 * 4).view(1, 2, 3, 4)
    assert torch.equal(fit_archive(maps, (3, 4), flip=False), maps)
    assert torch.equal(fit_archive(maps, (3, 4), flip=True)[0, 1, 2], maps[0, 1, 2].flip(0))
    assert fit_archive(maps.half(), (4, 5), flip=True).shape == (1, 2, 4, 5)
    constant = torch.full((1, 1, 3, 7), 2.5)
    torch.testing.assert_close(fit_archive(constant, (4, 9), flip=False), torch.full((1, 1, 4, 9), 2.5))

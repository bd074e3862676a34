"""What SlowFast computes: against twins written with other operations, at tiny sizes."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from stages.lib.models.builders import build_backbone, build_classifier
from stages.lib.models.slowfast import SlowFast, context_maps, fold_conv_bn, for_inference
from stages.lib.models.slowfast.blocks import NonLocal, Stem, convolve_by_taps


def lively(module: nn.Module) -> nn.Module:
    """Batch norms with statistics and affine parameters away from their defaults."""
    for norm in module.modules():
        if isinstance(norm, nn.BatchNorm3d):
            nn.init.uniform_(norm.weight, 0.5, 1.5)
            nn.init.normal_(norm.bias, std=0.3)
            nn.init.normal_(norm.running_mean, std=0.3)
            nn.init.uniform_(norm.running_var, 0.5, 2.0)
    return module


def playground() -> SlowFast:
    torch.manual_seed(3)
    network = build_backbone("playground")
    lively(network)
    return network.eval()


def normed(x: torch.Tensor, state: dict[str, torch.Tensor], name: str) -> torch.Tensor:
    values = [state[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")]
    return F.batch_norm(x, *values, training=False, eps=1e-5)


def twin_block(
    x: torch.Tensor, state: dict[str, torch.Tensor], name: str, stride: int, dilation: int
) -> torch.Tensor:
    weight = state[f"{name}.conv_a.weight"]
    y = F.conv3d(x, weight, padding=(weight.shape[2] // 2, 0, 0))
    y = normed(y, state, f"{name}.bn_a").relu()
    y = F.conv3d(
        y,
        state[f"{name}.conv_b.weight"],
        stride=(1, stride, stride),
        padding=(0, dilation, dilation),
        dilation=(1, dilation, dilation),
    )
    y = normed(y, state, f"{name}.bn_b").relu()
    y = normed(F.conv3d(y, state[f"{name}.conv_c.weight"]), state, f"{name}.bn_c")
    short = F.conv3d(x, state[f"{name}.shortcut.conv.weight"], stride=(1, stride, stride))
    return (y + normed(short, state, f"{name}.shortcut.bn")).relu()


def twin(state: dict[str, torch.Tensor], slow: torch.Tensor, fast: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """The playground's network from the layer table, with functions only."""
    maps = []
    for name, clip, pad in (("slow", slow, 0), ("fast", fast, 2)):
        y = F.conv3d(clip, state[f"{name}.stem.conv.weight"], stride=(1, 2, 2), padding=(pad, 3, 3))
        y = normed(y, state, f"{name}.stem.bn").relu()
        maps.append(F.max_pool3d(y, (1, 3, 3), (1, 2, 2), (0, 1, 1)))
    slow, fast = maps
    for stage, (stride, dilation) in enumerate([(1, 1), (2, 1), (2, 1), (1, 2)]):
        lateral = F.conv3d(fast, state[f"fuse.{stage}.conv.weight"], stride=(4, 1, 1), padding=(2, 0, 0))
        slow = torch.cat([slow, normed(lateral, state, f"fuse.{stage}.bn").relu()], dim=1)
        slow = twin_block(slow, state, f"slow.res{stage + 2}.0", stride, dilation)
        fast = twin_block(fast, state, f"fast.res{stage + 2}.0", stride, dilation)
    return slow, fast


def test_forward_equals_the_layer_table() -> None:
    network, fast = playground(), torch.randn(2, 3, 8, 33, 47)
    with torch.no_grad():
        ours = network(fast[:, :, ::4], fast)
        theirs = twin(network.state_dict(), fast[:, :, ::4], fast)
    for mine, other in zip(ours, theirs, strict=True):
        assert mine.shape == other.shape
        torch.testing.assert_close(mine, other, rtol=1e-4, atol=1e-4 * float(other.abs().max()))


def test_folded_network_equals_eager() -> None:
    network, fast = playground(), torch.randn(1, 3, 8, 32, 48)
    with torch.no_grad():
        plain = network(fast[:, :, ::4], fast)
        for fast_form in (fold_conv_bn(network), for_inference(network)):
            assert not any(isinstance(module, nn.BatchNorm3d) for module in fast_form.modules())
            for mine, other in zip(fast_form(fast[:, :, ::4], fast), plain, strict=True):
                assert float((mine - other).abs().max()) <= 1e-5 * float(other.abs().max())
    assert any(isinstance(module, nn.BatchNorm3d) for module in network.modules())


def test_stem_by_taps_equals_conv3d_with_its_gradient() -> None:
    torch.manual_seed(0)
    for frames, taps in ((1, 5), (3, 5), (6, 3)):
        stem = Stem(4, taps)
        x = torch.randn(2, 3, frames, 9, 12, requires_grad=True)
        by_taps = convolve_by_taps(x, stem.conv.weight).unflatten(0, (2, frames)).squeeze(3).transpose(1, 2)
        plain = stem.conv(x)
        torch.testing.assert_close(by_taps, plain, rtol=1e-5, atol=1e-5)
        upstream = torch.randn_like(plain)
        wanted = torch.autograd.grad(plain, [x, stem.conv.weight], upstream)
        found = torch.autograd.grad(by_taps, [x, stem.conv.weight], upstream)
        for mine, other in zip(found, wanted, strict=True):
            torch.testing.assert_close(mine, other, rtol=1e-4, atol=1e-4)


def test_a_training_step_of_the_stem_is_the_same_with_and_without_taps() -> None:
    """Output, running statistics and gradients against conv, batch norm, ReLU, pool called one after the other."""
    torch.manual_seed(0)
    stem = Stem(4, 5).train()
    twin = copy.deepcopy(stem)
    x = torch.randn(2, 3, 6, 17, 22)
    found = stem(x)
    wanted = twin.pool(F.relu(twin.bn(twin.conv(x))))
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(stem.bn.running_mean, twin.bn.running_mean, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(stem.bn.running_var, twin.bn.running_var, rtol=1e-4, atol=1e-6)
    upstream = torch.randn_like(wanted)
    found_grads = torch.autograd.grad(found, list(stem.parameters()), upstream)
    wanted_grads = torch.autograd.grad(wanted, list(twin.parameters()), upstream)
    for mine, other in zip(found_grads, wanted_grads, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("pool", [(2, 2, 2), (1, 2, 2)])
def test_non_local_block_equals_loops(pool: tuple[int, int, int]) -> None:
    torch.manual_seed(1)
    block = NonLocal(6, 3, pool).eval()
    lively(block)
    x = torch.randn(2, 6, 2, 4, 5)
    with torch.no_grad():
        found = block(x)
        pooled = F.max_pool3d(x, pool, pool)
        theta, phi, g = block.conv_theta(x), block.conv_phi(pooled), block.conv_g(pooled)
        y = torch.zeros_like(theta)
        keys = [(t, i, j) for t in range(2 // pool[0]) for i in range(2) for j in range(2)]
        for n in range(2):
            for t, i, j in ((t, i, j) for t in range(2) for i in range(4) for j in range(5)):
                for q, k, m in keys:
                    affinity = theta[n, :, t, i, j] @ phi[n, :, q, k, m]
                    y[n, :, t, i, j] += affinity / len(keys) * g[n, :, q, k, m]
        wanted = x + block.bn_out(block.conv_out(y))
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)


def test_fresh_non_local_block_is_the_identity() -> None:
    x = torch.randn(1, 6, 2, 4, 4)
    torch.testing.assert_close(NonLocal(6, 3).eval()(x), x)


def test_context_maps_are_time_means_slow_first() -> None:
    slow, fast = torch.randn(2, 5, 2, 3, 4), torch.randn(2, 3, 8, 3, 4)
    maps = context_maps(slow, fast)
    assert maps.shape == (2, 8, 3, 4)
    torch.testing.assert_close(maps[1, 4, 2, 3], (slow[1, 4, 0, 2, 3] + slow[1, 4, 1, 2, 3]) / 2)
    torch.testing.assert_close(maps[0, 5:], fast[0].mean(dim=1))


def test_classifier_pools_both_pathways() -> None:
    torch.manual_seed(0)
    model = build_classifier("playground", classes=7, dropout=0.0).eval()
    clip = torch.randn(2, 3, 8, 32, 32)
    with torch.no_grad():
        logits = model(clip[:, :, ::4], clip)
        maps = context_maps(*model.backbone(clip[:, :, ::4], clip))
        wanted = model.projection(maps.mean(dim=(2, 3)))
    assert logits.shape == (2, 7)
    torch.testing.assert_close(logits, wanted, rtol=1e-4, atol=1e-5)


def test_initialisation_follows_the_seed_and_can_zero_the_last_gamma() -> None:
    drawn = []
    for zero in (False, False, True):
        torch.manual_seed(5)
        drawn.append(build_classifier("playground", classes=3, zero_last_gamma=zero).state_dict())
    assert all(torch.equal(drawn[0][name], drawn[1][name]) for name in drawn[0])
    assert float(drawn[0]["backbone.slow.res3.0.bn_c.weight"].min()) == 1.0
    assert float(drawn[2]["backbone.slow.res3.0.bn_c.weight"].abs().max()) == 0.0


def test_pathways_of_unequal_length_are_refused() -> None:
    clip = torch.randn(1, 3, 8, 32, 32)
    with pytest.raises(ValueError, match="8 fast frames are not 4 x 4"):
        playground()(clip[:, :, ::2], clip)

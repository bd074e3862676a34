"""Actor-context relations: first-order encoder and high-order reasoning, HR2O (arXiv 2006.07976, section 3).

Shapes: B keyframes, N actors over all of them, S actors that may be read, C D channels, H W cells, P = H*W.
Attention is one masked matrix product per location: N x S scores, never N x S feature maps. At the published
widths (512 channels, 7 x 14 cells) 50 actors on a frame need 10 MB per set of maps and 1 MB of scores.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stages.lib.models.inputs import RelationKeys

# Scores held at once; larger batches are attended in groups of actors.
MAX_SCORES = 1 << 25


class FirstOrderEncoder(nn.Module):
    """First-order relation map of every actor with its frame: 1x1 on [context, actor], 3x3 valid, 3x3/2 max-pool.

    The 1x1 convolution of a concatenation is the sum of its two halves: the context half is taken once per frame and
    the actor half, constant over the map, is added by broadcasting.
    """

    def __init__(self, reduce: int, hidden: int) -> None:
        super().__init__()
        self.reduce = reduce
        self.conv1 = nn.Conv2d(2 * reduce, hidden, 1, bias=False)
        self.conv2 = nn.Conv2d(hidden, hidden, 3, bias=False)

    def forward(self, context_BCHW: Tensor, actors_NC: Tensor, box_image_N: Tensor) -> Tensor:
        """Maps (N,D,ceil((H-2)/2),ceil((W-2)/2)); pooling before the ReLU gives the same numbers as after it."""
        context_weight, actor_weight = torch.split(self.conv1.weight, self.reduce, dim=1)
        shared_BDHW = F.conv2d(context_BCHW, context_weight)
        own_ND = F.linear(actors_NC, actor_weight[:, :, 0, 0])
        joint = F.relu(shared_BDHW.index_select(0, box_image_N) + own_ND[:, :, None, None])
        return F.relu(F.max_pool2d(self.conv2(joint), 3, stride=2, padding=1))


@dataclass(frozen=True)
class Memory:
    """What HR2O reads instead of the live actors.

    keys: one pair per layer; allowed_NS: which archived map each live actor may read; live_M: int64 indices of the live
    actors that are read as well, by the actors of their own frame (frames whose window is empty need them).
    """

    keys: RelationKeys
    allowed_NS: Tensor
    live_M: Tensor


class HighOrderLayer(nn.Module):
    """One residual relation layer: location-wise attention over actors, group norm, ReLU, convolution, dropout."""

    def __init__(self, hidden: int, output_kernel: int, dropout: float) -> None:
        super().__init__()
        self.conv_q = nn.Conv2d(hidden, hidden, 3, padding=1, bias=False)
        self.conv_k = nn.Conv2d(hidden, hidden, 3, padding=1, bias=False)
        self.conv_v = nn.Conv2d(hidden, hidden, 3, padding=1, bias=False)
        self.norm = nn.GroupNorm(1, hidden)
        self.conv = nn.Conv2d(hidden, hidden, output_kernel, padding=output_kernel // 2, bias=False)
        self.dropout = nn.Dropout(dropout)

    def key_value(self, maps_SDHW: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values (S,D,H,W) of maps that are to be read."""
        return self.conv_k(maps_SDHW), self.conv_v(maps_SDHW)

    def forward(
        self,
        running_NDHW: Tensor,
        key_value: tuple[Tensor, Tensor],
        allowed_NS: Tensor,
        trace: list[Tensor] | None = None,
    ) -> Tensor:
        """The next running maps (N,D,H,W); every row of `allowed_NS` holds at least one true."""
        query_NDHW = self.conv_q(running_NDHW)
        if trace is not None:
            trace.append(attention(query_NDHW, key_value[0], allowed_NS))
        mixed_NDHW = attend(query_NDHW, *key_value, allowed_NS)
        return running_NDHW + self.dropout(self.conv(F.relu(self.norm(mixed_NDHW))))


class HR2O(nn.ModuleList):
    """Stacked relation layers; with a memory, every layer reads the original archived maps through its own weights."""

    def __init__(self, hidden: int, *, depth: int, output_kernel: int, dropout: float) -> None:
        super().__init__(HighOrderLayer(hidden, output_kernel, dropout) for _ in range(depth))

    def layers(self) -> list[HighOrderLayer]:
        """The layers in order."""
        return [layer for layer in self if isinstance(layer, HighOrderLayer)]

    def key_values(self, maps_SDHW: Tensor) -> RelationKeys:
        """Keys and values of archived maps in every layer, to be computed once per map."""
        return RelationKeys(tuple(layer.key_value(maps_SDHW) for layer in self.layers()))

    def forward(
        self,
        live_NDHW: Tensor,
        box_image_N: Tensor,
        memory: Memory | None = None,
        trace: list[Tensor] | None = None,
    ) -> Tensor:
        """Maps (N,D,H,W) after all layers; `trace` receives each layer's attention (N,S,H,W)."""
        same_NN = box_image_N[:, None] == box_image_N[None, :]
        running = live_NDHW
        for depth, layer in enumerate(self.layers()):
            if memory is None:
                key_value, allowed = layer.key_value(running), same_NN
            else:
                key_value, allowed = _read(memory, depth, layer, running, same_NN)
            running = layer(running, key_value, allowed, trace)
        return running


def _read(
    memory: Memory, depth: int, layer: HighOrderLayer, running_NDHW: Tensor, same_NN: Tensor
) -> tuple[tuple[Tensor, Tensor], Tensor]:
    """Keys, values and permissions of one layer: the archive, then the live actors that stand in for it."""
    key, value = memory.keys.pairs[depth]
    if memory.live_M.numel() == 0:
        return (key, value), memory.allowed_NS
    live_key, live_value = layer.key_value(running_NDHW[memory.live_M])
    allowed = torch.cat([memory.allowed_NS, same_NN[:, memory.live_M]], dim=1)
    return (torch.cat([key, live_key]), torch.cat([value, live_value])), allowed


def attention(query_NDHW: Tensor, key_SDHW: Tensor, allowed_NS: Tensor) -> Tensor:
    """Attention (N,S,H,W): softmax over the allowed s of <q_n, k_s> / sqrt(D), at every location by itself."""
    weights_PNS = _weights(_by_location(query_NDHW), _by_location(key_SDHW), allowed_NS)
    return weights_PNS.permute(1, 2, 0).reshape(*weights_PNS.shape[1:], *query_NDHW.shape[2:])


def attend(query_NDHW: Tensor, key_SDHW: Tensor, value_SDHW: Tensor, allowed_NS: Tensor) -> Tensor:
    """Mixture (N,D,H,W) of the values under `attention`, in groups of actors that keep the scores small."""
    query, key, value = _by_location(query_NDHW), _by_location(key_SDHW), _by_location(value_SDHW)
    group = max(1, MAX_SCORES // max(1, key.shape[0] * key.shape[1]))
    if group >= query.shape[1]:
        mixed_PND = _weights(query, key, allowed_NS) @ value
    else:
        parts = []
        for query_PnD, allowed_nS in zip(
            torch.split(query, group, dim=1), torch.split(allowed_NS, group), strict=True
        ):
            used = allowed_nS.any(dim=0).nonzero()[:, 0]
            parts.append(_weights(query_PnD, key[:, used], allowed_nS[:, used]) @ value[:, used])
        mixed_PND = torch.cat(parts, dim=1)
    actors, hidden, height, width = query_NDHW.shape
    return mixed_PND.transpose(0, 1).reshape(actors, height, width, hidden).permute(0, 3, 1, 2)


def _weights(query_PND: Tensor, key_PSD: Tensor, allowed_NS: Tensor) -> Tensor:
    scores_PNS = (query_PND * query_PND.shape[2] ** -0.5) @ key_PSD.transpose(1, 2)
    return scores_PNS.masked_fill(~allowed_NS, float("-inf")).softmax(dim=2)


def _by_location(maps_NDHW: Tensor) -> Tensor:
    """(P,N,D), a view where the maps are channels-last in memory."""
    return maps_NDHW.permute(2, 3, 0, 1).flatten(0, 1)


def window_permissions(window_BL: Tensor, mask_BL: Tensor, archived: int) -> Tensor:
    """Which of the `archived` items each keyframe may read, (B,S) bool, from the slots of its window."""
    allowed_BS1 = mask_BL.new_zeros((window_BL.shape[0], archived + 1))
    rows_BL = torch.where(mask_BL, window_BL, torch.full_like(window_BL, archived))
    return allowed_BS1.scatter_(1, rows_BL, True)[:, :archived]


def fit_archive(maps_SDHW: Tensor, grid: tuple[int, int], *, flip: bool) -> Tensor:
    """Archived maps as a live view sees them: mirrored along the width, resized bilinearly to its grid (h, w)."""
    fitted = maps_SDHW.flip(3) if flip else maps_SDHW
    if tuple(fitted.shape[2:]) == tuple(grid):
        return fitted
    return F.interpolate(fitted.float(), size=grid, mode="bilinear", align_corners=False).to(maps_SDHW.dtype)

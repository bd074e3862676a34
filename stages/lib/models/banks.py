"""The actor feature bank's operator: FBO-NL of long-term feature banks (arXiv 1812.05038, section 3.3).

Shapes: B keyframes, N actors over all of them, M actors of the fullest keyframe, S archived vectors,
L slots of a window, C D channels.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stages.lib.models.inputs import BankInput

INIT_STD = 0.01


class BankAttentionLayer(nn.Module):
    """One residual non-local layer: actors attend to slots; a fresh layer is the identity (its output is zero)."""

    def __init__(self, hidden: int, dropout: float, *, norm_affine: bool) -> None:
        super().__init__()
        self.theta, self.phi, self.g = (_gaussian_linear(hidden, hidden) for _ in range(3))
        self.norm = nn.LayerNorm(hidden, elementwise_affine=norm_affine)
        self.out = nn.Linear(hidden, hidden)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)
        self.dropout = nn.Dropout(dropout)

    def forward(self, actors_BMD: Tensor, slots_BLD: Tensor, allowed_BL: Tensor) -> Tensor:
        """A + out(relu(norm(softmax(theta(A) phi(L)^T / sqrt(D)) g(L)))); every row of `allowed_BL` holds one."""
        scores_BML = (
            self.theta(actors_BMD) @ self.phi(slots_BLD).transpose(1, 2) * actors_BMD.shape[2] ** -0.5
        )
        weights_BML = scores_BML.masked_fill(~allowed_BL[:, None], float("-inf")).softmax(dim=2)
        mixed_BMD = weights_BML @ self.g(slots_BLD)
        return actors_BMD + self.dropout(self.out(F.relu(self.norm(mixed_BMD))))


class ActorBankOperator(nn.Module):
    """FBO-NL: what the actors of a keyframe draw from the actor vectors of its window, (N,D).

    With `mask_padding` empty slots are excluded and a wholly empty window gives zeros; without, empty slots are
    zero vectors that take part, as in the original.
    """

    def __init__(
        self,
        channels: int,
        hidden: int,
        *,
        layers: int = 2,
        dropout: float = 0.2,
        mask_padding: bool = True,
        norm_affine: bool = False,
    ) -> None:
        super().__init__()
        self.mask_padding = mask_padding
        self.reduce_short = _gaussian_linear(channels, hidden)
        self.reduce_long = _gaussian_linear(channels, hidden)
        self.layers = nn.ModuleList(
            BankAttentionLayer(hidden, dropout, norm_affine=norm_affine) for _ in range(layers)
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, actors_NC: Tensor, box_image_N: Tensor, bank: BankInput) -> Tensor:
        """Bank features (N,D); `bank.archive` is (S,C) on the scale of `actors_NC`."""
        slots_BLD = self.dropout(self._slots(bank))
        filled_B = bank.mask_BL.any(dim=1)
        allowed_BL = bank.mask_BL | ~filled_B[:, None] if self.mask_padding else torch.ones_like(bank.mask_BL)
        rank_N, most = rank_in_image(box_image_N)
        short_ND = self.dropout(self.reduce_short(actors_NC))
        running = short_ND.new_zeros((bank.mask_BL.shape[0], most, short_ND.shape[1]))
        running = running.index_put((box_image_N, rank_N), short_ND)
        for layer in self.layers:
            running = layer(running, slots_BLD, allowed_BL)
        drawn_ND = running[box_image_N, rank_N]
        if not self.mask_padding:
            return drawn_ND
        return torch.where(filled_B[box_image_N, None], drawn_ND, torch.zeros_like(drawn_ND))

    def _slots(self, bank: BankInput) -> Tensor:
        """Reduced vectors (B,L,D): each archived vector is reduced once, then gathered; empty slots are zeros."""
        reduced_SD = self.reduce_long(F.pad(bank.archive, (0, 0, 0, 1)))
        rows_BL = torch.where(
            bank.mask_BL, bank.window_BL, torch.full_like(bank.window_BL, bank.archive.shape[0])
        )
        return reduced_SD[rows_BL]


def rank_in_image(box_image_N: Tensor) -> tuple[Tensor, int]:
    """The place of every box among those of its keyframe, and the number of boxes of the fullest keyframe."""
    order = torch.argsort(box_image_N, stable=True)
    ascending = box_image_N[order].contiguous()
    rank = torch.empty_like(order)
    rank[order] = torch.arange(order.shape[0], device=order.device) - torch.searchsorted(ascending, ascending)
    return rank, int(rank.max()) + 1 if rank.numel() else 0


def _gaussian_linear(in_channels: int, channels: int) -> nn.Linear:
    linear = nn.Linear(in_channels, channels)
    nn.init.normal_(linear.weight, std=INIT_STD)
    nn.init.zeros_(linear.bias)
    return linear

"""Clip classification on top of SlowFast, for pre-training, and the initialisation it starts from.

Shapes: B clips, C channels, T slow frames, F fast frames, H W pixels, K classes.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from stages.lib.models.slowfast.blocks import Bottleneck
from stages.lib.models.slowfast.network import SlowFast


class SlowFastClassifier(nn.Module):
    """Global average pool of both pathways, concatenated slow then fast, dropout, fully connected."""

    def __init__(self, backbone: SlowFast, classes: int, dropout: float = 0.5) -> None:
        super().__init__()
        self.backbone = backbone
        self.dropout = nn.Dropout(dropout)
        self.projection = nn.Linear(backbone.slow_channels + backbone.fast_channels, classes)

    def forward(self, slow_BCTHW: Tensor, fast_BCFHW: Tensor) -> Tensor:
        """Logits (B,K)."""
        slow, fast = self.backbone(slow_BCTHW, fast_BCFHW)
        pooled_BC = torch.cat([slow.mean(dim=(2, 3, 4)), fast.mean(dim=(2, 3, 4))], dim=1)
        return self.projection(self.dropout(pooled_BC))


def initialise_backbone(backbone: SlowFast, *, zero_last_gamma: bool = False) -> None:
    """Draw He-normal convolutions (fan out) and unit batch norms from torch's global generator.

    With `zero_last_gamma` the last batch norm of every block starts at zero (arXiv 1706.02677, section 5.1), as
    deep networks are trained from scratch; non-local blocks always start as the identity.
    """
    for module in backbone.modules():
        if isinstance(module, nn.Conv3d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(module, Bottleneck) and zero_last_gamma:
            nn.init.zeros_(module.bn_c.weight)

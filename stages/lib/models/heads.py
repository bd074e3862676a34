"""The relation heads: Linear, ACAR, and either with a long-term bank (arXiv 2006.07976, section 3).

Shapes: B keyframes, N actors over all of them, C channels of the context maps, R reduced channels, D hidden
channels, H W cells of the relation maps, K classes. Every head maps a HeadInput to logits (N,K).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stages.lib.models.banks import ActorBankOperator
from stages.lib.models.inputs import BankInput, HeadInput, RelationKeys
from stages.lib.models.relation import HR2O, FirstOrderEncoder, Memory, window_permissions
from stages.lib.models.roi import actor_vectors


class Head(nn.Module):
    """What all heads share: a fixed factor on the maps, kept with the weights, and where RoIAlign finds a box.

    by_pixels: a cell is 16 pixels of the frame (PySlowFast); else the frame is stretched over the map (ACAR).
    """

    def __init__(self, *, aligned: bool, by_pixels: bool, input_scale: float) -> None:
        super().__init__()
        self.aligned, self.by_pixels = aligned, by_pixels
        self.input_scale: Tensor
        self.register_buffer("input_scale", torch.tensor(float(input_scale)))

    def scaled(self, features: Tensor) -> Tensor:
        """Maps or vectors on the head's scale and in its precision."""
        return features.to(self.input_scale.dtype) * self.input_scale

    def pool(self, maps_BCHW: Tensor, inputs: HeadInput) -> Tensor:
        """Actor vectors (N,C) of some maps at the inputs' boxes; ValueError without the extent that a head needs."""
        return pool_actors(maps_BCHW, inputs, aligned=self.aligned, by_pixels=self.by_pixels)


def pool_actors(maps_BCHW: Tensor, inputs: HeadInput, *, aligned: bool, by_pixels: bool) -> Tensor:
    """Actor vectors (N,C) of some maps at the inputs' boxes; ValueError when cells are pixels and the extent is not known."""
    if by_pixels and inputs.extent_B2 is None:
        raise ValueError("a cell is 16 pixels here, and the inputs do not hold the size of the frames")
    extent_B2 = inputs.extent_B2 if by_pixels else None
    return actor_vectors(maps_BCHW, inputs.boxes_N4, inputs.box_image_N, aligned=aligned, extent_B2=extent_B2)


class LinearHead(Head):
    """One fully connected layer on the actor's pooled vector; PySlowFast's has a bias and dropout 0.5."""

    def __init__(
        self,
        channels: int,
        classes: int,
        *,
        bias: bool = False,
        dropout: float = 0.0,
        aligned: bool = False,
        by_pixels: bool = False,
        input_scale: float = 1.0,
    ) -> None:
        super().__init__(aligned=aligned, by_pixels=by_pixels, input_scale=input_scale)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(channels, classes, bias=bias)

    def actors(self, inputs: HeadInput) -> Tensor:
        """The pooled vectors (N,C) on the head's scale."""
        return self.pool(self.scaled(inputs.maps_BCHW), inputs)

    def forward(self, inputs: HeadInput) -> Tensor:
        return self.fc(self.dropout(self.actors(inputs)))


class LinearAfbHead(Head):
    """The linear head on [actor vector, what it draws from the actor bank]."""

    def __init__(
        self,
        channels: int,
        classes: int,
        *,
        hidden: int,
        bank_layers: int = 2,
        bank_dropout: float = 0.2,
        mask_padding: bool = True,
        bias: bool = False,
        dropout: float = 0.0,
        aligned: bool = False,
        by_pixels: bool = False,
        input_scale: float = 1.0,
    ) -> None:
        super().__init__(aligned=aligned, by_pixels=by_pixels, input_scale=input_scale)
        self.afb = ActorBankOperator(
            channels, hidden, layers=bank_layers, dropout=bank_dropout, mask_padding=mask_padding
        )
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(channels + hidden, classes, bias=bias)

    def forward(self, inputs: HeadInput) -> Tensor:
        actors_NC = self.pool(self.scaled(inputs.maps_BCHW), inputs)
        drawn_ND = self.afb(actors_NC, inputs.box_image_N, scaled_bank(self, inputs))
        return self.fc(self.dropout(torch.cat([actors_NC, drawn_ND], dim=1)))


class AcarHead(Head):
    """Actor-context-actor relations: reduction, first-order encoder, HR2O, and a two-layer classifier."""

    def __init__(
        self,
        channels: int,
        classes: int,
        *,
        reduce: int,
        hidden: int,
        depth: int,
        output_kernel: int,
        dropout: float = 0.2,
        aligned: bool = False,
        by_pixels: bool = False,
        input_scale: float = 1.0,
        extra: int = 0,
    ) -> None:
        super().__init__(aligned=aligned, by_pixels=by_pixels, input_scale=input_scale)
        self.conv_reduce = nn.Conv2d(channels, reduce, 1, bias=False)
        self.encoder = FirstOrderEncoder(reduce, hidden)
        self.hr2o = HR2O(hidden, depth=depth, output_kernel=output_kernel, dropout=dropout)
        self.fc1 = nn.Linear(reduce, hidden, bias=False)
        self.fc2 = nn.Linear(2 * hidden + extra, classes, bias=False)

    def first_order(self, inputs: HeadInput) -> tuple[Tensor, Tensor]:
        """Reduced actor vectors (N,R) and first-order relation maps (N,D,H,W), HR2O's input."""
        context_BRHW = self.conv_reduce(self.scaled(inputs.maps_BCHW))
        actors_NR = self.pool(context_BRHW, inputs)
        return actors_NR, self.encoder(context_BRHW, actors_NR, inputs.box_image_N)

    def relation_maps(self, inputs: HeadInput) -> Tensor:
        """What the actor-context bank archives of every actor: (N,D,H,W)."""
        return self.first_order(inputs)[1]

    def memory(self, inputs: HeadInput) -> Memory | None:
        """What HR2O reads instead of the live actors; nothing in a head without an actor-context bank."""
        return None

    def classify(self, inputs: HeadInput, trace: list[Tensor] | None = None) -> Tensor:
        """Logits; `trace` receives every layer's attention."""
        actors_NR, live_NDHW = self.first_order(inputs)
        if live_NDHW.shape[0] == 0:
            return self.fc2(self.classifier_input(inputs, actors_NR, live_NDHW.mean(dim=(2, 3))))
        related_NDHW = self.hr2o(live_NDHW, inputs.box_image_N, self.memory(inputs), trace)
        return self.fc2(self.classifier_input(inputs, actors_NR, related_NDHW.mean(dim=(2, 3))))

    def classifier_input(self, inputs: HeadInput, actors_NR: Tensor, related_ND: Tensor) -> Tensor:
        """[relu(fc1(actor)), pooled relation]."""
        return torch.cat([F.relu(self.fc1(actors_NR)), related_ND], dim=1)

    def forward(self, inputs: HeadInput) -> Tensor:
        return self.classify(inputs)

    def with_attention(self, inputs: HeadInput) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Logits, and per HR2O layer the attention (N,S,H,W) of each actor over what it may read.

        S counts the live actors; in the head with an actor-context bank, the archived maps that some window holds,
        in ascending order of their row, and then the live actors that stand in for an empty window.
        """
        trace: list[Tensor] = []
        logits = self.classify(inputs, trace)
        return logits, tuple(trace)


class AcarAfbHead(AcarHead):
    """ACAR whose classifier also sees what the raw actor vector draws from the actor bank."""

    def __init__(
        self,
        channels: int,
        classes: int,
        *,
        reduce: int,
        hidden: int,
        depth: int,
        output_kernel: int,
        dropout: float = 0.2,
        bank_layers: int = 2,
        mask_padding: bool = True,
        aligned: bool = False,
        by_pixels: bool = False,
        input_scale: float = 1.0,
    ) -> None:
        super().__init__(
            channels,
            classes,
            reduce=reduce,
            hidden=hidden,
            depth=depth,
            output_kernel=output_kernel,
            dropout=dropout,
            aligned=aligned,
            by_pixels=by_pixels,
            input_scale=input_scale,
            extra=hidden,
        )
        self.afb = ActorBankOperator(
            channels, hidden, layers=bank_layers, dropout=dropout, mask_padding=mask_padding
        )

    def classifier_input(self, inputs: HeadInput, actors_NR: Tensor, related_ND: Tensor) -> Tensor:
        """[relu(fc1(actor)), pooled relation, drawn from the bank]."""
        raw_NC = self.pool(self.scaled(inputs.maps_BCHW), inputs)
        drawn_ND = self.afb(raw_NC, inputs.box_image_N, scaled_bank(self, inputs))
        return torch.cat([super().classifier_input(inputs, actors_NR, related_ND), drawn_ND], dim=1)


class AcarAcfbHead(AcarHead):
    """ACAR whose HR2O reads the actor-context bank; same parameters, same names, so ACAR's weights fit.

    Keys and values come from the archived maps of the window. A keyframe whose window is empty reads its live
    actors, which is plain ACAR; with `include_live` every keyframe reads them beside the archive.
    """

    def __init__(
        self,
        channels: int,
        classes: int,
        *,
        reduce: int,
        hidden: int,
        depth: int,
        output_kernel: int,
        dropout: float = 0.2,
        include_live: bool = False,
        aligned: bool = False,
        by_pixels: bool = False,
        input_scale: float = 1.0,
    ) -> None:
        super().__init__(
            channels,
            classes,
            reduce=reduce,
            hidden=hidden,
            depth=depth,
            output_kernel=output_kernel,
            dropout=dropout,
            aligned=aligned,
            by_pixels=by_pixels,
            input_scale=input_scale,
        )
        self.include_live = include_live

    def precompute_kv(self, maps_SDHW: Tensor) -> RelationKeys:
        """Keys and values of archived maps in every layer: once per map, for `BankInput.keys`."""
        return self.hr2o.key_values(maps_SDHW.to(self.input_scale.dtype))

    def memory(self, inputs: HeadInput) -> Memory | None:
        """Keys of the maps that some window holds, each computed once however many windows share it."""
        bank = required_bank(inputs)
        allowed_BS = window_permissions(bank.window_BL, bank.mask_BL, bank.archive.shape[0])
        used = allowed_BS.any(dim=0).nonzero()[:, 0]
        if used.numel() == 0:
            return None
        keys = self.precompute_kv(bank.archive[used]) if bank.keys is None else bank.keys.select(used)
        allowed_NS = allowed_BS[:, used][inputs.box_image_N]
        reads_live_N = torch.ones_like(inputs.box_image_N, dtype=torch.bool)
        if not self.include_live:
            reads_live_N = ~allowed_NS.any(dim=1)
        return Memory(keys, allowed_NS, reads_live_N.nonzero()[:, 0])


def required_bank(inputs: HeadInput) -> BankInput:
    """The bank of a head that cannot do without."""
    if inputs.bank is None:
        raise ValueError("this head reads a bank, and the inputs hold none")
    return inputs.bank


def scaled_bank(head: Head, inputs: HeadInput) -> BankInput:
    """The actor bank with its raw vectors on the head's scale."""
    bank = required_bank(inputs)
    return BankInput(head.scaled(bank.archive), bank.window_BL, bank.mask_BL)

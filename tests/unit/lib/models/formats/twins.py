"""The forward passes of upstream's networks and heads, in plain functions on dictionaries of upstream's names."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F
from torchvision.ops import roi_align

from tests.unit.lib.models.formats.upstream import Net, State


@dataclass(frozen=True)
class Twin:
    """The network's forward pass on the upstream's tensors."""

    net: Net
    state: State

    def conv(self, x: Tensor, layer: str, **how: object) -> Tensor:
        names = self.net.names
        return F.conv3d(x, self.state[names.weight(layer)], self.state.get(names.bias(layer)), **how)

    def norm(self, x: Tensor, layer: str) -> Tensor:
        scale, shift, mean, var = (self.state[name] for name in self.net.names.norm(layer))
        return F.batch_norm(x, mean, var, scale, shift, training=False, eps=1e-5)

    def __call__(self, slow: Tensor, fast: Tensor) -> dict[str, Tensor]:
        maps = {"slow": slow, "fast": fast}
        names = self.net.names
        for way, time in (("slow", 0), ("fast", 2)):
            conv, norm = names.stem(way)
            x = self.conv(maps[way], conv, stride=(1, 2, 2), padding=(time, 3, 3))
            maps[way] = F.max_pool3d(self.norm(x, norm).relu(), (1, 3, 3), (1, 2, 2), (0, 1, 1))
        for stage in (2, 3, 4, 5):
            conv, norm = names.fusion(stage - 1, self.net.depths)
            lateral = self.conv(maps["fast"], conv, stride=(4, 1, 1), padding=(self.net.kernel // 2, 0, 0))
            lateral = self.norm(lateral, norm).relu() if norm else lateral
            maps["slow"] = torch.cat([maps["slow"], lateral], dim=1)
            for way in ("slow", "fast"):
                maps[way] = self.stage(maps[way], way, stage)
        return maps

    def stage(self, x: Tensor, way: str, stage: int) -> Tensor:
        stride, dilation = {2: (1, 1), 3: (2, 1), 4: (2, 1), 5: (1, 2)}[stage]
        for block in range(self.net.depths[stage - 2]):
            x = self.bottleneck(x, way, stage, block, stride if block == 0 else 1, dilation)
            if way == "slow" and stage == 4 and block in self.net.non_local:
                x = self.non_local(x, block)
        return x

    def bottleneck(self, x: Tensor, way: str, stage: int, block: int, stride: int, dilation: int) -> Tensor:
        names = self.net.names
        hows: list[dict[str, object]] = [
            {"padding": (self.net.temporal_kernel(way, stage, block) // 2, 0, 0)},
            {
                "stride": (1, stride, stride),
                "padding": (0, dilation, dilation),
                "dilation": (1, dilation, dilation),
            },
            {},
        ]
        y = x
        for part, how in enumerate(hows):
            conv, norm = names.branch(way, stage, block, part)
            y = self.norm(self.conv(y, conv, **how), norm)
            y = y.relu() if part < 2 else y
        if block == 0:
            conv, norm = names.shortcut(way, stage)
            x = self.norm(self.conv(x, conv, stride=(1, stride, stride)), norm)
        return (x + y).relu()

    def non_local(self, x: Tensor, block: int) -> Tensor:
        names, pooled = self.net.names, F.max_pool3d(x, (2, 2, 2), (2, 2, 2))
        theta = self.conv(x, names.non_local(block, "theta"))
        phi = self.conv(pooled, names.non_local(block, "phi")).flatten(2)
        g = self.conv(pooled, names.non_local(block, "g")).flatten(2)
        affinity = theta.flatten(2).transpose(1, 2) @ phi / phi.shape[2]
        y = (affinity @ g.transpose(1, 2)).transpose(1, 2).reshape(theta.shape)
        return x + self.norm(self.conv(y, names.non_local(block, "out")), names.non_local(block, "bn"))


def pooled(maps: Tensor, boxes: Tensor, image: Tensor, *, aligned: bool) -> Tensor:
    """Actor vectors: RoIAlign 7 x 7 inside the boxes, stretched to the map, and the maximum."""
    height, width = maps.shape[2:]
    cells = boxes * torch.tensor([width, height, width, height])
    rois = torch.cat([image[:, None].float(), cells], dim=1)
    return F.adaptive_max_pool2d(roi_align(maps, rois, 7, 1.0, 0, aligned), 1).flatten(1)


def relation_twin(state: State, maps: Tensor, boxes: Tensor, image: Tensor) -> Tensor:
    """Logits of ACAR-Net's head, image by image, actor by actor."""
    context = F.conv2d(maps, state["conv_reduce.weight"])
    actors = pooled(context, boxes, image, aligned=False)
    first = []
    for row, own in zip(actors, image.tolist(), strict=True):
        tiled = row[:, None, None].expand(-1, *context.shape[2:])
        joint = F.conv2d(torch.cat([context[own], tiled])[None], state["conv1.weight"]).relu()
        first.append(F.max_pool2d(F.conv2d(joint, state["conv2.weight"]).relu(), 3, 2, 1)[0])
    features = torch.stack(first)
    depth = len({name.split(".")[1] for name in state if name.startswith("hr2o.")})
    for layer in range(depth):
        features = features + _reasoned(state, f"hr2o.{layer}", features, image)
    own = F.linear(actors, state["fc1.weight"]).relu()
    return F.linear(torch.cat([own, features.mean(dim=(2, 3))], dim=1), state["fc2.weight"])


def _reasoned(state: State, name: str, features: Tensor, image: Tensor) -> Tensor:
    query, key, value = (F.conv2d(features, state[f"{name}.conv_{part}.weight"], padding=1) for part in "qkv")
    mixed = torch.zeros_like(value)
    for i in range(len(features)):
        others = [j for j in range(len(features)) if image[j] == image[i]]
        scores = torch.stack([(query[i] * key[j]).sum(dim=0) / query.shape[1] ** 0.5 for j in others])
        for share, j in zip(scores.softmax(dim=0), others, strict=True):
            mixed[i] += share * value[j]
    normed = F.group_norm(mixed, 1, state[f"{name}.norm.weight"], state[f"{name}.norm.bias"], eps=1e-5)
    weight = state[f"{name}.conv.weight"]
    return F.conv2d(normed.relu(), weight, padding=weight.shape[2] // 2)

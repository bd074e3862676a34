"""Where a person's relation looks: two maps over the cells of HR2O's last layer.

Shapes: N actors over all keyframes, A classes, D hidden channels, h w cells of the relation maps.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from stages.lib.models.heads import AcarHead
from stages.lib.models.inputs import HeadInput
from stages.lib.models.relation import attend


@dataclass(frozen=True)
class RelationMaps:
    """What each actor's relation reads, on the cells of the relation map.

    others_Nhw: norm over channels of sum_j A_ij (V_j - V_i), A the attention and V the values of the last layer: how far
    the mixture is moved by reading the others; zero for somebody who is alone. score_NAhw: the classifier's weights on
    the relation applied at every cell; its mean over the cells is what the relation adds to the class logit.
    """

    others_Nhw: Tensor
    score_NAhw: Tensor


@torch.inference_mode()
def relation_maps(head: AcarHead, inputs: HeadInput) -> RelationMaps:
    """Both maps of every actor; a head with a bank is read without its archive, every actor reading the live ones."""
    running_NDhw = head.first_order(inputs)[1]
    same_NN = inputs.box_image_N[:, None] == inputs.box_image_N[None, :]
    *earlier, last = head.hr2o.layers()
    for layer in earlier:
        running_NDhw = layer(running_NDhw, layer.key_value(running_NDhw), same_NN)
    key_value = last.key_value(running_NDhw)
    mixed_NDhw = attend(last.conv_q(running_NDhw), *key_value, same_NN)
    related_NDhw = last(running_NDhw, key_value, same_NN)
    hidden = head.fc1.out_features
    relation_AD = head.fc2.weight[:, hidden : 2 * hidden]
    return RelationMaps(
        (mixed_NDhw - key_value[1]).norm(dim=1), torch.einsum("ad,ndhw->nahw", relation_AD, related_NDhw)
    )

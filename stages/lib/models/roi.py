"""Actor vectors: RoIAlign of a context map inside each actor's box, then max-pool (ACAR, section 3.1).

Shapes: B keyframes, N boxes over all of them, C channels, H W cells, K keyframes in ragged form.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torchvision.ops import roi_align


def actor_vectors(
    maps_BCHW: Tensor,
    boxes_N4: Tensor,
    box_image_N: Tensor,
    *,
    aligned: bool = False,
    size: int = 7,
    extent_B2: Tensor | None = None,
) -> Tensor:
    """One vector (N,C) per box: `size` x `size` RoIAlign with adaptive sampling, maximum over the bins.

    Boxes are xyxy in [0,1] and are multiplied by the map's width and height, or by `extent_B2` (width, height
    in cells per keyframe). `aligned` shifts by half a cell; ACAR's weights were trained without.
    """
    height, width = maps_BCHW.shape[-2:]
    if extent_B2 is None:
        cells_N4 = boxes_N4 * boxes_N4.new_tensor([width, height, width, height])
    else:
        cells_N4 = boxes_N4 * extent_B2.to(boxes_N4)[box_image_N].repeat(1, 2)
    rois_N5 = torch.cat([box_image_N[:, None].to(cells_N4), cells_N4], dim=1).to(maps_BCHW.dtype)
    bins = roi_align(maps_BCHW, rois_N5, (size, size), spatial_scale=1.0, sampling_ratio=-1, aligned=aligned)
    return bins.amax(dim=(2, 3))

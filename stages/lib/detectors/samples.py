"""Images and boxes as mmdet wants them.

Shapes: H x W image, C channels, N boxes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch


def make_sample(image_HWC: np.ndarray, boxes_N4: np.ndarray | None = None) -> dict[str, Any]:
    """One mmdet sample from an RGB uint8 image and, for training, its person boxes (xyxy in pixels of this image)."""
    from mmdet.structures import DetDataSample
    from mmengine.structures import InstanceData

    size = image_HWC.shape[:2]
    sample = DetDataSample(metainfo={"img_shape": size, "ori_shape": size, "scale_factor": (1.0, 1.0)})
    if boxes_N4 is not None:
        boxes = torch.as_tensor(boxes_N4, dtype=torch.float32).reshape(-1, 4)
        sample.gt_instances = InstanceData(bboxes=boxes, labels=torch.zeros(len(boxes), dtype=torch.long))
    image_CHW = torch.from_numpy(np.array(image_HWC.transpose(2, 0, 1), order="C"))
    return {"inputs": image_CHW, "data_samples": sample}


def stack(samples: list[dict[str, Any]]) -> dict[str, Any]:
    """A batch in mmdet's form: lists of images and of their annotations."""
    return {key: [sample[key] for sample in samples] for key in ("inputs", "data_samples")}

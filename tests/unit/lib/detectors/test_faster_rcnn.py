"""Both architectures are mmdet's own, train a step, and have the published sizes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from stages.lib.config.detectors import DetectorConfig
from stages.lib.detectors.faster_rcnn import NUMBERS, build_faster_rcnn, model_dict
from stages.lib.detectors.samples import make_sample, stack


def _config(architecture: str, side: int = 64) -> DetectorConfig:
    return DetectorConfig.model_validate(
        {"architecture": architecture, "dataset": "toy", "short_side": side, "max_long_side": 2 * side}
    )


@pytest.mark.parametrize("architecture", ["playground", "frcnn-r50-fpn"])
def test_forward_and_backward_reach_every_trainable_weight(architecture: str) -> None:
    torch.manual_seed(0)
    model = build_faster_rcnn(_config(architecture))
    image = np.random.default_rng(0).integers(0, 255, (64, 96, 3), dtype=np.uint8)
    batch = stack([make_sample(image, np.array([[20.0, 8.0, 50.0, 60.0]]))] * 2)
    losses = model(**model.data_preprocessor(batch, training=True), mode="loss")
    total, _ = model.parse_losses(losses)
    total.backward()
    assert torch.isfinite(total)
    unused = [name for name, p in model.named_parameters() if p.requires_grad and p.grad is None]
    assert unused == []


def test_r50_has_the_tensors_of_the_public_coco_model() -> None:
    model = build_faster_rcnn(_config("frcnn-r50-fpn"), 80)
    state = model.state_dict()
    assert state["roi_head.bbox_head.fc_cls.weight"].shape == (81, 1024)
    assert state["roi_head.bbox_head.fc_reg.weight"].shape == (320, 1024)
    assert state["rpn_head.rpn_cls.weight"].shape == (3, 256, 1, 1)
    assert state["neck.lateral_convs.3.conv.weight"].shape == (256, 2048, 1, 1)
    backbone = 23_508_032
    pyramid = (256 + 512 + 1024 + 2048) * 256 + 4 * 256 + 4 * (256 * 256 * 9 + 256)
    proposals = 256 * 256 * 9 + 256 + (3 + 12) * 257
    heads = 12544 * 1024 + 1024 + 1024 * 1025 + (81 + 320) * 1025
    assert sum(p.numel() for p in model.parameters()) == backbone + pyramid + proposals + heads


def test_frozen_parts_follow_the_table() -> None:
    model = build_faster_rcnn(_config("frcnn-r50-fpn")).train()
    assert not model.backbone.conv1.weight.requires_grad
    assert not model.backbone.layer2[0].bn1.training
    small = build_faster_rcnn(_config("playground")).train()
    assert all(p.requires_grad for p in small.parameters())
    assert small.backbone.layer2[0].bn1.training


def test_playground_anchors_fit_people_of_40_to_100_pixels() -> None:
    """Some anchor shape overlaps each centred person with IoU >= 0.55; the best anchor of each person is a positive."""
    n = NUMBERS["playground"]
    anchors = [
        (s * scale / ratio**0.5, s * scale * ratio**0.5)
        for s in n.strides
        for scale in n.scales
        for ratio in n.ratios
    ]
    for height in range(40, 101, 5):
        for slimness in (1.3, 2.0, 2.8):
            w, h = height / slimness, float(height)
            common = [min(w, a) * min(h, b) for a, b in anchors]
            best = max(c / (w * h + a * b - c) for c, (a, b) in zip(common, anchors, strict=True))
            assert best >= 0.55, (height, slimness, best)


def test_thresholds_reach_the_model_dict() -> None:
    cfg = _config("playground").model_copy(update={"min_score": 0.2, "nms": 0.3, "max_per_image": 7})
    rcnn = model_dict(cfg)["test_cfg"]["rcnn"]
    assert (rcnn["score_thr"], rcnn["nms"]["iou_threshold"], rcnn["max_per_img"]) == (0.2, 0.3, 7)

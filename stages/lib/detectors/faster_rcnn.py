"""mmdet's Faster R-CNN with a feature pyramid, from a small table of numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import nn

from stages.lib.config.detectors import DetectorConfig
from stages.lib.detectors.ops_bridge import install_ops_bridge

MEAN_RGB = (123.675, 116.28, 103.53)
STD_RGB = (58.395, 57.12, 57.375)
SIZE_DIVISOR = 32


@dataclass(frozen=True)
class Numbers:
    """What differs between two detectors of this family.

    Attributes:
        depth, channels: ResNet depth and the width of its first stage.
        frozen: made to start from trained weights: fixed stem and first stage, and batch norm kept at its stored
            statistics. Otherwise made to learn from nothing: norm in the pyramid too, and no weak initialisation.
        first_level: first backbone stage (0 = stride 4) that the pyramid uses.
        levels: pyramid levels; the last one is a subsampled copy when the backbone has too few stages.
        scales, ratios: anchor sides in strides, and height / width.
        train_proposals, test_proposals: regions after the proposal network's suppression.
        pre_nms: candidates per level before that suppression.
        rpn_samples, roi_samples: anchors and regions per image that the losses see.
        roi_points: samples per bin and direction of the region pooling; 0 takes one per pixel.
    """

    depth: int
    channels: int
    frozen: bool
    first_level: int
    levels: int
    pyramid: int
    hidden: int
    scales: tuple[float, ...]
    ratios: tuple[float, ...]
    pre_nms: int
    train_proposals: int
    test_proposals: int
    rpn_samples: int
    roi_samples: int
    roi_points: int

    @property
    def strides(self) -> list[int]:
        return [4 * 2 ** (self.first_level + i) for i in range(self.levels)]

    @property
    def stage_channels(self) -> list[int]:
        expansion = 4 if self.depth >= 50 else 1
        return [self.channels * expansion * 2**i for i in range(4)]


NUMBERS = {
    "playground": Numbers(
        depth=18,
        channels=16,
        frozen=False,
        first_level=1,
        levels=3,
        pyramid=64,
        hidden=128,
        scales=(4.0, 5.66),
        ratios=(1.0, 1.7, 2.9),
        pre_nms=400,
        train_proposals=200,
        test_proposals=200,
        rpn_samples=64,
        roi_samples=48,
        roi_points=1,
    ),
    "frcnn-r50-fpn": Numbers(
        depth=50,
        channels=64,
        frozen=True,
        first_level=0,
        levels=5,
        pyramid=256,
        hidden=1024,
        scales=(8.0,),
        ratios=(0.5, 1.0, 2.0),
        pre_nms=1000,
        train_proposals=1000,
        test_proposals=1000,
        rpn_samples=256,
        roi_samples=512,
        roi_points=0,
    ),
}


def build_faster_rcnn(cfg: DetectorConfig, num_classes: int = 1) -> nn.Module:
    """mmdet's own Faster R-CNN for `cfg`, freshly initialised, in training mode; it takes RGB images in 0..255."""
    install_ops_bridge()
    import mmdet.models  # noqa: F401  (registers the model parts)
    from mmdet.registry import MODELS
    from mmengine.config import ConfigDict
    from mmengine.registry import DefaultScope

    from stages.lib.detectors.quiet import quiet_logger

    quiet_logger()
    with DefaultScope.overwrite_default_scope("mmdet"):
        model = MODELS.build(ConfigDict(model_dict(cfg, num_classes)))
        model.init_weights()
    return model


def model_dict(cfg: DetectorConfig, num_classes: int = 1) -> dict[str, Any]:
    """The plain mmdet model dict of `cfg`; background is the last class, as in mmdet 2 and later."""
    n = NUMBERS[cfg.architecture]
    return {
        "type": "FasterRCNN",
        "data_preprocessor": {
            "type": "DetDataPreprocessor",
            "mean": list(MEAN_RGB),
            "std": list(STD_RGB),
            "bgr_to_rgb": False,
            "pad_size_divisor": SIZE_DIVISOR,
        },
        "backbone": _backbone(n),
        "neck": _neck(n),
        "rpn_head": _rpn_head(n),
        "roi_head": _roi_head(n, num_classes),
        "train_cfg": {
            "rpn": _rpn_train(n),
            "rpn_proposal": _proposals(n, n.train_proposals),
            "rcnn": _roi_train(n),
        },
        "test_cfg": {
            "rpn": _proposals(n, n.test_proposals),
            "rcnn": {
                "score_thr": cfg.min_score,
                "nms": {"type": "nms", "iou_threshold": cfg.nms},
                "max_per_img": cfg.max_per_image,
            },
        },
    }


def _backbone(n: Numbers) -> dict[str, Any]:
    return {
        "type": "ResNet",
        "depth": n.depth,
        "base_channels": n.channels,
        "num_stages": 4,
        "out_indices": (0, 1, 2, 3),
        "frozen_stages": 1 if n.frozen else -1,
        "norm_cfg": {"type": "BN", "requires_grad": True},
        "norm_eval": n.frozen,
        "zero_init_residual": n.frozen,
        "style": "pytorch",
    }


def _neck(n: Numbers) -> dict[str, Any]:
    neck = {
        "type": "FPN",
        "in_channels": n.stage_channels,
        "out_channels": n.pyramid,
        "start_level": n.first_level,
        "num_outs": n.levels,
    }
    return neck if n.frozen else {**neck, "norm_cfg": {"type": "BN"}}


def _rpn_head(n: Numbers) -> dict[str, Any]:
    head = {
        "type": "RPNHead",
        "in_channels": n.pyramid,
        "feat_channels": n.pyramid,
        "anchor_generator": {
            "type": "AnchorGenerator",
            "scales": list(n.scales),
            "ratios": list(n.ratios),
            "strides": n.strides,
        },
        "bbox_coder": _coder((1.0, 1.0, 1.0, 1.0)),
        "loss_cls": {"type": "CrossEntropyLoss", "use_sigmoid": True, "loss_weight": 1.0},
        "loss_bbox": {"type": "L1Loss", "loss_weight": 1.0},
    }
    outputs = [{"type": "Normal", "name": name, "std": 0.01} for name in ("rpn_cls", "rpn_reg")]
    strong = {"type": "Kaiming", "layer": "Conv2d", "override": outputs}
    return head if n.frozen else {**head, "init_cfg": strong}


def _roi_head(n: Numbers, num_classes: int) -> dict[str, Any]:
    return {
        "type": "StandardRoIHead",
        "bbox_roi_extractor": {
            "type": "SingleRoIExtractor",
            "roi_layer": {"type": "RoIAlign", "output_size": 7, "sampling_ratio": n.roi_points},
            "out_channels": n.pyramid,
            "featmap_strides": n.strides[:4],
        },
        "bbox_head": {
            "type": "Shared2FCBBoxHead",
            "in_channels": n.pyramid,
            "fc_out_channels": n.hidden,
            "roi_feat_size": 7,
            "num_classes": num_classes,
            "bbox_coder": _coder((0.1, 0.1, 0.2, 0.2)),
            "reg_class_agnostic": False,
            "loss_cls": {"type": "CrossEntropyLoss", "use_sigmoid": False, "loss_weight": 1.0},
            "loss_bbox": {"type": "L1Loss", "loss_weight": 1.0},
        },
    }


def _coder(stds: tuple[float, float, float, float]) -> dict[str, Any]:
    return {"type": "DeltaXYWHBBoxCoder", "target_means": [0.0] * 4, "target_stds": list(stds)}


def _proposals(n: Numbers, keep: int) -> dict[str, Any]:
    nms = {"type": "nms", "iou_threshold": 0.7}
    return {"nms_pre": max(n.pre_nms, keep), "max_per_img": keep, "nms": nms, "min_bbox_size": 0}


def _rpn_train(n: Numbers) -> dict[str, Any]:
    assigner = _assigner(positive=0.7, negative=0.3, least=0.3, low_quality=True)
    sampler = _sampler(n.rpn_samples, positive=0.5, add_truth=False)
    return {"assigner": assigner, "sampler": sampler, "allowed_border": -1, "pos_weight": -1, "debug": False}


def _roi_train(n: Numbers) -> dict[str, Any]:
    assigner = _assigner(positive=0.5, negative=0.5, least=0.5, low_quality=False)
    sampler = _sampler(n.roi_samples, positive=0.25, add_truth=True)
    return {"assigner": assigner, "sampler": sampler, "pos_weight": -1, "debug": False}


def _assigner(*, positive: float, negative: float, least: float, low_quality: bool) -> dict[str, Any]:
    return {
        "type": "MaxIoUAssigner",
        "pos_iou_thr": positive,
        "neg_iou_thr": negative,
        "min_pos_iou": least,
        "match_low_quality": low_quality,
        "ignore_iof_thr": -1,
    }


def _sampler(samples: int, *, positive: float, add_truth: bool) -> dict[str, Any]:
    return {
        "type": "RandomSampler",
        "num": samples,
        "pos_fraction": positive,
        "neg_pos_ub": -1,
        "add_gt_as_proposals": add_truth,
    }

"""The person detector: images in, normalised boxes out.

Shapes: H x W image, C channels, N boxes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import torch
from torch import Tensor, nn

from stages.lib.config.detectors import DetectorConfig
from stages.lib.detectors.checkpoint import class_count, load_state
from stages.lib.detectors.faster_rcnn import SIZE_DIVISOR, build_faster_rcnn
from stages.lib.detectors.letterbox import Letterbox, fit, resize
from stages.lib.detectors.samples import make_sample, stack
from stages.lib.halving import Batches

PERSON = 0
"""Class index of a person: the only class of our detectors, and the first of COCO's 80."""


@dataclass(frozen=True)
class Detections:
    """Persons of one image, best first: boxes_N4 float32 xyxy in [0, 1], scores_N float32."""

    boxes: np.ndarray
    scores: np.ndarray


class PersonDetector:
    """A detector ready for use; results do not depend on what else is in a batch."""

    def __init__(self, model: nn.Module, cfg: DetectorConfig, device: str = "cpu") -> None:
        self.model = model.to(device).eval()
        self.cfg, self.batches = cfg, Batches(cfg.batch)

    @classmethod
    def from_state(
        cls,
        cfg: DetectorConfig,
        state: Mapping[str, Tensor | np.ndarray],
        device: str = "cpu",
        where: str = "weights",
    ) -> PersonDetector:
        """The detector of `cfg` with the given weights (1 class, or COCO's 80); StageError names `where` on a misfit."""
        model = build_faster_rcnn(cfg, class_count(state, where))
        load_state(model, state, where)
        return cls(model, cfg, device)

    @torch.inference_mode()
    def detect(self, images: Sequence[np.ndarray]) -> list[Detections]:
        """Persons in RGB uint8 images (H, W, 3) of any sizes; images of equal padded size share a forward pass."""
        boxes = [self._fit(image) for image in images]
        groups: dict[tuple[int, int], list[int]] = defaultdict(list)
        for index, box in enumerate(boxes):
            groups[box.padded].append(index)
        found: dict[int, Detections] = {}
        for members in groups.values():

            def run(items: slice, members: list[int] = members) -> list[object]:
                samples = [make_sample(resize(images[i], boxes[i])) for i in members[items]]
                return list(self.model.test_step(stack(samples)))  # type: ignore[operator]

            results = chain.from_iterable(self.batches.of(len(members), run))
            for i, result in zip(members, results, strict=True):
                found[i] = self._persons(result.pred_instances, boxes[i])  # type: ignore[attr-defined]
        return [found[i] for i in range(len(images))]

    def _fit(self, image_HWC: np.ndarray) -> Letterbox:
        assert image_HWC.dtype == np.uint8
        assert image_HWC.ndim == 3
        assert image_HWC.shape[2] == 3
        height, width = image_HWC.shape[:2]
        return fit(height, width, self.cfg.short_side, self.cfg.max_long_side, SIZE_DIVISOR)

    def _persons(self, instances: object, box: Letterbox) -> Detections:
        """Person boxes of one result, from pixels of the resized image to [0, 1]; empty boxes are dropped."""
        boxes_N4 = instances.bboxes.cpu().numpy().astype(np.float32)  # type: ignore[attr-defined]
        scores_N = instances.scores.cpu().numpy().astype(np.float32)  # type: ignore[attr-defined]
        labels_N = instances.labels.cpu().numpy()  # type: ignore[attr-defined]
        size = np.array([box.width, box.height] * 2, dtype=np.float32)
        boxes_N4 = np.clip(boxes_N4 / size, 0.0, 1.0)
        solid_N = (boxes_N4[:, 2] > boxes_N4[:, 0]) & (boxes_N4[:, 3] > boxes_N4[:, 1])
        keep_N = (labels_N == PERSON) & (scores_N >= self.cfg.min_score) & solid_N
        order = np.argsort(-scores_N[keep_N], kind="stable")[: self.cfg.max_per_image]
        return Detections(boxes_N4[keep_N][order], scores_N[keep_N][order])

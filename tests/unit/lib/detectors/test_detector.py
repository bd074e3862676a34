"""Detection: batch invariance, ranges, the person class, sizes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from stages.lib.config.detectors import DetectorConfig
from stages.lib.detectors.checkpoint import CLASSIFIER, export_state
from stages.lib.detectors.detector import PersonDetector
from stages.lib.detectors.faster_rcnn import build_faster_rcnn
from stages.lib.detectors.letterbox import fit, resize
from stages.lib.errors import StageError

CFG = DetectorConfig(
    architecture="playground", weights="given", short_side=96, max_long_side=192, min_score=0.05
)


def _detector(classes: int = 1) -> PersonDetector:
    """Random weights with a lively classifier, so that there is something to compare."""
    torch.manual_seed(3)
    model = build_faster_rcnn(CFG, classes)
    with torch.no_grad():
        model.roi_head.bbox_head.fc_cls.weight.normal_(0, 0.5)
        model.roi_head.bbox_head.fc_reg.weight.normal_(0, 0.05)
    return PersonDetector.from_state(CFG, export_state(model))


def _images() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    sizes = [(96, 160), (96, 170), (120, 200), (96, 160), (50, 40), (96, 160), (97, 161), (200, 120)]
    return [rng.integers(0, 255, (h, w, 3), dtype=np.uint8) for h, w in sizes]


def test_batch_of_one_equals_batch_of_eight() -> None:
    detector, images = _detector(), _images()
    together = detector.detect(images)
    for image, found in zip(images, together, strict=True):
        (alone,) = detector.detect([image])
        assert len(alone.scores) > 0
        np.testing.assert_allclose(alone.boxes, found.boxes, atol=1e-4)
        np.testing.assert_allclose(alone.scores, found.scores, atol=1e-4)


def test_boxes_are_normalised_solid_and_sorted() -> None:
    for found in _detector().detect(_images()):
        assert found.boxes.dtype == np.float32
        assert found.boxes.min() >= 0.0
        assert found.boxes.max() <= 1.0
        assert (found.boxes[:, 2:] > found.boxes[:, :2]).all()
        assert (np.diff(found.scores) <= 0).all()
        assert (found.scores >= CFG.min_score).all()
        assert len(found.scores) <= CFG.max_per_image


def test_no_images_and_no_persons() -> None:
    detector = _detector()
    assert detector.detect([]) == []
    with torch.no_grad():
        detector.model.roi_head.bbox_head.fc_cls.bias += torch.tensor([0.0, 1000.0])
    (found,) = detector.detect([np.zeros((96, 160, 3), np.uint8)])
    assert found.boxes.shape == (0, 4)
    assert found.scores.shape == (0,)


def test_of_eighty_classes_only_persons_come_out() -> None:
    """A classifier whose bias prefers class 17 finds nobody, one that prefers class 0 finds people only."""
    torch.manual_seed(0)
    state = export_state(build_faster_rcnn(CFG, 80))
    image = np.random.default_rng(1).integers(0, 255, (96, 160, 3), dtype=np.uint8)
    for favourite, somebody in ((17, False), (0, True)):
        bias = torch.zeros(81)
        bias[favourite] = 9.0
        found = PersonDetector.from_state(CFG, {**state, CLASSIFIER.replace("weight", "bias"): bias}).detect(
            [image]
        )[0]
        assert (len(found.scores) > 0) == somebody


def test_other_class_counts_are_refused() -> None:
    state = export_state(build_faster_rcnn(CFG, 1))
    with pytest.raises(StageError, match="3 classes"):
        PersonDetector.from_state(CFG, {**state, CLASSIFIER: torch.zeros(4, 128)})


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((480, 640), (800, 1067, (800, 1088))),
        ((1080, 1920), (750, 1333, (768, 1344))),
        ((640, 480), (1067, 800, (1088, 800))),
    ],
)
def test_sizes_of_the_usual_800_by_1333(
    size: tuple[int, int], expected: tuple[int, int, tuple[int, int]]
) -> None:
    box = fit(*size, 800, 1333, 32)
    assert (box.height, box.width, box.padded) == expected


def test_an_image_of_the_right_size_is_not_touched() -> None:
    image = np.zeros((128, 224, 3), np.uint8)
    assert resize(image, fit(128, 224, 128, 256, 32)) is image
